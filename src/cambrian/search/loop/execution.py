"""Carries out what a source proposes: claims rows, hands them to an engine, records what comes back.

Every decision is committed before it is acted on, so a kill at any instant leaves a ledger from which
the same run goes on. Finishing one trial shares a commit with claiming the next, unless it was dear:
then it is committed before anybody thinks about the next.
"""

from __future__ import annotations

import shutil
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec

from cambrian.errors import DiskRefused, RunError
from cambrian.outcome import Artifact, Crashed, Done, Infeasible, Outcome, Point, Trial, set_direction
from cambrian.request import Stop, Wait
from cambrian.search.engines.engine import Assignment, Engine, Report
from cambrian.search.ledger.ledger import Ledger, Row
from cambrian.search.ledger.store import Store
from cambrian.search.loop.deadlines import Deadlines, Endless
from cambrian.search.loop.final_stage import DELIVERED
from cambrian.weights import Weights

DEAR = 0.1
"""Seconds an evaluation took that are not to be lost while a strategy thinks."""


class Source(Protocol):
    """Where rows come from: the strategy's coordinator, or the final stage."""

    def next(self) -> Row | Wait | Stop: ...
    def claimed(self, row: Row) -> None: ...
    def finished(self, number: int, outcome: Outcome) -> dict[int, int]: ...
    def artifacts(self, trial: Trial) -> dict[str, Artifact]: ...
    def history(self, trial: Trial) -> tuple[Trial, ...]: ...
    def root(self, weights: Weights) -> Weights: ...


class Watch:
    """Told what happens while it happens; every method may be left as it is."""

    def warned(self, sentence: str) -> None:
        warnings.warn(sentence, stacklevel=2)

    def stage(self, name: str, total: int | None) -> None: ...
    def claimed(self, trial: Trial) -> None: ...
    def point(self, number: int, point: Point) -> None: ...
    def ended(self, trial: Trial) -> None: ...
    def stopped(self, reason: str) -> None: ...


class Execution:
    """`drive(source)` until it stops. `elapsed()` is the run's time over all its sessions."""

    def __init__(
        self,
        ledger: Ledger,
        engine: Engine,
        directory: Path | None,
        watch: Watch,
        *,
        attempts: int,
        elapsed: float,
        keeps: bool = False,
        minimize: bool = False,
    ) -> None:
        """`keeps` says that what trials leave behind may be asked for by later ones."""
        self.ledger, self.engine, self.directory, self.watch = ledger, engine, directory, watch
        self.store = None if directory is None else Store(directory)
        self.attempts, self.keeps, self.minimize = attempts, keeps, minimize
        self._began = time.monotonic() - elapsed
        self._running: dict[int, Row] = {}
        self._repeats: list[Trial] = []
        self._losses: Counter[int] = Counter()
        self._deadlines: Deadlines = Endless()
        self._stopping: set[int] = set()
        self._refused: str | None = None
        self._learned: dict[int, int] = {}  # places at which trials were learned, to be committed

    def elapsed(self) -> float:
        return time.monotonic() - self._began

    def drive(
        self,
        source: Source,
        unfinished: Sequence[Row],
        halt: Callable[[], str | None],
        deadlines: Deadlines | None = None,
    ) -> str:
        """Run `unfinished` rows once more, then what `source` gives, until it stops or `halt()` gives a
        reason; whatever runs by then is finished, as far as its deadline allows. Returns the reason."""
        self._deadlines = deadlines or Endless()
        queue = self._again(source, unfinished)
        try:
            return self._drive(source, queue, halt)
        except (KeyboardInterrupt, RunError):  # asked for, or the disk's: no evidence against the trials
            interrupted = [row.name for row in (*self._running.values(), *queue)]
            with suppress(RunError):  # the ledger's own is the one to tell
                self.ledger.note("interrupted", names=interrupted)
            raise

    def _drive(self, source: Source, queue: list[Row], halt: Callable[[], str | None]) -> str:
        reason = self._fill(source, [], queue, halt)
        while self._running or (reason is None):
            outcomes = self._collect(self.engine.wait(1.0), queue)
            self._stop_overdue()
            for row, outcome in outcomes:
                self._learned |= source.finished(row.trial.number, outcome)
            if self._refused or any(outcome.seconds >= DEAR for _, outcome in outcomes):
                self._record(outcomes)
                outcomes = []
            if self._refused:
                raise DiskRefused(f"{self._refused}. What was recorded is safe; when this is mended, resume")
            if reason is None:
                reason = self._fill(source, outcomes, queue, halt)
            else:
                self._advance(source, outcomes, queue)
        self.watch.stopped(reason)
        return reason

    def _again(self, source: Source, unfinished: Sequence[Row]) -> list[Row]:
        """Rows to be run once more. One that was begun so often, and never ended though nobody asked
        it to stop, has crashed: it may be what ends this process each time."""
        stops = Counter(n for _, _, value in self.ledger.events("interrupted") for n in value["names"])
        queue: list[Row] = []
        for row in unfinished:
            if row.attempt - stops[row.name] < self.attempts:
                queue.append(msgspec.structs.replace(row, attempt=row.attempt + 1))
                continue
            outcome = Crashed(
                f"begun {row.attempt} times and never ended: it may have ended the search itself"
            )
            self._learned |= source.finished(row.trial.number, outcome)
            self._record([(row, outcome)])
        if queue:
            self.ledger.record(again=[row.name for row in queue])
        self._advance(source, [], queue)
        return queue

    def _fill(
        self,
        source: Source,
        outcomes: list[tuple[Row, Outcome]],
        queue: list[Row],
        halt: Callable[[], str | None],
    ) -> str | None:
        """Claim rows for every free slot, in one commit with `outcomes`; a reason when it is over."""
        claimed: list[Row] = []
        reason = None
        while len(self._running) + len(queue) < self.engine.slots:
            reason = halt()
            row = Stop(reason) if reason is not None else source.next()
            if isinstance(row, Stop | Wait):
                reason = row.reason if isinstance(row, Stop) else None
                break
            source.claimed(row)
            claimed.append(row)
            if row.state == "running":
                queue.append(row)
        self._advance(source, outcomes, queue, claimed)
        if not self._running and not claimed and reason is None:
            raise RunError("the search waits though nothing is running: this is a mistake in cambrian")
        return reason

    def _advance(
        self,
        source: Source,
        outcomes: list[tuple[Row, Outcome]],
        queue: list[Row],
        claimed: Sequence[Row] = (),
    ) -> None:
        """One commit of all that is new, then the queue into free slots."""
        self._record(outcomes, claimed)
        for row in claimed:
            self.watch.claimed(row.trial)
            if row.trial.cached is not None:
                self._repeat(row.trial)
        while queue and len(self._running) < self.engine.slots:
            self._submit(source, queue.pop(0))

    def _record(self, outcomes: list[tuple[Row, Outcome]], claimed: Sequence[Row] = ()) -> None:
        """Commit, then clean up after what has ended and tell of it."""
        finished = [(row.name, row.attempt, outcome, self.elapsed()) for row, outcome in outcomes]
        if finished or claimed:
            learned, self._learned = self._learned, {}
            self.ledger.record(finished, claimed, learned=learned)
        for row, outcome in outcomes:
            self._clean(row)
            self._announce_end(row.trial, outcome)

    def _announce_end(self, trial: Trial, outcome: Outcome) -> None:
        """A repeat ends with what it repeats."""
        self.watch.ended(msgspec.structs.replace(trial, outcome=outcome))
        for repeat in [t for t in self._repeats if t.cached == trial.number]:
            self._repeats.remove(repeat)
            self.watch.ended(msgspec.structs.replace(repeat, outcome=outcome))

    def _repeat(self, trial: Trial) -> None:
        self.watch.ended(trial) if trial.outcome is not None else self._repeats.append(trial)

    def _submit(self, source: Source, row: Row) -> None:
        trial = msgspec.structs.replace(row.trial, outcome=None)
        self._running[trial.number] = row
        self.engine.submit(
            Assignment(
                trial=trial,
                attempt=row.attempt,
                stage="deliver" if trial.role.startswith(DELIVERED) else "search",
                keep=row.final or self.keeps,
                artifacts=source.artifacts(trial),
                history=source.history(trial),
                root=source.root(trial.weights),
                deadline=self._deadline(trial),
                shorten=row.final,
            )
        )

    def _collect(self, reports: Sequence[Report], queue: list[Row]) -> list[tuple[Row, Outcome]]:
        """Outcomes of running rows; lost ones go back into `queue` under their next attempt."""
        outcomes: list[tuple[Row, Outcome]] = []
        lost: list[Row] = []
        for report in reports:
            row = self._running.get(report.number)
            if row is None or row.attempt != report.attempt:
                continue
            if report.refused is not None:
                self._refused = report.refused  # its row stays as it is, to be run again
                continue
            if report.point is not None:
                self.watch.point(report.number, report.point)
            if not report.last:
                continue
            del self._running[report.number]
            if report.outcome is not None:
                outcomes.append((row, self._adopt(row, set_direction(report.outcome, self.minimize))))
                continue
            if self._late(row):
                outcomes += self._give_up(row)
                continue
            self._losses[report.number] += 1
            if self._losses[report.number] < self.attempts:
                lost.append(row)
            else:
                error = f"lost {self.attempts} times, the last time: {report.lost}"
                outcomes.append((row, Crashed(error)))
        if lost:
            self.ledger.record(again=[row.name for row in lost])
            queue += [msgspec.structs.replace(row, attempt=row.attempt + 1) for row in lost]
        return outcomes

    def _deadline(self, trial: Trial) -> float | None:
        """On the clock that an evaluation has too."""
        end = self._deadlines.of(trial)
        return None if end is None else self._began + end

    def _late(self, row: Row) -> bool:
        return row.trial.number in self._stopping or self._deadlines.overdue(row.trial, self.elapsed())

    def _stop_overdue(self) -> None:
        for number, row in self._running.items():
            if number not in self._stopping and self._late(row):
                self._stopping.add(number)
                self.engine.cancel(number)

    def _give_up(self, row: Row) -> list[tuple[Row, Outcome]]:
        """What was stopped at its deadline. A trial of the search stays as if it were under way, to be begun
        again should there be more time; of the final stage it is said that it was not ready."""
        self._stopping.discard(row.trial.number)
        if row.final:
            return [(row, Infeasible("timeout", "the budget was spent before it was ready"))]
        self.ledger.note("interrupted", names=[row.name])
        return []

    def _adopt(self, row: Row, outcome: Outcome) -> Outcome:
        """The outcome with what its evaluation left in the run directory, by hash."""
        draft = f"{row.name}-{row.attempt}"
        if self.store is None:
            return outcome
        if not isinstance(outcome, Done):
            self.store.discard(draft)
            return outcome
        artifacts = self.store.adopt(draft)
        return msgspec.structs.replace(outcome, artifacts=artifacts) if artifacts else outcome

    def _clean(self, row: Row) -> None:
        if self.directory is not None:
            shutil.rmtree(self.directory / "checkpoints" / row.name, ignore_errors=True)
