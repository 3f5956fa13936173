"""Standard output and standard error: what may be written there, and who may write.

Signs that the encoding of a stream does not have are written as ASCII ones that look like them. With `--json`
standard output belongs to the one document of the command: whatever else writes there, a user's own code, a
library in C or a subprocess, writes to standard error.
"""

from __future__ import annotations

import codecs
import io
import json
import math
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

_LOOKALIKES = str.maketrans(
    dict.fromkeys("─━╌╴╶–—−‑", "-")
    | dict.fromkeys("│┃╎╵╷", "|")
    | dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╯╰", "+")
    | dict.fromkeys("●•", "*")
    | {"…": "...", "→": "->", "×": "x", "±": "+/-", "≥": ">=", "≤": "<="}
    | dict.fromkeys("“”„", '"')
    | dict.fromkeys("‘’", "'")
    | {"\N{NO-BREAK SPACE}": " "}
)


def _replace_signs(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end].translate(_LOOKALIKES)
    return "".join(sign if sign.isascii() else "?" for sign in signs), error.end


codecs.register_error("cambrian.lookalikes", _replace_signs)


def replace_signs_that_cannot_be_written() -> None:
    """Let no text be refused by the encoding of standard output or standard error."""
    if sys.stderr is None:  # closed by whoever started this: print() would turn to standard output
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="cambrian.lookalikes")


class Documents:
    """Where JSON documents go: standard output, which `reserve` takes from everybody else."""

    def __init__(self) -> None:
        self._reserved: TextIO | None = None
        self._replaced: TextIO | None = None
        self.written = False

    def reserve(self) -> None:
        """Keep standard output, of the whole process where this process owns it, for `write`."""
        self._replaced, sys.stdout = sys.stdout, sys.stderr
        self.written = False
        if _descriptor(self._replaced) == 1:
            self._replaced.flush()
            self._reserved = os.fdopen(os.dup(1), "w", encoding="ascii")
            os.dup2(_descriptor(sys.stderr) or os.open(os.devnull, os.O_WRONLY), 1)
        else:
            self._reserved = self._replaced

    def release(self) -> None:
        """Give back what `reserve` took; a process that owns its standard output keeps it reserved, for what
        is printed when it exits is no document either."""
        if self._replaced is not None and self._reserved is self._replaced:
            sys.stdout = self._replaced
        self._reserved = self._replaced = None

    def write(self, value: Any, default: Callable[[Any], Any] = str) -> None:
        """`value` as JSON; `default` makes plain values of what JSON does not know."""
        text = json.dumps(_finite(value), indent=1, default=lambda v: _finite(default(v)), allow_nan=False)
        print(text, file=self._reserved or sys.stdout, flush=True)
        self.written = True


documents = Documents()


def _descriptor(stream: TextIO | None) -> int | None:
    try:
        return None if stream is None else stream.fileno()
    except (OSError, ValueError):  # a stream of a test or a notebook has none
        return None


def _finite(value: Any) -> Any:
    """`value` with null for numbers that JSON cannot write."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(name): _finite(entry) for name, entry in value.items()}
    return [_finite(entry) for entry in value] if isinstance(value, list | tuple) else value
