"""The place in a user's code that an error came from: a sentence that names it is mended in a moment."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

_LIBRARIES = ("stdlib", "platstdlib", "purelib", "platlib")
_INSTALLED = [Path(__file__).parent, *{Path(sysconfig.get_path(name)) for name in _LIBRARIES}]
"""Where code is not the user's: cambrian's, Python's, and that of installed packages. Not all that lies below
Python's own folder: that may be /usr, and a program in /usr/src."""


def find_place(error: BaseException) -> str:
    """The file and line of the user's that is nearest to the error, as "mine.py, line 3"; "" where none is
    on the way to it."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_file() and not any(folder in path.parents for folder in _INSTALLED):
            return f"{_shorten(path)}, line {frame.lineno}"
    return ""


def _shorten(path: Path) -> Path:
    """The path from the working folder, where it lies there."""
    here = Path.cwd()
    return path.relative_to(here) if here in path.parents else path
