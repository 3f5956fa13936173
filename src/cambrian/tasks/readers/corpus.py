"""A text of its own, of which the next character is learned from the ones before it (Karpathy 2015, "The
Unreasonable Effectiveness of Recurrent Neural Networks")."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import numpy as np

from cambrian.errors import DataError
from cambrian.goal import Goal
from cambrian.settings import Span, check_settings
from cambrian.tasks.examples import TEST, TRAIN, VALIDATION, Decoded, Examples
from cambrian.tasks.limits import check_memory
from cambrian.tasks.nouns import TEXTS
from cambrian.tasks.readers.listing import show
from cambrian.tasks.texts import LENGTH, MOST_CHARACTERS, Script, rank_characters, read_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

BEFORE, WINDOWS = 32, 60_000
"""Characters that are read before the one to predict, and places of a text that are learned from."""
SHARES = ((TRAIN, 0.0, 0.8), (VALIDATION, 0.8, 0.9), (TEST, 0.9, 1.0))
"""The parts of a text from its beginning to its end, so that no part has seen the next one."""
FEWEST = 1000
"""Characters of a text, below which its parts would be too small to judge by."""
SEPARATORS = ",;\t|"
NAMES = {" ": "space", "\n": "newline", "\t": "tab"}


@dataclass(frozen=True)
class Corpus:
    """The text in the file `path`. A network reads `length` characters (None: 32) and predicts the next one;
    `characters` are told apart, the commonest of the training part, and all others are one. It learns from
    `windows` places of the text at most, evenly spread."""

    path: str
    length: Annotated[int | None, LENGTH] = None
    characters: Annotated[int, Span(2, 1000)] = MOST_CHARACTERS
    windows: Annotated[int, Span(100, 10_000_000)] = WINDOWS

    def examples(self) -> Examples:
        check_settings(self, "corpus")
        file, length = Path(self.path), self.length or BEFORE
        text = read_corpus(file)
        known = text[: int(SHARES[0][2] * len(text))]
        script = Script(rank_characters([known])[: self.characters], length, corpus=True)
        codes = read_codes(text, script)
        places, parts = self._choose_places(file, len(codes), length)
        note = (
            f"{show(file)}: networks read {length} characters and predict the next one, at {len(places):,} of"
            f" {len(codes):,} places; the beginning is learned, the end is the test part"
        )

        def decode(indices: NDArray[np.int64], size: int | None) -> Decoded:
            if size is not None:
                raise DataError(f"{show(file)}: texts have no size: give --read length=100 instead")
            images = draw_windows(codes, places[indices], script, show(file))
            return Decoded(images, (note,), {"text": msgspec.to_builtins(script)})

        labels = (*(NAMES.get(character, character) for character in script.characters), "other")
        return Examples(show(file.stem), codes[places], labels, parts, decode, Goal("characters"), TEXTS)

    def _choose_places(
        self, file: Path, characters: int, length: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
        """The places of the characters to predict, and the part of each: no window crosses into another
        part."""
        places, parts = [], []
        for part, begin, end in SHARES:
            first, last = int(begin * characters) + length, int(end * characters) - 1
            count = min(max(last - first + 1, 0), max(round((end - begin) * self.windows), 1))
            if characters < FEWEST or not count:
                raise DataError(
                    f"{show(file)}: {characters} characters are too few to learn a language from, with"
                    f" {length} read before each: give a text of at least {max(FEWEST, 20 * length)}"
                )
            places.append(np.linspace(first, last, count).round().astype(np.int64))
            parts.append(np.full(count, part, np.int8))
        return np.concatenate(places), np.concatenate(parts)


def draw_windows(
    codes: NDArray[np.int64], places: NDArray[np.int64], script: Script, where: str
) -> NDArray[np.uint8]:
    """Uint8 [n, length, 1, characters + 1]: the characters before each place."""
    check_memory(where, len(places) * script.length * script.width)
    windows = codes[places[:, None] + np.arange(-script.length, 0)]
    images = np.zeros((*windows.shape, 1, script.width), np.uint8)
    np.put_along_axis(images, windows[:, :, None, None], 255, axis=3)
    return images


def read_corpus(file: Path) -> str:
    """The text of a file in UTF-8, with one form of accents and of line ends. Raises DataError."""
    try:
        check_memory(show(file), file.stat().st_size)
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{show(file)}: not a text in UTF-8: convert it") from error
    except OSError as error:
        raise DataError(f"{show(file)}: cannot be read ({error.strerror}): mend it") from error
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


def is_corpus(file: Path) -> bool:
    """Whether a .txt file is a text rather than a table: it has some length, and no separator of cells occurs
    equally often in its lines."""
    with file.open("rb") as opened:
        head = opened.read(2**16).decode("utf-8-sig", "ignore")
    # The last line may be cut; of a text in one line it is all that there is.
    lines = [line for line in head.splitlines() if line.strip()]
    if len(head) < FEWEST or not lines:
        return False
    return not any(_divides(lines[:-1] or lines, sign) for sign in SEPARATORS)


def _divides(lines: list[str], sign: str) -> bool:
    """Whether nine lines of ten have the sign equally often, as the rows of a table have."""
    counts = [line.count(sign) for line in lines]
    usual = max(set(counts), key=counts.count)
    return len(lines) > 1 and usual > 0 and counts.count(usual) >= 0.9 * len(lines)
