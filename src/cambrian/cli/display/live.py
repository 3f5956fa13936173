"""The display of a running search: progress, best values, the surrogate's rank correlation, time left."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cambrian.outcome import Point, Trial
from cambrian.search.display.failures import failure_text
from cambrian.search.display.lines import LineWatch
from cambrian.search.display.tally import Tally, describe_supernet, number_text, value_text
from cambrian.search.loop.watch import Watch


@contextmanager
def watch_search(
    console: Console, expected: Mapping[int, int], shares: Collection[str] = ()
) -> Iterator[Watch]:
    """The display of a search on `console`: live in a terminal, else lines. `shares` are those of
    `find_shares`."""
    if console.is_terminal:
        with LiveWatch(console, expected, shares) as watch:
            yield watch
        return
    say = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    yield LineWatch(say, expected, warn=lambda sentence: say(f"note: {sentence}"), shares=shares)


class LiveWatch(Watch):
    """A `Watch` for a terminal; use as a context manager. `expected` maps levels to their trials."""

    def __init__(self, console: Console, expected: Mapping[int, int], shares: Collection[str] = ()) -> None:
        self._console, self._expected, self._shares = console, expected, shares
        self._tally = Tally(shares)
        # A resumed search first goes through the trials it has: until one is begun, none is timed.
        self._replaying, self._replayed, self._counted_from = True, 0, time.monotonic()
        self._stage = "search"
        self._supernets: dict[int, Trial] = {}
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
        )
        self._bar = self._progress.add_task("search", total=sum(expected.values()) or None, left="")
        self._live = Live(self, console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> LiveWatch:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __rich__(self) -> Group:
        return Group(self._table(), self._progress)

    # -- events -----------------------------------------------------------------------------------

    def on_warning(self, sentence: str) -> None:
        self._console.print(f"note: {sentence}", highlight=False, markup=False, soft_wrap=True)

    def on_stage(self, name: str, total: int | None) -> None:
        self._stage = name
        if name == "final":
            self._progress.update(self._bar, description="final stage", total=total, completed=0, left="")
            self._line(f"final stage: up to {total} network{'s' if total != 1 else ''}")
        elif total is not None:
            self._progress.update(self._bar, total=total)
        self._replaying, self._replayed, self._counted_from = True, 0, time.monotonic()

    def on_claim(self, trial: Trial) -> None:
        self._replaying = False
        if trial.kind == "supernet":
            self._supernets[trial.number] = trial

    def on_point(self, number: int, point: Point) -> None:
        self._replaying = False
        supernet = self._supernets.get(number)
        if supernet is not None and "value" in point.metrics:
            epochs = f"epoch {point.step} of {supernet.fidelity.epochs}"
            value = number_text(point.metrics["value"], supernet.estimator in self._shares)
            mean = f"{value} with shared weights"
            self._progress.update(self._bar, left=f"supernet: {epochs}, {mean}")

    def on_end(self, trial: Trial) -> None:
        if self._replaying:  # of an earlier run of the program: it does not tell this one's speed
            self._replayed, self._counted_from = self._replayed + 1, time.monotonic()
        if trial.kind == "final":
            self._line(f"  {trial.role}: {value_text(trial, self._shares, failure_text(trial))}")
        elif trial.kind == "supernet":  # its value is a mean over children: it competes with none of them
            self._line(describe_supernet(trial, self._shares))
            return
        else:
            self._trial(trial)
        self._progress.advance(self._bar)
        self._progress.update(self._bar, left=self._time_left())

    def on_stop(self, reason: str) -> None:
        if self._stage == "search":
            self._line(f"search: {reason}")

    def _trial(self, trial: Trial) -> None:
        level = self._tally.add(trial)
        # By the count, since trials of several workers may end out of order.
        if len(self._tally.levels[level]) == self._expected.get(level):
            self._line(self._tally.describe_level(level))
        if self._tally.is_first_failure(trial):
            self._line(f"  trial {trial.number}: {failure_text(trial)}")

    # -- display ----------------------------------------------------------------------------------

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("level", "trained", "best", "mean", "rank correlation"):
            table.add_column(name, justify="right" if name != "level" else "left")
        for level, trials in sorted(self._tally.levels.items()):
            expected = self._expected.get(level)
            table.add_row(
                str(level or "all"),
                f"{len(trials)}" + (f"/{expected}" if expected else ""),
                self._tally.best_of(level),
                self._tally.mean_of(level),
                self._tally.rank_correlation(level),
            )
        found, failed = self._tally.best, self._tally.failed
        best = f"best so far {value_text(found, self._shares)} (trial {found.number})" if found else ""
        table.caption = "  ".join(t for t in (best, f"{failed} failed" if failed else "") if t)
        table.caption_justify = "left"
        return table

    def _time_left(self) -> str:
        task = self._progress.tasks[0]
        spent, ended = time.monotonic() - self._counted_from, task.completed - self._replayed
        if not task.total or ended < 5:  # the first ones include starting the workers
            return ""
        seconds = spent / ended * (task.total - task.completed)
        return f"about {seconds / 60:.0f} min left" if seconds > 90 else f"about {seconds:.0f} s left"

    def _line(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False)
