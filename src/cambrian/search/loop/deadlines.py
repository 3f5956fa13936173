"""Deadlines of trials and final trainings, in the run's seconds, where its budget is a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Protocol

from cambrian.outcome import Trial

AT_ANY_PRICE = 0.9
"""The search's share while too few trials have a value: without one there is nothing to choose."""
SUPERNETS = 2 / 3
"""The part of the search's share in which supernets are trained; the rest is for the choice among their
children, without which their training was in vain."""
ENOUGH = 0.9
"""The part of its time for which a training whose length is its time is begun: at the deadline it is scored
with what it has learned."""
PATIENCE = 5.0
"""Seconds beyond its deadline that a training which ends by itself may take to be scored."""
LEAST = 3.0
"""Seconds for which the winner is trained, however late it is."""


class Deadlines(Protocol):
    """`of(trial)` is the deadline of a trial, None where it has none; `overdue` says whether it is to be
    stopped from outside."""

    def of(self, trial: Trial) -> float | None: ...
    def overdue(self, trial: Trial, elapsed: float) -> bool: ...


class Endless:
    """No budget of time."""

    def of(self, trial: Trial) -> float | None:
        return None

    def overdue(self, trial: Trial, elapsed: float) -> bool:
        return False


@dataclass
class SearchDeadlines:
    """`seconds` are for the whole run, of which `final` is the final stage's share (0: there is none). A
    trial that is running at the search's end is stopped, and counts as never begun; one whose fidelity is
    seconds of training ends by itself, and is scored with what it has learned; so does a supernet's training
    at its own end. The search `began` after so many seconds of planning. It goes on into the final stage's
    share until `fewest` trials have a value."""

    seconds: float
    trials: Callable[[], Sequence[Trial]]
    final: float
    fewest: int = 1
    began: float = 0.0

    def end(self) -> float:
        if not self.final:
            return self.seconds
        # The end moves: the last of the fewest trials brings it forward to the usual share. A supernet's
        # value is a mean over its children, and chooses none of them.
        valued = sum(trial.value is not None and trial.kind != "supernet" for trial in self.trials())
        return self._find_usual_end() if valued >= self.fewest else self.seconds * AT_ANY_PRICE

    def of(self, trial: Trial) -> float | None:
        if trial.kind != "supernet":
            return self.end()
        return self.began + SUPERNETS * (self._find_usual_end() - self.began)

    def _find_usual_end(self) -> float:
        return self.seconds - self.seconds * self.final

    def overdue(self, trial: Trial, elapsed: float) -> bool:
        return elapsed >= self.end() + (PATIENCE if trial.fidelity.seconds is not None else 0.0)

    def over(self, elapsed: float) -> bool:
        """Whether a trial that takes as long as the last ones would end too late; of those whose length is
        their time, nine tenths do."""
        # The last eight, since later levels and rungs take longer; their median, since one may have hung.
        # A supernet's training says nothing of the time that its children take.
        ended = [t for t in self.trials() if t.cached is None and t.kind != "supernet"]
        lasted = [
            t.outcome.seconds * (1.0 if t.fidelity.seconds is None else ENOUGH)
            for t in ended
            if t.outcome is not None
        ]
        return elapsed + (median(lasted[-8:]) if lasted else 0.0) >= self.end()


@dataclass
class FinalDeadlines:
    """The final stage `began` after so many seconds, and ends after `seconds`. `each` is the expected seconds
    of a final training, None where they are unknown."""

    seconds: float
    began: float
    each: float | None
    _lasted: list[float] = field(default_factory=list)
    _winner_began: float = field(init=False)

    def __post_init__(self) -> None:
        self._winner_began = self.began

    @property
    def last(self) -> float:
        return max(self.seconds, self._winner_began + LEAST)

    def begin_winner(self, elapsed: float) -> None:
        """A winner is begun now: the first, or another in the place of one that failed."""
        self._winner_began = elapsed

    def learn(self, seconds: float) -> None:
        """Expect no less than a final training took."""
        self._lasted.append(seconds)
        # The longest, not the mean: a deadline missed costs the network, one kept early some seconds.
        self.each = max(self._lasted)

    def fits(self, role: str, elapsed: float) -> bool:
        """Whether a training of this role can begin; before the winner, its time is kept for it."""
        # A finalist must leave the time of a second training: the winner's, which follows it.
        trainings = 2 if role == "finalist" else 1
        return elapsed + trainings * (self.each or 0.0) < self.seconds

    def of(self, trial: Trial) -> float | None:
        if trial.role != "finalist":
            return self.last
        # At most half of what is left is kept for the winner, so that the finalists are trained at all.
        left = self.seconds - self.began
        return self.seconds - min(self.each or left / 2, left / 2)

    def overdue(self, trial: Trial, elapsed: float) -> bool:
        """The winner never is: a run ends with a network."""
        end = self.of(trial)
        return trial.role != "winner" and end is not None and elapsed >= end + PATIENCE


def extend_final(seconds: float, share: float, now: float) -> float:
    """The end of a final stage that begins `now` with another network than the one that the budget of
    `seconds` was spent on: where too little of its share is left, a whole one from now on.

    >>> extend_final(18.0, 1 / 3, 18.0), extend_final(18.0, 1 / 3, 12.0)
    (24.0, 18.0)
    """
    return seconds if seconds - now >= ENOUGH * share * seconds else now + share * seconds


def expect_final_seconds(speed: Mapping[str, Any] | None, trials: Sequence[Trial]) -> float | None:
    """The expected seconds of a final training: those planned, times the ratio of the seconds that the
    search's trials took to those planned for them. `speed` is a plan's: seconds of a "trial" by its level,
    and of a "final" training."""
    if not speed:
        return None
    # Repeats took no time, and trials without a value may have ended before their training did.
    ended = [t for t in trials if t.value is not None and t.cached is None and t.outcome is not None]
    planned = sum(float(speed["trial"].get(str(t.reason.get("level", 1)), 0.0)) for t in ended)
    took = sum(t.outcome.seconds for t in ended if t.outcome is not None)
    return float(speed["final"]) * (took / planned if planned > 0 else 1.0)
