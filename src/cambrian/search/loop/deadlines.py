"""Deadlines of trials and final trainings, in the run's seconds, where its budget is a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Protocol

from cambrian.outcome import Done, Trial

AT_ANY_PRICE = 0.9
"""The search's share while too few trials have a value: without one there is nothing to choose."""
SUPERNETS = 2 / 3
"""The part of the search's share in which supernets are trained; the rest is for the choice among their
children, without which their training was in vain."""
WHOLE = 0.9
"""The share of a training from scratch that is worth more than a whole one on the training part alone
(RESULTS.md, Tables of features)."""
HANDED_OVER = 0.95
"""The search's share where the best network is handed over as it was trained."""
ENOUGH = 0.9
"""The part of its time for which a training whose length is its time is begun: at the deadline it is scored
with what it has learned."""
PATIENCE = 5.0
"""Seconds beyond its deadline that a training which ends by itself may take to be scored."""
LEAST = 3.0
"""Seconds for which the winner is trained, however late it is."""


class Deadlines(Protocol):
    """`of(trial)` is the deadline of a trial, None where it has none; `overdue` says whether it is to be
    stopped from outside; `learn` is told of one that has ended, and of the seconds that it took (see
    `measure_seconds`)."""

    def of(self, trial: Trial) -> float | None: ...
    def overdue(self, trial: Trial, elapsed: float) -> bool: ...
    def learn(self, trial: Trial, seconds: float) -> None: ...


def measure_seconds(trial: Trial, at_most: float) -> float:
    """The seconds that a trial took, which had so many by the clock: those that its outcome says, of which a
    table's are of another machine, and no part of a budget of time."""
    return 0.0 if trial.outcome is None else max(0.0, min(trial.outcome.seconds, at_most))


class Endless:
    """No budget of time."""

    def of(self, trial: Trial) -> float | None:
        return None

    def overdue(self, trial: Trial, elapsed: float) -> bool:
        return False

    def learn(self, trial: Trial, seconds: float) -> None:
        """Nothing is forecast."""


@dataclass
class SearchDeadlines:
    """`seconds` are for the whole run, of which `final` is the final stage's share (0: there is none). A
    trial that is running at the search's end is stopped, and counts as never begun; one whose fidelity is
    seconds of training ends by itself, and is scored with what it has learned; so does a supernet's training
    at its own end. The search `began` after so many seconds of planning. It goes on into the final stage's
    share until `fewest` trials have a value, and where that share is too short to train the best network so
    far anew, which takes as many seconds as `retraining` says: it is then handed over as it is."""

    seconds: float
    trials: Callable[[], Sequence[Trial]]
    final: float
    fewest: int = 1
    began: float = 0.0
    retraining: Callable[[], float] = lambda: 0.0
    _lasted: list[float] = field(default_factory=list)

    def end(self) -> float:
        if not self.final:
            return self.seconds
        # The end moves: the last of the fewest trials brings it forward to the usual share. A supernet's
        # value is a mean over its children, and chooses none of them.
        valued = sum(trial.value is not None and trial.kind != "supernet" for trial in self.trials())
        if valued < self.fewest:
            return self.seconds * AT_ANY_PRICE
        late = self.retraining() * WHOLE > self.seconds * self.final
        return max(self._find_usual_end(), self.seconds * HANDED_OVER) if late else self._find_usual_end()

    def of(self, trial: Trial) -> float | None:
        if trial.kind != "supernet":
            return self.end()
        return self.began + SUPERNETS * (self._find_usual_end() - self.began)

    def _find_usual_end(self) -> float:
        return self.seconds - self.seconds * self.final

    def overdue(self, trial: Trial, elapsed: float) -> bool:
        return elapsed >= self.end() + (PATIENCE if trial.fidelity.seconds is not None else 0.0)

    def learn(self, trial: Trial, seconds: float) -> None:
        # A supernet's training says nothing of the time that its children take.
        if trial.kind != "supernet":
            self._lasted.append(seconds * (1.0 if trial.fidelity.seconds is None else ENOUGH))

    def over(self, elapsed: float) -> bool:
        """Whether a trial that takes as long as the last ones would end too late; of those whose length is
        their time, nine tenths do."""
        # The last eight, since later levels and rungs take longer; their median, since one may have hung.
        return elapsed + (median(self._lasted[-8:]) if self._lasted else 0.0) >= self.end()


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

    def learn(self, trial: Trial, seconds: float) -> None:
        """Expect no less than a final training took."""
        if not isinstance(trial.outcome, Done):
            return
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
    `seconds` was spent on: where less than half of its share is left, a whole one from now on.

    >>> extend_final(18.0, 1 / 3, 18.0), extend_final(18.0, 1 / 3, 14.0)
    (24.0, 18.0)
    """
    return seconds if seconds - now >= share * seconds / 2 else now + share * seconds


def expect_final_seconds(
    speed: Mapping[str, Any] | None, trials: Sequence[tuple[Trial, float]]
) -> float | None:
    """The expected seconds of a final training: those planned, times the ratio of the seconds that the
    search's `trials` took to those planned for them. `speed` is a plan's: seconds of a "trial" by its level,
    and of a "final" training."""
    if not speed:
        return None
    # Repeats took no time, and trials without a value may have ended before their training did.
    ended = [(t, seconds) for t, seconds in trials if t.value is not None and t.cached is None]
    planned = sum(float(speed["trial"].get(str(t.reason.get("level", 1)), 0.0)) for t, _ in ended)
    took = sum(seconds for _, seconds in ended)
    return float(speed["final"]) * (took / planned if planned > 0 else 1.0)
