"""What a command is doing, while nothing can be counted."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any


def busy(what: str) -> AbstractContextManager[Any]:
    """A line with the time that has passed, in a terminal, until the work ends; elsewhere nothing. It writes
    on standard error.

    >>> with busy("exporting"):
    ...     pass
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        return nullcontext()
    columns = (SpinnerColumn("line"), TextColumn("{task.description}"), TimeElapsedColumn())
    progress = Progress(*columns, console=console, transient=True)
    progress.add_task(what, total=None)
    return progress
