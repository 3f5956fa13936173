"""Execution of a source's rows: they are claimed, handed to an engine, and their outcomes recorded.

Every decision is committed before it is acted on, so a kill at any instant leaves a ledger from which
the same run goes on. Finishing one trial shares a commit with claiming the next, unless it took long:
then it is committed before the strategy thinks about the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from cambrian.errors import DiskRefused, RunError
from cambrian.outcome import Infeasible, Outcome, Trial, set_direction
from cambrian.request import Stop, Wait
from cambrian.search.engines.engine import Assignment, Engine, Report
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.rows import Row
from cambrian.search.ledger.store import ROOM
from cambrian.search.loop.attempts import Attempts
from cambrian.search.loop.deadlines import Deadlines, Endless, measure_seconds
from cambrian.search.loop.final import DELIVERED
from cambrian.search.loop.source import Source
from cambrian.search.loop.trial_files import TrialFiles
from cambrian.search.loop.watch import Watch

BEAT = 10.0
"""Seconds of work after which the run's clock is noted, so that a kill gives no more than these back to a
budget of time: the last training of a race is most of it."""
DEAR = 0.1
"""Seconds from which an evaluation is committed at once, so that a kill while the strategy thinks does not
lose it; a shorter one is cheaper to repeat than a second commit, which flushes the disk."""


class Execution:
    """`drive(source)` until it stops. `read_clock()` is the run's time over all its sessions."""

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
        room: int = ROOM,
        directions: Mapping[str, bool],
    ) -> None:
        """`elapsed` are the seconds of earlier sessions; with `keeps`, later trials may ask for the artifacts
        of earlier ones, of which `room` bytes are kept. `directions` say whether lower values are better, by
        the estimators' names."""
        self.ledger, self.engine, self.watch = ledger, engine, watch
        self.files = TrialFiles(directory, room, keeps)
        self.attempts, self.directions = Attempts(ledger, attempts), directions
        self._began = time.monotonic() - elapsed
        self._running: dict[int, Row] = {}
        self._unrecorded: list[Row] = []  # that have ended, and whose outcomes are still to be committed
        self._halted = False  # whether it was `halt` that gave the reason to stop
        self._submitted: dict[int, float] = {}  # when, by the run's clock
        self._repeats: list[Trial] = []
        self._deadlines: Deadlines = Endless()
        self._stopping: set[str] = set()  # names, since trials and finals have the same numbers
        self._refused: str | None = None
        self._noted = time.monotonic()
        self._learned: dict[int, int] = {}  # places at which trials were learned, to be committed

    def read_clock(self) -> float:
        return time.monotonic() - self._began

    def drive(
        self,
        source: Source,
        unfinished: Sequence[Row],
        halt: Callable[[], str | None],
        deadlines: Deadlines | None = None,
    ) -> str:
        """Run `unfinished` rows once more, then the rows of `source`, until it stops or `halt()` gives a
        reason; trials that run by then are finished, as far as their deadlines allow. Returns the reason."""
        self._deadlines = deadlines or Endless()
        queue: list[Row] = []
        try:
            self._begin_again(source, unfinished, queue)
            return self._drive(source, queue, halt)
        except BaseException:  # asked for, the disk's, the strategy's: no evidence against the trials
            with suppress(RunError):  # the ledger's own is the one to tell
                self.attempts.forgive((*self._running.values(), *queue, *self._unrecorded))
            raise
        finally:
            with suppress(RunError):
                self.ledger.note_clock(self.read_clock())

    def drop(self, source: Source, unfinished: Sequence[Row], why: str) -> None:
        """Give up rows of earlier sessions, which is no evidence against their networks."""
        for row in unfinished:
            outcome = Infeasible("timeout", why)
            source.finish(row.trial.number, outcome)
            self._record([(row, outcome)])

    def _drive(self, source: Source, queue: list[Row], halt: Callable[[], str | None]) -> str:
        reason = self._fill(source, [], queue, halt)
        # Once there is a reason to stop, nothing is claimed any more and the loop drains what runs.
        while self._running or (reason is None):
            outcomes = self._collect(self.engine.wait(1.0), queue)
            self._unrecorded = [row for row, _ in outcomes]
            self._stop_overdue()
            if time.monotonic() - self._noted >= BEAT:
                self.ledger.note_clock(self.read_clock())
                self._noted = time.monotonic()
            # The source knows all outcomes of this round before it proposes: proposals are the same then.
            for row, outcome in outcomes:
                self._learned |= source.finish(row.trial.number, outcome)
            took = [self._learn_seconds(row.trial, outcome) for row, outcome in outcomes]
            if self._refused or any(seconds >= DEAR for seconds in took):
                self._record(outcomes)
                outcomes = []
            if self._refused:
                raise DiskRefused(f"{self._refused}. What was recorded is safe; when this is mended, resume")
            if self.files.is_sweep_due():
                self.files.sweep(source, self.ledger)
            # A trial that fails has paid for fewer epochs than it was counted with while it ran: the budget
            # bears another one then, as it does on one worker, where none is begun before the last has ended.
            if reason is None or (self._halted and halt() is None):
                reason = self._fill(source, outcomes, queue, halt)
            else:
                self._advance(source, outcomes, queue)
        self.files.sweep(source, self.ledger)
        return reason

    def _learn_seconds(self, trial: Trial, outcome: Outcome) -> float:
        """Let the deadlines learn the seconds that an evaluation took, and return these."""
        ended = msgspec.structs.replace(trial, outcome=outcome)
        seconds = measure_seconds(ended, self.read_clock() - self._submitted.pop(trial.number))
        self._deadlines.learn(ended, seconds)
        return seconds

    def _begin_again(self, source: Source, unfinished: Sequence[Row], queue: list[Row]) -> None:
        """Run rows of an earlier session once more; those beyond the free slots go into `queue`."""
        renewed, crashed = self.attempts.take_up(unfinished)
        for row, outcome in crashed:
            self._learned |= source.finish(row.trial.number, outcome)
            self._record([(row, outcome)])
        queue += renewed
        self._advance(source, [], queue)

    def _fill(
        self,
        source: Source,
        outcomes: list[tuple[Row, Outcome]],
        queue: list[Row],
        halt: Callable[[], str | None],
    ) -> str | None:
        """Claim rows for every free slot, in one commit with `outcomes`; returns the reason to stop, if
        any."""
        claimed: list[Row] = []
        reason = None
        while len(self._running) + len(queue) < self.engine.slots:
            reason = halt()
            self._halted = reason is not None
            row = Stop(reason) if reason is not None else source.next()
            if isinstance(row, Stop | Wait):
                reason = row.reason if isinstance(row, Stop) else None
                break
            source.claim(row)
            # Cached rows need no slot, so the loop may claim any number of them in this commit.
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
        """Commit all that is new, then submit the queue to free slots: never an evaluation without its
        row."""
        self._record(outcomes, claimed)
        for row in claimed:
            self.watch.on_claim(row.trial)
            if row.trial.cached is not None:
                self._repeat(row.trial)
        free = max(0, self.engine.slots - len(self._running))  # nodes may have gone
        self.attempts.begin(queue[:free])
        while queue and len(self._running) < self.engine.slots:
            self._submit(source, queue.pop(0))

    def _record(self, outcomes: list[tuple[Row, Outcome]], claimed: Sequence[Row] = ()) -> None:
        """Commit, then clean up after the rows that ended and announce them."""
        # Announced after the commit: the watch never shows an outcome that a kill could still take back.
        clock = self.read_clock()
        finished = [(row.name, row.attempt, outcome, clock) for row, outcome in outcomes]
        if finished or claimed:
            learned, self._learned = self._learned, {}
            self.ledger.record(finished, claimed, learned=learned, clock=clock)
            self._noted = time.monotonic()
        self._unrecorded = []
        for row, outcome in outcomes:
            self.files.clean(row)
            self._announce_end(row.trial, outcome)

    def _announce_end(self, trial: Trial, outcome: Outcome) -> None:
        """Announce the end of a trial, and of the repeats that waited for it."""
        self.watch.on_end(msgspec.structs.replace(trial, outcome=outcome))
        for repeat in [t for t in self._repeats if t.cached == trial.number]:
            self._repeats.remove(repeat)
            self.watch.on_end(msgspec.structs.replace(repeat, outcome=outcome))

    def _repeat(self, trial: Trial) -> None:
        self.watch.on_end(trial) if trial.outcome is not None else self._repeats.append(trial)

    def _submit(self, source: Source, row: Row) -> None:
        trial = msgspec.structs.replace(row.trial, outcome=None)
        self._running[trial.number] = row
        self._submitted[trial.number] = self.read_clock()
        self.engine.submit(
            Assignment(
                trial=trial,
                attempt=row.attempt,
                stage="deliver" if trial.role.startswith(DELIVERED) else "search",
                keep=row.final or self.files.keeps,
                artifacts=source.artifacts(trial),
                history=source.history(trial),
                root=source.root(trial.weights),
                begun=source.begun(trial.weights),
                deadline=self._deadline(trial),
                shorten=row.final or _ends_early(trial),
                threads=source.threads,
            )
        )

    def _collect(self, reports: Sequence[Report], queue: list[Row]) -> list[tuple[Row, Outcome]]:
        """Outcomes of running rows; lost ones go back into `queue` under their next attempt."""
        outcomes: list[tuple[Row, Outcome]] = []
        lost: list[Row] = []
        for report in reports:
            row = self._running.get(report.number)
            # A report of an earlier attempt, given up since: the ledger would refuse it too.
            if row is None or row.attempt != report.attempt:
                continue
            if report.refused is not None:
                self._refused = report.refused  # its row stays as it is, to be run again
                continue
            if report.point is not None:
                self.watch.on_point(report.number, report.point)
            if not report.last:
                continue
            if report.outcome is not None:
                try:
                    minimize = self.directions[row.trial.estimator]
                    outcome = self.files.adopt(row, set_direction(report.outcome, minimize))
                except DiskRefused as refusal:
                    self._refused = str(refusal)
                    continue
                del self._running[report.number]
                outcomes.append((row, outcome))
                continue
            del self._running[report.number]
            self.files.discard(row)
            # Stopped at its deadline, by us: that is no loss, and does not count as one.
            if self._late(row):
                outcomes += self._give_up(row)
                continue
            crashed = self.attempts.lose(row, str(report.lost))
            if crashed is None:
                lost.append(row)
            else:
                outcomes.append((row, crashed))
        # The next attempt is committed before it begins, so that a report of this one comes too late.
        if lost:
            self.ledger.record(again=[row.name for row in lost])
            queue += [msgspec.structs.replace(row, attempt=row.attempt + 1) for row in lost]
        return outcomes

    def _deadline(self, trial: Trial) -> float | None:
        """The deadline on the machine's monotonic clock, which an evaluation in another process reads too."""
        end = self._deadlines.of(trial)
        return None if end is None else self._began + end

    def _late(self, row: Row) -> bool:
        return row.name in self._stopping or self._deadlines.overdue(row.trial, self.read_clock())

    def _stop_overdue(self) -> None:
        """Cancel trials beyond their deadline, each once: the engine reports them as lost."""
        for number, row in self._running.items():
            if row.name not in self._stopping and self._late(row):
                self._stopping.add(row.name)
                self.engine.cancel(number)

    def _give_up(self, row: Row) -> list[tuple[Row, Outcome]]:
        """The outcome of a row that was stopped at its deadline. A trial of the search has none: it stays
        running in the ledger, to be begun again should there be more time. A final training is infeasible."""
        self._stopping.discard(row.name)
        if row.final:
            return [(row, Infeasible("timeout", "the budget was spent before it was ready"))]
        self.attempts.forgive([row])
        return []


def _ends_early(trial: Trial) -> bool:
    """Whether a training of the search keeps what it has learned at its deadline: one whose length is its
    time, and a supernet, whose children are scored in the time that is left."""
    return trial.fidelity.seconds is not None or trial.kind == "supernet"
