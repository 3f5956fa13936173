"""Search efficiency: the training that a search needs to find models as good as another's. Liu et al.,
"Progressive Neural Architecture Search" (ECCV 2018), Sec. 5.3, Tables 2 and 3.

Two searches are compared by the mean score of their `top` best models, after every model trained; the cost
of training is counted in examples seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.referee.statistics import bootstrap_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLES = 1000
"""Of the seeds, for an interval: each is a curve of thousands of models."""


@dataclass(frozen=True)
class Effort:
    """`models` (the paper's M1) trained on `examples` (E1) each, the most promising `reranked` (M2) of which
    are trained once more, on `reranking` (E2) examples each."""

    models: float
    examples: float
    reranked: float = 0
    reranking: float = 0

    @property
    def cost(self) -> float:
        """In examples: M1 E1 + M2 E2.

        >>> f"{Effort(1160, 0.9e6).cost:.4g}"
        '1.044e+09'
        """
        return self.models * self.examples + self.reranked * self.reranking

    def speed_up(self, slower: Effort) -> tuple[float, float]:
        """The models, and the examples, that `slower` needs, as multiples of these."""
        return slower.models / self.models, slower.cost / self.cost


def top_means(values: NDArray[np.float64], top: int) -> NDArray[np.float64]:
    """The mean of the `top` highest of `values` [models] after each model; NaN before there are so many.
    A model that could not be measured is NaN and never among them."""
    best: list[float] = []
    means = np.full(len(values), np.nan)
    for n, value in enumerate(values.tolist()):
        if not np.isnan(value):
            best = sorted([*best, value], reverse=True)[:top]
        if len(best) == top:
            means[n] = sum(best) / top
    return means


@dataclass(frozen=True)
class Match:
    """The number of models after which one search is as good as another at its end, and its 95 % bootstrap
    interval over the seeds; infinite where it never is."""

    models: float
    low: float
    high: float


def match(curves: NDArray[np.float64], targets: NDArray[np.float64]) -> Match:
    """The number of models after which the mean of `curves` [seeds, models] reaches that of `targets`
    [seeds]. Seeds are resampled for both together."""
    weights = bootstrap_weights(len(curves), RESAMPLES)
    # "nearest": between a number and infinity there is nothing to interpolate.
    edges = np.quantile(_first(weights @ curves, weights @ targets), [0.025, 0.975], method="nearest")
    models = _first(curves.mean(0, keepdims=True), targets.mean(keepdims=True))
    return Match(float(models[0]), float(edges[0]), float(edges[1]))


def _first(means: NDArray[Any], targets: NDArray[Any]) -> NDArray[np.float64]:
    """For each of `means` [n, models], the number of models to its target [n]; infinite where it is not
    reached."""
    reached = means >= targets[:, None] - 1e-12  # sums of the same numbers in another order
    return np.where(reached.any(1), reached.argmax(1) + 1.0, np.inf)
