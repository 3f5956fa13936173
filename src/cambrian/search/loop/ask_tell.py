"""ask and tell: the search proposes trials, the caller evaluates them."""

from __future__ import annotations

import time

import msgspec

from cambrian.codec import decode, encode
from cambrian.errors import UsageError
from cambrian.outcome import Crashed, Done, Infeasible, Outcome, Trial, outcome_of, set_direction
from cambrian.request import Stop, Wait
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.rows import Row
from cambrian.search.loop.coordinator import Coordinator
from cambrian.search.loop.epochs import PaidEpochs
from cambrian.search.planning.budget import Budget


class Conversation:
    """ask and tell over a coordinator. Trials that an earlier session asked and that were never told are
    asked again."""

    def __init__(self, coordinator: Coordinator, ledger: Ledger, budget: Budget) -> None:
        self.coordinator, self.ledger, self.budget = coordinator, ledger, budget
        rows = [r for r in ledger.rows() if not r.final]
        self._out: dict[int, Row] = {r.trial.number: r for r in rows if r.state == "running"}
        self._again = list(self._out.values())
        self._paid = PaidEpochs(coordinator.trials)
        # The budget's seconds go on where the last session stopped; the time between sessions does not count.
        self._began = time.monotonic() - max((r.elapsed or 0.0 for r in rows), default=0.0)

    def ask(self) -> Trial | None:
        if self._again:
            return self._again.pop(0).trial
        while not self._is_spent():
            row = self.coordinator.next()
            if isinstance(row, Stop):
                return None
            if isinstance(row, Wait):
                out = sorted(self._out)
                raise UsageError(f"tell trials {out} first: the next one cannot be known before")
            # The ledger first: a kill between the two leaves a row that is asked again, never one unrecorded.
            self.ledger.record(claimed=[row])
            self.coordinator.claim(row)
            if row.state == "running":
                self._out[row.trial.number] = row
                return row.trial
        return None

    def tell(self, number: int, value: object) -> None:
        if number not in self._out:
            raise UsageError(f"trial {number} is not out: out are {sorted(self._out)}")
        # `tell` takes values in the user's own sign; the outcome remembers which way is better.
        minimize = self.coordinator.means[self._out[number].trial.estimator].minimize
        outcome = set_direction(_outcome(number, value), minimize)
        learned = self.coordinator.finish(number, outcome)
        ended = (number, self._out[number].attempt, outcome, self._seconds_elapsed())
        self.ledger.record([ended], learned=learned)
        del self._out[number]
        # A trial of an earlier session may be told without being asked again.
        self._again = [row for row in self._again if row.trial.number != number]

    def _is_spent(self) -> bool:
        trials, seconds, epochs = self.budget.trials, self.budget.seconds, self.budget.most_epochs
        if epochs is not None and self._paid.count() >= epochs:
            return True
        return (trials is not None and len(self.coordinator.trials) >= trials) or (
            seconds is not None and self._seconds_elapsed() >= seconds
        )

    def _seconds_elapsed(self) -> float:
        return time.monotonic() - self._began


def _outcome(number: int, value: object) -> Outcome:
    """The outcome that was told. Raises UsageError for one that JSON cannot hold."""
    if not isinstance(value, Done | Infeasible | Crashed):
        return outcome_of(value)
    # Through JSON and back: a strategy learns the same value now as in a run that is resumed.
    try:
        outcome: Outcome = decode(encode(value), Outcome)
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise UsageError(f"what trial {number} was told cannot be kept as JSON: {error}") from None
    return outcome
