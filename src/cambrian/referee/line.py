"""One search for the referee: its incumbents over time, and its costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from cambrian.effort import list_paid
from cambrian.outcome import Trial
from cambrian.recommendation import find_incumbents
from cambrian.search.ledger.rows import Row

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Incumbent(msgspec.Struct, frozen=True, array_like=True):
    """The best so far from trial `number` on (see `find_incumbents`): its objective, and the `score` that the
    referee judges it by."""

    number: int
    value: float
    score: float


class Line(msgspec.Struct, frozen=True):
    """The search of `strategy` (its label) under `seed`. `cost` and `thinking` are seconds per trial: the
    cost of measuring it, by the table where there is one, and the strategy's time to propose and learn
    before it. `ended` is the reason why it ended before its budget did, or empty."""

    strategy: str
    seed: int
    incumbents: tuple[Incumbent, ...]
    cost: tuple[float, ...]
    thinking: tuple[float, ...]
    ended: str = ""
    epochs: tuple[float, ...] | msgspec.UnsetType = msgspec.UNSET
    """Those that each trial paid for, where the comparison counts them; older lines do not have them."""

    @property
    def trials(self) -> int:
        return len(self.cost)

    def after(self, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
        """Scores after each of `numbers` trials; NaN before there is an incumbent. The last one stays."""
        # Incumbents alone are kept: a search of thousands of trials has a dozen.
        firsts = [i.number for i in self.incumbents]
        scores = np.array([np.nan, *(i.score for i in self.incumbents)])
        return np.asarray(scores[np.searchsorted(firsts, numbers - 1, side="right")])

    def clock(self) -> NDArray[np.float64]:
        """Seconds from the start to the end of each trial, strategy and estimator together."""
        return np.cumsum(np.add(self.cost, self.thinking))

    def paid(self) -> NDArray[np.float64]:
        """Epochs from the start to the end of each trial."""
        return np.cumsum([] if isinstance(self.epochs, msgspec.UnsetType) else self.epochs)


Score = Callable[[Trial], float]
Cost = Callable[[Trial, float], float]
"""Of a trial, and of the epochs that it paid for."""


def line_of(
    strategy: str, seed: int, rows: Sequence[Row], score: Score, cost: Cost, in_epochs: bool = False
) -> Line:
    """The line of a search's rows; `score` is of an incumbent's trial, `cost` of every trial. With
    `in_epochs`, the epochs of each trial are recorded too."""
    rows = sorted((r for r in rows if not r.final), key=lambda r: r.trial.number)
    changes: list[Incumbent] = []
    before = None
    for row, best in zip(rows, find_incumbents(row.trial for row in rows), strict=True):
        # Only incumbents are scored: on a benchmark the score is a look-up in the test column.
        if best is not None and best is not before:
            changes.append(Incumbent(row.trial.number, best.value or 0.0, score(best)))
        before = best
    # Microseconds are finer than any clock here, and the shorter numbers keep files small.
    paid = list_paid([row.trial for row in rows])
    costs = tuple(round(cost(row.trial, epochs), 6) for row, epochs in zip(rows, paid, strict=True))
    thinking = tuple(round(row.thinking, 6) for row in rows)
    line = Line(strategy, seed, tuple(changes), costs, thinking)
    return msgspec.structs.replace(line, epochs=tuple(round(e, 6) for e in paid)) if in_epochs else line
