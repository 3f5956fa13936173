"""The progress of work whose steps can be counted: a bar in a terminal, elsewhere a line for each part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Show = Callable[[str, int, int], object]
"""Called with the part that is begun, the number of steps done, and that of all."""


def make_bars(console: Console) -> Progress:
    """Bars of what is counted, which go when all is done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True)


@contextmanager
def show_steps(console: Console) -> Iterator[Show]:
    """The display on `console`, which is to be one of standard error."""
    if not console.is_terminal:
        yield partial(_print_part, console, [])
        return
    with make_bars(console) as progress:
        bar = progress.add_task("")
        yield lambda part, done, total: progress.update(bar, description=part, completed=done, total=total)


def _print_part(console: Console, begun: list[str], part: str, done: int, total: int) -> None:
    if part not in begun:
        begun.append(part)
        console.print(f"  {part}, {done:,} of {total:,} done", highlight=False, markup=False, soft_wrap=True)
