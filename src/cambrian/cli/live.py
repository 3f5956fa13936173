"""The display of a running search: progress, best values, the surrogate's rank correlation, time left."""

from __future__ import annotations

import time
from collections import defaultdict
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cambrian.cli.app import percent, value_text
from cambrian.outcome import Done, Point, Trial, describe_failure
from cambrian.search.loop.execution import Watch


class LiveWatch(Watch):
    """A `Watch` for a terminal; use as a context manager. Where standard error is not a terminal it
    prints a line per level and per stage instead. `expected` maps levels to their trials."""

    def __init__(self, console: Console, expected: dict[int, int]) -> None:
        self._console, self._expected = console, expected
        self._levels: dict[int, list[Trial]] = defaultdict(list)
        self._failed = 0
        self._best: Trial | None = None
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
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
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
            mean = f"its children have {percent(point.metrics['value'])} on average"
            self._progress.update(self._bar, left=f"supernet: {epochs}, {mean}")

    def on_end(self, trial: Trial) -> None:
        if self._replaying:  # of an earlier run of the program: it does not tell this one's speed
            self._replayed, self._counted_from = self._replayed + 1, time.monotonic()
        if trial.kind == "final":
            self._line(f"  {trial.role}: {value_text(trial)}")
        elif trial.kind == "supernet":  # its value is a mean over children: it competes with none of them
            self._line(_describe_supernet(trial))
            return
        else:
            self._trial(trial)
        self._progress.advance(self._bar)
        self._progress.update(self._bar, left=self._time_left())

    def on_stop(self, reason: str) -> None:
        if self._stage == "search":
            self._line(f"search: {reason}")

    def _trial(self, trial: Trial) -> None:
        level = int(trial.reason.get("level", 0))
        self._levels[level].append(trial)
        if trial.value is None:
            self._failed += 1
        elif self._best is None or (trial.score or 0.0) > (self._best.score or 0.0):
            self._best = trial
        # By the count, since trials of several workers may end out of order.
        if len(self._levels[level]) == self._expected.get(level):
            self._line(self._describe_level(level))

    def _describe_level(self, level: int) -> str:
        """The line for a level that has ended; trials without a level are all of level 0."""
        count, best = len(self._levels[level]), self._best_of(level)
        if not level:
            return f"{count} tried, best {best}"
        rho = self._rho(level)
        return f"level {level}: {count} trained, best {best}, surrogate's rank correlation {rho}"

    # -- display ----------------------------------------------------------------------------------

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("level", "trained", "best", "mean", "rank correlation"):
            table.add_column(name, justify="right" if name != "level" else "left")
        for level, trials in sorted(self._levels.items()):
            expected = self._expected.get(level)
            table.add_row(
                str(level or "all"),
                f"{len(trials)}" + (f"/{expected}" if expected else ""),
                self._best_of(level),
                self._mean_of(level),
                self._rho(level),
            )
        best = f"best so far {value_text(self._best)} (trial {self._best.number})" if self._best else ""
        table.caption = "  ".join(t for t in (best, f"{self._failed} failed" if self._failed else "") if t)
        table.caption_justify = "left"
        return table

    def _best_of(self, level: int) -> str:
        scored = [t for t in self._levels[level] if t.score is not None]
        return value_text(max(scored, key=lambda t: t.score or 0.0, default=None))

    def _mean_of(self, level: int) -> str:
        ended = [t.outcome for t in self._levels[level] if isinstance(t.outcome, Done)]
        if not ended:
            return "-"
        mean = sum(outcome.value for outcome in ended) / len(ended)
        # All trials of a search have one objective, hence one direction.
        return f"{mean:.4g}" if ended[0].minimize else percent(mean)

    def _rho(self, level: int) -> str:
        from cambrian.predictors.rank_correlation import spearman

        pairs = [
            (t.reason["predicted"], t.score)
            for t in self._levels[level]
            if t.score is not None and t.reason.get("predicted") is not None
        ]
        if len(pairs) < 5:  # of fewer, a rank correlation is mostly chance
            return "-"
        return f"{spearman([p for p, _ in pairs], [v for _, v in pairs]):+.2f}"

    def _time_left(self) -> str:
        task = self._progress.tasks[0]
        spent, ended = time.monotonic() - self._counted_from, task.completed - self._replayed
        if not task.total or ended < 5:  # the first ones include starting the workers
            return ""
        seconds = spent / ended * (task.total - task.completed)
        return f"about {seconds / 60:.0f} min left" if seconds > 90 else f"about {seconds:.0f} s left"

    def _line(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False)


def _describe_supernet(trial: Trial) -> str:
    """The line for a part of a supernet's training that has ended."""
    chunk, chunks = trial.reason.get("chunk", 1), trial.reason.get("chunks", 1)
    part = f", part {chunk} of {chunks}" if chunks != 1 else ""
    if not isinstance(trial.outcome, Done):
        return f"supernet{part}: {describe_failure(trial)}"
    epochs, mean = trial.fidelity.epochs, value_text(trial)
    return f"supernet{part}: {epochs} epoch{'s' if epochs > 1 else ''}; its children have {mean} on average"
