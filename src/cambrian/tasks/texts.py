"""Texts to images one pixel wide: a row is a character, and of its channels the one of that character is lit.

A first layer of weights then is a table of characters' vectors, so that recurrent cells and transformers read
texts as they read rows of pixels (Karpathy 2015, "The Unreasonable Effectiveness of Recurrent Neural
Networks", feeds characters to a network in the same way).
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np

from cambrian.errors import DataError
from cambrian.settings import Span, check_settings
from cambrian.tasks.limits import check_memory
from cambrian.tasks.phrases import reason

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_CHARACTERS, MOST_LENGTH = 80, 256
"""Characters that are told apart, and that are read of a text, where nobody says more."""
QUANTILE = 0.95
"""The share of texts that are not cut, as far as MOST_LENGTH allows."""
LENGTH = Span(1, 4096)
UNKNOWN = "\ufffd"
"""What stands for a character that is not told apart."""


class Script(msgspec.Struct, frozen=True):
    """How texts become images: the characters that are told apart, the commonest first, and how many of a
    text are read. `column` is the one of a table that holds the texts. In a `corpus` the character after each
    is predicted: the end of a text is read, and its spaces and line ends count."""

    characters: str
    length: Annotated[int, LENGTH]
    column: str = ""
    corpus: bool = False

    @property
    def width(self) -> int:
        """The channels: one a character, and one for all others."""
        return len(self.characters) + 1


def read_script(facts: Any) -> Script:
    """The script that a task or an export has recorded. Raises DataError where it is damaged."""
    try:
        script = msgspec.convert(facts, Script)
        check_settings(script, "texts")
    except Exception as error:
        raise DataError(f"how texts become images is damaged: {reason(error)}") from error
    return script


def fit_script(
    texts: Sequence[str], length: int | None = None, most: int = MOST_CHARACTERS, column: str = ""
) -> Script:
    """The script of these texts: their commonest characters, and a length that leaves most of them whole."""
    ranked = rank_characters(map(clean, texts))
    lengths = [len(clean(text)) for text in texts]
    usual = int(np.ceil(np.quantile(lengths, QUANTILE)))
    return Script(ranked[:most], length or max(1, min(usual, MOST_LENGTH)), column)


def rank_characters(texts: Iterable[str]) -> str:
    """The characters of the texts, the commonest first."""
    counts = Counter(character for text in texts for character in text)
    # Of equally common ones the first in Unicode, so that the order of texts does not matter.
    return "".join(sorted(counts, key=lambda character: (-counts[character], character)))


def read_codes(text: str, script: Script) -> NDArray[np.int64]:
    """Int64 [characters]: the place of each in the script, the last one for all others.

    >>> read_codes("abc", Script("ba", 8)).tolist()
    [1, 0, 2]
    """
    place = {character: n for n, character in enumerate(script.characters)}
    return np.array([place.get(character, len(place)) for character in text], np.int64)


def clean(text: str) -> str:
    """The text with one form of accents and single spaces: line ends are the file's, not the author's.

    >>> clean("Two\\r\\n  lines ")
    'Two lines'
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


def draw_texts(texts: Sequence[str], script: Script, where: str) -> NDArray[np.uint8]:
    """Uint8 [n, length, 1, characters + 1], 255 where a row has that character. Of a longer text the
    beginning is read; before a shorter one are empty rows, so that a cell that reads on ends with the
    text. In a corpus the end is read, as it is, and empty rows are after it: every row has an answer."""
    check_memory(where, len(texts) * script.length * script.width)
    images = np.zeros((len(texts), script.length, 1, script.width), np.uint8)
    for image, text in zip(images, texts, strict=True):
        read = text[-script.length :] if script.corpus else clean(text)[: script.length]
        codes = read_codes(read, script)
        first = 0 if script.corpus else script.length - len(codes)
        image[np.arange(first, first + len(codes)), 0, codes] = 255
    return images


def read_texts(images: NDArray[np.uint8], script: Script) -> list[str]:
    """The texts that `draw_texts` drew, as far as they were read; a character that is not told apart is a
    replacement character.

    >>> script = Script("abc", 5)
    >>> read_texts(draw_texts(["cab", "a-bcab"], script, "here"), script)
    ['cab', 'a\ufffdbca']
    """
    characters = script.characters + UNKNOWN
    lit = [image[:, 0][image[:, 0].any(1)] for image in images]
    return ["".join(characters[code] for code in rows.argmax(1)) for rows in lit]


def choose_next(outputs: NDArray[Any], images: NDArray[Any]) -> NDArray[Any]:
    """Of outputs [n, characters, length] those after the last character of each text, [n, characters];
    `images` [n, length, 1, characters] are the texts."""
    if outputs.ndim < 3:  # an export of an older version answers for the whole text
        return outputs
    last = np.maximum(images.any((2, 3)).sum(1), 1) - 1
    return outputs[np.arange(len(outputs)), :, last]


def describe_script(facts: Mapping[str, Any]) -> str:
    """How texts become images, in words.

    >>> describe_script({"characters": "e at", "length": 40})
    '40 characters a text, of 4 kinds'
    """
    script = read_script(facts)
    if script.corpus:
        return f"{script.length} characters at once, of {len(script.characters)} kinds"
    return f"{script.length} characters a text, of {len(script.characters)} kinds"
