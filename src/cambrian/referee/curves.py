"""Searches side by side: scores of all strategies, under all seeds, at the same budgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.referee.line import Line

if TYPE_CHECKING:
    from numpy.typing import NDArray

POINTS = 30
"""Budgets at which strategies are compared."""


@dataclass(frozen=True)
class Curves:
    """`scores` [strategies, seeds, budgets] of the incumbents after budgets `at` [budgets]. Where a search
    has none yet, the worst score of all searches stands in; `since[s]` is the first budget from which on
    all searches of strategy s have one of their own."""

    strategies: tuple[str, ...]
    at: NDArray[np.float64]
    scores: NDArray[np.float64]
    since: tuple[int, ...]
    minimize: bool = False

    @property
    def oriented(self) -> NDArray[np.float64]:
        """The scores, turned so that higher is better."""
        return -self.scores if self.minimize else self.scores

    def at_budgets(self, indices: Sequence[int]) -> Curves:
        """The curves at the budgets of these indices alone."""
        since = tuple(int(np.searchsorted(indices, s)) for s in self.since)
        return Curves(
            self.strategies, self.at[list(indices)], self.scores[:, :, list(indices)], since, self.minimize
        )


Lines = Mapping[str, Sequence[Line]]
"""By strategy, in the order of seeds, the same for all."""


def over_evaluations(lines: Lines, budget: int, minimize: bool = False) -> Curves:
    """After 1 to `budget` evaluations. A search that ended by itself stays where it was."""
    at = np.arange(1, budget + 1)
    return _curves(
        lines, at.astype(float), [[line.after(at) for line in same] for same in lines.values()], minimize
    )


def over_epochs(lines: Lines, epochs: float, minimize: bool = False, points: int = 10 * POINTS) -> Curves:
    """After epochs that trials paid for, up to `epochs`: a trial counts from its end on. A search that ended
    by itself stays where it was."""
    at = np.linspace(epochs / points, epochs, points)

    def scores(line: Line) -> NDArray[np.float64]:
        # A sum of shares of epochs may miss a whole number by a rounding.
        return line.after(np.searchsorted(line.paid(), at + 1e-6, side="right"))

    return _curves(lines, at, [[scores(line) for line in same] for same in lines.values()], minimize)


def over_seconds(lines: Lines, points: int = 10 * POINTS, minimize: bool = False) -> Curves:
    """After seconds of estimator and strategy together, up to the time at which the first search had spent
    its budget of evaluations: nobody knows how that one would have gone on. A search that
    ended by itself stays where it was."""
    every = [line for same in lines.values() for line in same]
    end = min((line.clock()[-1] for line in every if line.trials and not line.ended), default=0.0)
    # Where every search ended by itself, all stay where they were, so that the longest can set the end.
    end = end or max((line.clock()[-1] for line in every if line.trials), default=0.0)
    at = np.linspace(end / points, end, points)

    def scores(line: Line) -> NDArray[np.float64]:
        return line.after(np.searchsorted(line.clock(), at, side="right"))

    return _curves(lines, at, [[scores(line) for line in same] for same in lines.values()], minimize)


def checkpoints(count: int, most: int = POINTS) -> list[int]:
    """Indices of at most `most` of `count` budgets, evenly spread, the last one among them."""
    # Counted backwards from the last budget, which is the one that verdicts end with.
    step = -(-count // most)
    return list(range(count - 1, -1, -step))[::-1]


def _curves(lines: Lines, at: NDArray[np.float64], scores: Any, minimize: bool) -> Curves:
    stacked = np.array(scores, dtype=np.float64)
    unknown = np.isnan(stacked)
    # NaN cannot be ranked; the worst score of all gives a search without one no advantage.
    worst = 0.0 if unknown.all() else float(np.nanmax(stacked) if minimize else np.nanmin(stacked))
    since = tuple(int(unknown[s].any(axis=0).sum()) for s in range(len(stacked)))
    return Curves(tuple(lines), at, np.where(unknown, worst, stacked), since, minimize)
