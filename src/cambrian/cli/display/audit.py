"""The display of an audit: a bar for each shortcut while it is measured, or lines where there is no terminal,
and the table at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from cambrian.cli.app import say
from cambrian.cli.display.counting import make_bars
from cambrian.cli.display.tables import print_table
from cambrian.counts import counted
from cambrian.outcome import Trial
from cambrian.search.display.lines import PAUSE
from cambrian.search.loop.watch import Watch

if TYPE_CHECKING:
    from cambrian.audits.audit import Audit


class BarWatch(Watch):
    """A bar that advances with each measurement."""

    def __init__(self, progress: Progress, bar: TaskID) -> None:
        self._progress, self._bar = progress, bar

    def on_end(self, trial: Trial) -> None:
        self._progress.advance(self._bar)

    def on_warning(self, sentence: str) -> None:
        self._progress.console.print(f"note: {sentence}", highlight=False, markup=False, soft_wrap=True)


class CountWatch(Watch):
    """A line when the measurements of `label` begin, and one every PAUSE seconds while they last."""

    def __init__(self, write: Callable[[str], object], label: str, total: int) -> None:
        self._write, self._label, self._total = write, label, total
        self._count, self._last = 0, time.monotonic()
        write(f"  {label}: {counted(total, 'network')} to be measured")

    def on_end(self, trial: Trial) -> None:
        self._count += 1
        if time.monotonic() - self._last >= PAUSE:
            self._last = time.monotonic()
            self._write(f"  {self._label}: {self._count} of {self._total} measured")

    def on_warning(self, sentence: str) -> None:
        self._write(f"note: {sentence}")


@contextmanager
def watch_audit(console: Console) -> Iterator[Callable[[str, int], Watch]]:
    """A function that makes the display of a run from its label and the number of its measurements."""
    if not console.is_terminal:
        yield partial(CountWatch, partial(console.print, highlight=False, markup=False, soft_wrap=True))
        return
    with make_bars(console) as progress:
        yield lambda label, total: BarWatch(progress, progress.add_task(label, total=total))


def print_audit(audited: Audit) -> None:
    """The tables, and the verdict in sentences."""
    from cambrian.audits.figures import describe, list_agreement, list_leanings

    say(f"{audited.subject.title}: {len(audited.scores)} architectures, truth: {audited.subject.truth}")
    for header, rows in (list_agreement(audited), list_leanings(audited)):
        _print_table(header, rows)
    for sentence in describe(audited):
        say(sentence)


def _print_table(header: list[str], rows: list[list[str]]) -> None:
    table = Table(box=None, header_style="dim", padding=(0, 1, 0, 0))
    # Names may wrap in a narrow terminal; a number that wraps is another number.
    for place, name in enumerate(header):
        table.add_column(name, justify="right" if place else "left", no_wrap=place > 0, overflow="fold")
    for row in rows:
        table.add_row(*row)
    print_table(table)
