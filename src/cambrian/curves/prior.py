"""Artificial learning curves: the prior of Adriaensen et al., "Efficient Bayesian Learning Curve
Extrapolation using Prior-Data Fitted Networks" (NeurIPS 2023, Sec. 3; the numbers are those of its released
code).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cambrian.curves.families import ilog2, janoschek, pow3

if TYPE_CHECKING:
    from numpy.typing import NDArray

LENGTH = 100
"""The steps of a curve of the prior."""


def draw_curves(count: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The curves without noise float[count, LENGTH], which rise from the first to the last point and stay
    within 0 and 1; and the same with noise."""
    kept = np.empty((0, LENGTH))
    while len(kept) < count:
        drawn = _combine(count, rng)
        # What the published prior rejects: about four of five draws.
        inside = (drawn >= 0).all(axis=1) & (drawn <= 1).all(axis=1) & (drawn[:, -1] > drawn[:, 0])
        kept = np.concatenate([kept, drawn[inside]])
    curves = kept[:count]
    noise = np.exp(rng.normal(-4.0, 1.0, (count, 1))) * rng.normal(size=curves.shape)
    return curves, curves + noise


def _combine(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Weighted sums of three families, with parameters of the prior; the weights do not add up to 1."""
    x = np.arange(1.0, LENGTH + 1)

    def lognormal(center: float, spread: float) -> NDArray[np.float64]:
        return np.exp(rng.normal(center, spread, count))

    def uniform(low: float, high: float) -> NDArray[np.float64]:
        return rng.uniform(low, high, count)

    parameters = (
        (pow3, (uniform(0, 1.25), uniform(-0.6, 0.6), lognormal(0, 2))),
        (janoschek, (uniform(0, 1), uniform(0, 2), lognormal(-2, 1), lognormal(0, 0.5))),
        (ilog2, (uniform(0, 1), uniform(-0.5, 0.5))),
    )
    weights = rng.uniform(0, 1, (len(parameters), count, 1))
    with np.errstate(all="ignore"):
        parts = [family(x, np.stack(values, axis=-1)) for family, values in parameters]
    return np.asarray(sum(weight * part for weight, part in zip(weights, parts, strict=True)))
