"""ask and tell: the search proposes trials, the caller evaluates them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from cambrian.codec import decode, encode
from cambrian.errors import RunError, UsageError
from cambrian.estimators.function_calls import split_metrics
from cambrian.options import shorten
from cambrian.outcome import Crashed, Done, Infeasible, Outcome, Trial, outcome_of, set_direction
from cambrian.request import Stop, Wait
from cambrian.search.engines.evaluation import LARGEST
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.rows import Row, read_spent
from cambrian.search.loop.answers import name_strategy
from cambrian.search.loop.coordinator import Coordinator
from cambrian.search.loop.epochs import PaidEpochs
from cambrian.search.planning.budget import Budget

if TYPE_CHECKING:
    from cambrian.tasks.task import Task


class Conversation:
    """ask and tell over a coordinator. Trials that an earlier session asked and that were never told are
    asked again. `estimators` by name and the `task` say which of several metrics is the value."""

    def __init__(
        self,
        coordinator: Coordinator,
        ledger: Ledger,
        budget: Budget,
        estimators: Mapping[str, Any],
        task: Task | None,
    ) -> None:
        self.coordinator, self.ledger, self.budget = coordinator, ledger, budget
        self.estimators, self.task = estimators, task
        rows = [r for r in ledger.rows() if not r.final]
        self._out: dict[int, Row] = {r.trial.number: r for r in rows if r.state == "running"}
        self._again = list(self._out.values())
        self._told: list[tuple[int, int, Outcome, float]] = []  # to be committed
        self._learned: dict[int, int] = {}  # the places at which trials were learned, to be committed
        # The caller trains, and tells how long: the estimators' recipes are none of its.
        self._paid = PaidEpochs(coordinator.trials, {})
        # The budget's seconds go on where the last session stopped; the time between sessions does not count.
        self._began = time.monotonic() - read_spent(rows, ledger.facts())

    def ask(self) -> Trial | None:
        if self._again:
            return self._again.pop(0).trial
        while not self._is_spent():
            row = self.coordinator.next()
            if isinstance(row, Stop):
                if self.coordinator.breaker.tripped:
                    self._refuse_failing(row.reason)
                return None
            if isinstance(row, Wait):
                raise UsageError(self._explain_wait())
            # The ledger first: a kill between the two leaves a row that is asked again, never one unrecorded.
            self._record([row])
            self.coordinator.claim(row)
            if row.state == "running":
                self._out[row.trial.number] = row
                return row.trial
        return None

    def tell(self, number: int, value: object) -> None:
        """Where the ledger does not take it, as on a full disk, the outcome goes into its next commit: when
        the trial is told once more, another one is asked, or at the end."""
        if number in self._out:
            self._finish(number, value)
        elif all(name != number for name, *_ in self._told):
            raise UsageError(f"trial {number} is not out: out are {sorted(self._out)}")
        self._record()

    def _finish(self, number: int, value: object) -> None:
        # `tell` takes values in the user's own sign; the outcome remembers which way is better.
        trial = self._out[number].trial
        minimize = self.coordinator.means[trial.estimator].minimize
        outcome = set_direction(self._read(trial, value), minimize)
        self._learned |= self.coordinator.finish(number, outcome)
        self._told.append((number, self._out.pop(number).attempt, outcome, self._seconds_elapsed()))
        # A trial of an earlier session may be told without being asked again.
        self._again = [row for row in self._again if row.trial.number != number]

    def _record(self, claimed: Sequence[Row] = ()) -> None:
        """Commit what was told, new rows, and the clock: together, so that the ledger never has a row without
        the outcomes that its proposal knew."""
        self.ledger.record(self._told, claimed, learned=self._learned, clock=self._seconds_elapsed())
        self._told, self._learned = [], {}

    def close(self) -> None:
        """Note the seconds since the last trial was asked or told."""
        self._record()

    def _refuse_failing(self, reason: str) -> NoReturn:
        """Note that every trial was told to have crashed alike, and raise RunError: None would say that the
        search has ended. Who asks there once more, in a new session, has mended it."""
        after = len(self.coordinator.trials)
        self.ledger.note("stop", reason=reason, after=after, budget=self.budget, failing=True)
        raise RunError(f"the search was stopped: {reason}. Mend that, then close() this search and ask again")

    def _is_spent(self) -> bool:
        trials, seconds, epochs = self.budget.trials, self.budget.seconds, self.budget.most_epochs
        if epochs is not None and self._paid.count() >= epochs:
            return True
        return (trials is not None and len(self.coordinator.trials) >= trials) or (
            seconds is not None and self._seconds_elapsed() >= seconds
        )

    def _seconds_elapsed(self) -> float:
        return time.monotonic() - self._began

    def _explain_wait(self) -> str:
        """What is to be told before the next trial can be known, and how more may be out at once."""
        order, out = self.coordinator.order, sorted(self._out)
        if not order.is_due():  # a larger lag would not help
            return f"tell trials {out} first: {name_strategy(self.coordinator.strategy)} waits for them"
        return (
            f"tell trial {out[0]} first: with lag={order.lag} trial {len(order.trials)} is proposed knowing"
            f" that one; for more trials out at once begin a search with Search(..., lag={order.lag + 3})"
        )

    def _read(self, trial: Trial, value: object) -> Outcome:
        """The outcome that was told: a number, a dictionary of metrics as an estimator's, or an outcome.
        Raises UsageError for anything else, and for what JSON cannot hold."""
        said = f"trial {trial.number} was told"
        if isinstance(value, Done | Infeasible | Crashed):
            outcome: Outcome = value
        else:
            number: object = value
            metrics: dict[str, float] = {}
            if isinstance(value, Mapping):
                estimator, objectives = self.estimators[trial.estimator], self.coordinator.problem.objectives
                number, metrics = split_metrics(value, estimator, objectives, self.task, said)
            outcome = outcome_of(number, metrics=metrics)
            # Of an estimator that is a crash; here the caller is told, and may yet tell the value.
            if isinstance(outcome, Crashed):
                raise UsageError(
                    f"{said} {shorten(value)}, expected a number, a dictionary of metrics, or an outcome,"
                    " as Crashed('why') for a trial that failed"
                )
        # Through JSON and back: a strategy learns the same value now as in a run that is resumed.
        try:
            data = encode(outcome)
            if len(data) > LARGEST:  # it would be refused with each commit from now on
                raise ValueError(f"it has {len(data):,} bytes, at most {LARGEST:,}")
            plain: Outcome = decode(data, Outcome)
        except (msgspec.MsgspecError, TypeError, ValueError) as error:
            raise UsageError(f"what {said} cannot be kept as JSON: {error}") from None
        return plain
