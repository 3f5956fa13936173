"""Where a command writes: signs that an encoding lacks are replaced, and with --json standard output
carries one document and nothing else."""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

PLAIN = {
    **dict(zip("●─│├┤┼┴╰╯", "o-|||++`'")),
    **{"→": "->", "×": "x", "±": "+-", "–": "-", "—": "-", "…": "...", "“": '"', "”": '"'},
}
"""Substitutes for the signs of drawings and tables where the encoding lacks them."""


class Document:
    """The one document on standard output. The first value given is written, later ones are not: the
    end of a command does not contradict its result."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream, self.given = stream, False

    def give(self, value: Any) -> None:
        if self.given:
            return
        self.given = True
        print(as_json(value), file=self._stream or sys.stdout, flush=True)


_document: Document | None = None


def give(value: Any) -> None:
    """A JSON document on standard output."""
    (_document or Document(None)).give(value)


def as_json(value: Any) -> str:
    """JSON as every reader takes it: in ASCII, and null for numbers that are not finite.

    >>> as_json({"a": float("nan"), "b": "ü"}).split()
    ['{', '"a":', 'null,', '"b":', '"\\\\u00fc"', '}']
    """
    # There and back: `parse_constant` turns NaN and infinity into null, however deep they lie.
    plain = json.loads(json.dumps(value, default=_plain), parse_constant=lambda _: None)
    return json.dumps(plain, indent=1, allow_nan=False)


def replace_unknown_signs() -> None:
    """Let no command end because standard output or standard error cannot encode a sign."""
    codecs.register_error("cambrian", _replace)
    # Errors only: the encoding stays the one that the terminal expects.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="cambrian")


@contextmanager
def only_json() -> Iterator[Document]:
    """Standard output for one document; whatever else is printed until the end of this process, by a
    user's function, a library in C or a program that it starts, comes out on standard error."""
    global _document
    shown = sys.stdout
    _document = Document(_take_standard_output() if _is_standard_output(shown) else shown)
    sys.stdout = sys.stderr  # for Python's own prints; descriptor 1 is for C and child processes
    try:
        yield _document
    finally:
        sys.stdout, _document = shown, None


def _is_standard_output(stream: TextIO | None) -> bool:
    try:
        return stream is None or stream.fileno() == 1
    except (OSError, ValueError):  # a stream in memory, or one that is closed
        return False


def _take_standard_output() -> TextIO:
    """A stream of our own to where descriptor 1 leads, which from now on leads to standard error. A
    descriptor that the shell has closed leads nowhere."""
    with open(os.devnull, "r+b", buffering=0) as nowhere:
        ours = _duplicate(1, nowhere.fileno())
        errors = _duplicate(2, nowhere.fileno())
        os.dup2(errors, 1)
        os.close(errors)
    return open(ours, "w", encoding="ascii")


def _duplicate(descriptor: int, otherwise: int) -> int:
    try:
        return os.dup(descriptor)
    except OSError:
        return os.dup(otherwise)


def _replace(error: UnicodeError) -> tuple[str | bytes, int]:
    """The error handler for `codecs`: bytes of a file's name that are not text go out as they came."""
    assert isinstance(error, UnicodeEncodeError)
    sign = error.object[error.start]
    if "\udc80" <= sign <= "\udcff":  # how Python carries such bytes (PEP 383)
        return bytes([ord(sign) - 0xDC00]), error.start + 1
    return PLAIN.get(sign, "?"), error.start + 1


def _plain(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "to_json"):
        return value.to_json()
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "__struct_fields__"):
        import msgspec

        from cambrian.codec import encode

        return msgspec.json.decode(encode(value))
    raise TypeError(f"{type(value).__name__} does not have a JSON form")
