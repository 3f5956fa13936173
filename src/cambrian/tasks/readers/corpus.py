"""A text of its own, of which the next character is learned from the ones before it, at every place of a
piece at once (Karpathy 2015, "The Unreasonable Effectiveness of Recurrent Neural Networks").

Pieces overlap by half. Of a piece that judges a network only the second half counts, so that every place of
the text is judged once, by at least half a piece before it."""

from __future__ import annotations

import gzip
import unicodedata
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import msgspec
import numpy as np

from cambrian.errors import DataError
from cambrian.goal import IGNORED, Goal
from cambrian.settings import Span, check_settings
from cambrian.tasks.examples import TEST, TRAIN, VALIDATION, Decoded, Examples
from cambrian.tasks.limits import check_memory, memory
from cambrian.tasks.nouns import TEXTS
from cambrian.tasks.readers.listing import show
from cambrian.tasks.texts import LENGTH, MOST_CHARACTERS, Script, rank_characters, read_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONG, WINDOWS = 64, 60_000
"""Characters of a piece, and pieces of a text that are used."""
SHARES = ((TRAIN, 0.0, 0.8), (VALIDATION, 0.8, 0.9), (TEST, 0.9, 1.0))
"""The parts of a text from its beginning to its end, so that no part has seen the next one."""
FEWEST = 1000
"""Characters of a text, below which its parts would be too small to judge by."""
SEPARATORS = ",;\t|"
NAMES = {" ": "space", "\n": "newline", "\t": "tab"}


@dataclass(frozen=True)
class Corpus:
    """The text in the file `path`. A network reads pieces of `length` characters (None: 64) and predicts the
    one after each; `characters` are told apart, the commonest of the training part, and all others are one.
    It sees `windows` pieces of the text at most, evenly spread."""

    path: str
    length: Annotated[int | None, LENGTH] = None
    characters: Annotated[int, Span(2, 1000)] = MOST_CHARACTERS
    windows: Annotated[int, Span(100, 10_000_000)] = WINDOWS

    def examples(self) -> Examples:
        check_settings(self, "corpus")
        file, length = Path(self.path), self.length or LONG
        text = read_corpus(file)
        known = text[: int(SHARES[0][2] * len(text))]
        script = Script(rank_characters([known])[: self.characters], length, corpus=True)
        codes = read_codes(text, script)
        begins, parts = self._choose_pieces(file, len(codes), length)
        targets = codes[begins[:, None] + np.arange(1, length + 1)]
        judged = targets[parts != TRAIN]
        judged[:, : length // 2] = IGNORED  # too little is read before them
        targets[parts != TRAIN] = judged
        note = (
            f"{show(file)}: networks read {len(begins):,} pieces of {length} of the {len(codes):,}"
            " characters, and predict the one after each; the beginning is learned, the end is the test part"
        )

        def decode(indices: NDArray[np.int64], size: int | None) -> Decoded:
            if size is not None:
                raise DataError(f"{show(file)}: texts have no size: give --read length=100 instead")
            images = draw_windows(codes, begins[indices], script, show(file))
            return Decoded(images, (note,), {"text": msgspec.to_builtins(script)})

        labels = (*(NAMES.get(character, character) for character in script.characters), "other")
        name = show(Path(file.name.removesuffix(".gz")).stem)
        return Examples(name, targets, labels, parts, decode, Goal("characters"), TEXTS)

    def _choose_pieces(
        self, file: Path, characters: int, length: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
        """The places where pieces begin, and the part of each: none crosses into another part."""
        begins, parts = [], []
        for part, begin, end in SHARES:
            # The last character of a part is only predicted.
            first, last = int(begin * characters), int(end * characters) - length - 1
            starts = np.arange(first, last + 1, length - length // 2)
            count = min(len(starts), max(round((end - begin) * self.windows), 1))
            if characters < FEWEST or not count:
                raise DataError(
                    f"{show(file)}: {characters} characters are too few to learn a language from, with"
                    f" {length} read at once: give a text of at least {max(FEWEST, 20 * length)}"
                )
            begins.append(starts[np.linspace(0, len(starts) - 1, count).round().astype(np.int64)])
            parts.append(np.full(count, part, np.int8))
        return np.concatenate(begins), np.concatenate(parts)


def draw_windows(
    codes: NDArray[np.int64], begins: NDArray[np.int64], script: Script, where: str
) -> NDArray[np.uint8]:
    """Uint8 [n, length, 1, characters + 1]: the characters from each place on."""
    check_memory(where, len(begins) * script.length * script.width)
    windows = codes[begins[:, None] + np.arange(script.length)]
    images = np.zeros((*windows.shape, 1, script.width), np.uint8)
    np.put_along_axis(images, windows[:, :, None, None], 255, axis=3)
    return images


def read_corpus(file: Path) -> str:
    """The text of a file in UTF-8, plain or packed by gzip, with one form of accents and of line ends. Raises
    DataError."""
    try:
        check_memory(show(file), file.stat().st_size)
        with open_text(file) as opened:
            text = opened.read(memory()).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{show(file)}: not a text in UTF-8: convert it") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{show(file)}: cannot be read ({reason}): mend it") from error
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


def open_text(file: Path) -> BinaryIO:
    return gzip.open(file) if file.suffix.lower() == ".gz" else file.open("rb")  # type: ignore[return-value]


def is_corpus(file: Path) -> bool:
    """Whether a .txt or .txt.gz file is a text rather than a table: it has some length, and no separator of
    cells occurs equally often in its lines."""
    try:
        with open_text(file) as opened:
            head = opened.read(2**16).decode("utf-8-sig", "ignore")
    except (OSError, EOFError, zlib.error):
        return file.suffix.lower() == ".gz"  # damaged, which its reader says
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
