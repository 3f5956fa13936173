"""The affine-invariant ensemble sampler of Goodman & Weare, "Ensemble samplers with affine invariance"
(2010), in the parallel form of emcee (Foreman-Mackey et al. 2013, Algorithm 3).

It stands here because a step of this sampler is one evaluation of a density for all walkers at once, which
NumPy does for eleven families in the time that a call for each walker would take for one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCALE = 2.0
"""Stretches are from 1/SCALE to SCALE."""


def sample_ensemble(
    density: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    walkers: NDArray[np.float64],
    steps: int,
    rng: np.random.Generator,
    thin: int = 1,
) -> NDArray[np.float64]:
    """Every `thin`th state of the walkers float[walkers, d], of `steps` steps: float[steps // thin, walkers,
    d]. `density` gives the logarithms float[n] of an unnormalised density at points float[n, d], -inf where
    it is 0. The number of walkers is even, and more than 2 d of them keep them off a plane."""
    walkers, kept = walkers.copy(), []
    logs, half = density(walkers), len(walkers) // 2
    for step in range(steps):
        for moving in (slice(0, half), slice(half, None)):
            others = walkers[half:] if moving.start == 0 else walkers[:half]
            partners = others[rng.integers(len(others), size=half)]
            # g(z) ~ 1/sqrt(z) on [1/SCALE, SCALE], by the inverse of its distribution function.
            stretch = ((SCALE - 1) * rng.random(half) + 1) ** 2 / SCALE
            moved = partners + stretch[:, None] * (walkers[moving] - partners)
            moved_logs = density(moved)
            with np.errstate(invalid="ignore"):  # from outside of the domain to outside: not accepted
                gain = (walkers.shape[1] - 1) * np.log(stretch) + moved_logs - logs[moving]
            accepted = np.log(rng.random(half)) < gain
            walkers[moving] = np.where(accepted[:, None], moved, walkers[moving])
            logs[moving] = np.where(accepted, moved_logs, logs[moving])
        if (step + 1) % thin == 0:
            kept.append(walkers.copy())
    return np.array(kept)
