"""The end of a search by its budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cambrian.outcome import Trial
from cambrian.search.loop.deadlines import SearchDeadlines
from cambrian.search.loop.epochs import PaidEpochs
from cambrian.search.planning.budget import Budget


class Halt:
    """Called, it says why no further trial is begun, or None while the `budget` lasts for another one beside
    the `trials` so far. `stopped` is the reason for which the search had ended before under the same budget,
    if it had: what is left of its time is the final stage's."""

    def __init__(
        self,
        budget: Budget,
        trials: Sequence[Trial],
        paid: PaidEpochs,
        deadlines: SearchDeadlines | None,
        read_clock: Callable[[], float],
        stopped: str | None = None,
    ) -> None:
        self._budget, self._trials, self._paid = budget, trials, paid
        self._deadlines, self._read_clock = deadlines, read_clock
        self._ended = stopped

    def __call__(self) -> str | None:
        budget = self._budget
        if budget.most_epochs is not None and self._paid.count() >= budget.most_epochs:
            return f"the budget of {budget.most_epochs:,.15g} epochs is spent"
        if budget.trials is not None and len(self._trials) >= budget.trials:
            return f"the budget of {Budget(budget.trials)} is spent"
        if self._ended is None and self._is_late():
            # The final stage has a part of the time, and is still to come.
            part = "the search's part of " if self._deadlines is not None and self._deadlines.final else ""
            # For good: a trial that ends sooner than forecast does not bring the search back.
            self._ended = f"{part}the budget of {budget} is spent"
        return self._ended

    def _is_late(self) -> bool:
        # The first trial is begun however late it is: its network is delivered where none is measured.
        return bool(self._trials) and self._deadlines is not None and self._deadlines.over(self._read_clock())
