"""The noise ceiling: how well a second training of the same networks would agree with the first.

Nobody can ask more of a shortcut than the truth gives of itself. A few networks are trained twice; half the
variance of the differences is the noise. The true values are the measured ones, drawn together by the share
of their variance that is noise (Kelley's shrinkage, 1927); two noisy trainings of all of them are drawn many
times, and the mean agreement of these is the ceiling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from cambrian.audits.statistics import kendall, kendall_at_the_top, regret, spearman
from cambrian.randomness import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

TIMES = 200


class Ceiling(msgspec.Struct, frozen=True):
    """Mean agreement of two trainings; `noise` is the standard deviation of one, from so many `pairs`."""

    noise: float
    pairs: int
    kendall: float
    spearman: float
    top: float | None
    regret: float


def estimate_ceiling(values: NDArray[np.float64], pairs: NDArray[np.float64]) -> Ceiling | None:
    """The ceiling for architectures with these `values` [n], from `pairs` [k, 2] of trainings; None where
    none of them differ."""
    halves = (pairs[:, 0] - pairs[:, 1]) / np.sqrt(2)
    # A few equal pairs do not show that trainings have no noise: scores of few images are coarse.
    if not halves.any():
        return None
    variance = float(np.mean(halves**2))
    spread = float(values.var())
    kept = np.sqrt(max(0.0, 1 - variance / spread)) if spread > 0 else 0.0
    latent = values.mean() + kept * (values - values.mean())
    rng, equal = stream(0, "audit", "ceiling"), np.full((1, len(values)), 1 / len(values))
    rows = []
    for _ in range(TIMES):
        # Measured differences with random signs, so that their long tails are those of the trainings.
        drawn = rng.choice(halves, (2, len(values))) * rng.choice([-1.0, 1.0], (2, len(values)))
        truth, again = latent + drawn
        rows.append(
            [float(f(again, truth)(equal)[0]) for f in (kendall, spearman, kendall_at_the_top, regret)]
        )
    tau, rho, top, missed = np.nanmean(rows, axis=0).tolist()
    return Ceiling(variance**0.5, len(pairs), tau, rho, top if np.isfinite(top) else None, missed)
