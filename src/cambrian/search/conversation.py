"""ask and tell: the search decides, the evaluating is yours."""

from __future__ import annotations

from typing import Any

import msgspec

from cambrian.errors import UsageError
from cambrian.outcome import Trial, measured
from cambrian.search.budget import Budget
from cambrian.search.coordinator import Coordinator
from cambrian.search.ledger import Ledger, Row
from cambrian.strategies.strategy import Stop, Wait


class Conversation:
    """ask and tell over a coordinator."""

    def __init__(self, coordinator: Coordinator, ledger: Ledger, budget: Budget) -> None:
        self.coordinator, self.ledger, self.budget = coordinator, ledger, budget
        self._out: dict[int, Row] = {r.trial.number: r for r in ledger.rows() if r.state == "running"}
        self._again = list(self._out.values())

    def ask(self) -> Trial | None:
        if self._again:
            return self._again.pop(0).trial
        while self.budget.trials is None or len(self.coordinator.trials) < self.budget.trials:
            row = self.coordinator.next()
            if isinstance(row, Stop):
                return None
            if isinstance(row, Wait):
                out = sorted(self._out)
                raise UsageError(f"tell trials {out} first: the next one cannot be known before")
            self.ledger.record(claimed=[row])
            self.coordinator.claimed(row)
            if row.state == "running":
                self._out[row.trial.number] = row
                return row.trial
        return None

    def tell(self, number: int, value: object) -> None:
        if number not in self._out:
            raise UsageError(f"trial {number} is not out: out are {sorted(self._out)}")
        outcome: Any = value if isinstance(value, msgspec.Struct) else measured(value)
        row = self._out.pop(number)
        self.ledger.record([(number, row.attempt, outcome, 0.0)])
        self.coordinator.finished(number, outcome)
