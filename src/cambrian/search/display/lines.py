"""The progress of a search as plain lines, for whoever has no terminal: a script, a notebook, a pipe, a log.

A line is a whole sentence and moves no cursor, so that a log of it can be read."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Mapping

from cambrian.outcome import Point, Trial
from cambrian.search.display.failures import failure_text
from cambrian.search.display.lengths import describe_length
from cambrian.search.display.tally import Tally, describe_supernet, percent, value_text
from cambrian.search.loop.watch import Watch

PAUSE = 10.0
"""Seconds at least between two lines about trials: short trials share one."""
LONG = 60.0
"""Seconds without any line, after which a training under way says how far it is."""


class LineWatch(Watch):
    """A `Watch` that gives lines to `write`. `expected` maps levels to their trials; warnings go to `warn`,
    or are Python's own; `shares` names the estimators whose values are shares (see `find_shares`)."""

    def __init__(
        self,
        write: Callable[[str], object],
        expected: Mapping[int, int] | None = None,
        warn: Callable[[str], object] | None = None,
        shares: Collection[str] = (),
    ) -> None:
        self._write, self._warn, self._shares = write, warn, shares
        self._expected = dict(expected or {})
        self._total = sum(self._expected.values()) or None
        self._tally = Tally(shares)
        self._stage, self._replaying = "search", True
        self._recommended: Trial | None = None
        self._last = self._began = time.monotonic()

    def on_warning(self, sentence: str) -> None:
        super().on_warning(sentence) if self._warn is None else self._warn(sentence)

    def on_stage(self, name: str, total: int | None) -> None:
        self._stage, self._replaying = name, True
        if name == "final":
            self._say(f"final stage: up to {total} network{'s' if total != 1 else ''}")
        elif total is not None:
            self._total = total

    def on_claim(self, trial: Trial) -> None:
        if self._replaying and self._tally.count and trial.kind != "final":
            self._say(f"  {self._count()} before this session, best {self._best()}")
        self._replaying = False

    def on_point(self, number: int, point: Point) -> None:
        self._replaying = False
        if time.monotonic() - self._last >= LONG:
            self._say(f"  {self._stage}: {_describe_point(number, point)}, {self._spent()}")

    def on_end(self, trial: Trial) -> None:
        if trial.kind == "final":
            self._say(f"  {trial.role}: {value_text(trial, self._shares, failure_text(trial))}")
            return
        if trial.kind == "supernet":  # its value is a mean over children: it competes with none of them
            self._say(describe_supernet(trial, self._shares))
            return
        level = self._tally.add(trial)
        # By the count, since trials of several workers may end out of order.
        if len(self._tally.levels[level]) == self._expected.get(level):
            self._say(self._tally.describe_level(level))
            if self._tally.is_first_failure(trial):
                self._say(f"  trial {trial.number}: {failure_text(trial)}")
        elif not self._replaying and (self._is_due() or self._tally.is_first_failure(trial)):
            self._say(f"  {self._describe(trial)}")

    def on_recommend(self, trial: Trial) -> None:
        self._recommended = trial

    def on_stop(self, reason: str) -> None:
        if self._stage == "search":
            best = self._name_trial(self._recommended or self._tally.best)
            self._say(f"search: {reason}; {self._count()}, best {best}")

    def _is_due(self) -> bool:
        return self._tally.count == 1 or time.monotonic() - self._last >= PAUSE

    def _describe(self, trial: Trial) -> str:
        of = f" ({self._tally.count} of {self._total})" if self._total else ""
        value = value_text(trial, self._shares, failure_text(trial))
        failed = f", {self._tally.failed} failed" if self._tally.failed else ""
        best = f", best {self._best()}" if self._tally.best is not trial else ", the best"
        return f"trial {trial.number}{of}: {value}{best}{failed}, {self._spent()}"

    def _count(self) -> str:
        count, failed = self._tally.count, self._tally.failed
        return f"{count} trial{'s' if count != 1 else ''}{f', {failed} failed' if failed else ''}"

    def _best(self) -> str:
        return self._name_trial(self._tally.best)

    def _name_trial(self, trial: Trial | None) -> str:
        return "none" if trial is None else f"{value_text(trial, self._shares)} (trial {trial.number})"

    def _spent(self) -> str:
        seconds = time.monotonic() - self._began
        return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"

    def _say(self, line: str) -> None:
        self._last = time.monotonic()
        self._write(line)


def print_line(line: str) -> None:
    """A line on standard error, as the command line prints progress: standard output is the program's own."""
    print(line, file=sys.stderr, flush=True)


def _describe_point(number: int, point: Point) -> str:
    scored = f", {percent(point.metrics['accuracy'])}" if "accuracy" in point.metrics else ""
    if not scored and "value" in point.metrics:  # of numbers to predict, or of several labels
        scored = f", {point.metrics['value']:.4g}"
    return f"number {number} after {describe_length(point)}{scored}"
