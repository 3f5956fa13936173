"""The prices of the parts of a search by a supernet, in seconds of this machine, and the time that is left
for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cambrian.search.loop.deadlines import SUPERNETS
from cambrian.search.parts.compatibility import learns_gates
from cambrian.search.planning.supernet.speed import Measured
from cambrian.strategies.inner import find_trait
from cambrian.strategies.strategy import Strategy

if TYPE_CHECKING:
    from cambrian.estimators.one_shot import OneShot

SUPERNET, SCORES = 0.4, 0.2
"""Shares of the time; the rest is for the final stage. Planning and starting take their time from both, as
a search's deadlines do."""
FINAL = round(1 - SUPERNET - SCORES, 4)
"""That rest."""
USED = 0.85
"""The part of a share that is planned: the rest is for a machine that has become slower."""
CHUNKS = 8
"""Parts of a supernet's training, each of which leaves weights to go on from."""
AROUND = 0.1
"""The share of a supernet's time that may go by around its parts."""
ANSWERED = 0.25
"""That share where a collapse is answered between two parts: what is taken back is shorter by it."""
LEAST_STEPS, FEWEST = 20, 10
"""The steps and children below which a supernet chooses nothing."""


@dataclass(frozen=True)
class Prices:
    """The seconds of the parts of a search by a supernet: of `each` of its epochs, of a `chunk` beside its
    epochs, of a `child`, of the workers' `start`, of a `step`, and of a training's `extra` work. `gates`: no
    children are scored, but one is derived and trained alone."""

    each: float
    chunk: float
    child: float
    start: float
    step: float
    extra: float
    gates: bool

    def count_chunks(self, epochs: int, seconds: float, answered: bool) -> int:
        """The parts of a training of so many epochs in so many seconds. Where a collapse is `answered`, which
        is done between two of them, they are many."""
        most, share = (epochs, ANSWERED) if answered else (CHUNKS, AROUND)
        worth = most if share * seconds >= most * self.chunk else int(share * seconds / self.chunk)
        return max(1, min(epochs, worth))

    def find_least(self, planned: float) -> float:
        """The shortest budget that leaves a choice, after so many seconds of planning."""
        training = self.chunk + LEAST_STEPS * self.step + self.extra
        choosing = self.chunk + (1 if self.gates else FEWEST) * self.child
        needed = max(training / SUPERNETS, choosing / (1 - SUPERNETS), training + choosing)
        return (planned + self.start + needed) / (SUPERNET + SCORES)

    def find_rest(self, seconds: float, planned: float) -> float:
        """The part of a budget's seconds that is left for the supernet and its children, after planning and
        the workers' start."""
        return USED * max(0.0, seconds * (SUPERNET + SCORES) - planned - self.start)


def add_prices(
    cost: Measured, strategy: Strategy, one_shot: OneShot, images: int, start: float, workers: int
) -> Prices:
    scores = _count_scored(one_shot, strategy)
    # Each search of several trains a supernet of its own; the shares of the time are for all of them.
    searches = count_searches(strategy)
    # A single worker is this process; of several, each row has a process of its own.
    around = cost.fork if workers > 1 else 0.0
    return Prices(
        searches * (images * cost.step + cost.end + scores * cost.score),
        searches * (cost.make + around),
        searches * (cost.score + around),
        start,
        searches * images * cost.step / one_shot.batches(images),
        searches * cost.extra,
        learns_gates(strategy),
    )


def count_searches(strategy: Strategy) -> int:
    return int(find_trait(strategy, "searches", 1))


def _count_scored(one_shot: OneShot, strategy: Strategy) -> int:
    """The scores after each epoch: of random children, or of the one that gates stand for."""
    return 1 if learns_gates(strategy) else one_shot.paths
