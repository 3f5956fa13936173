"""Gaussian process regression (Rasmussen & Williams 2006, Algorithm 2.1 and Sec. 5.4).

A kernel's settings and the noise come from a grid, by marginal likelihood, where the variance of the
signal has a closed form. No gradient, no start values, nothing random.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

T = TypeVar("T")

LENGTHS = tuple(2.0 ** np.arange(-2.5, 2.6, 0.5))
NOISES = tuple(10.0 ** np.arange(-4.0, 0.1, 0.5))


def likeliest(kernels: Iterable[tuple[T, Array, float]], targets: Array) -> tuple[T, float, float]:
    """The kernel under which float[n] targets of mean 0 are the likeliest, its signal's variance and its
    noise's. `kernels` are settings with their float[n, n] correlations and their log priors."""
    best, found = -np.inf, None
    for kernel, correlation, prior in kernels:
        values, vectors = np.linalg.eigh(correlation)
        power = (vectors.T @ targets) ** 2
        for noise in NOISES:  # in units of the signal
            spread = np.maximum(values, 0.0) + noise
            signal = max(float(np.mean(power / spread)), 1e-12)  # where the likelihood is greatest
            likelihood = prior - 0.5 * (len(targets) * np.log(signal) + np.log(spread).sum())
            likelihood -= 0.5 * (np.log(noise / 0.03) / 2.0) ** 2  # a few per cent, within e^2 either way
            if likelihood > best:
                best, found = likelihood, (kernel, signal, signal * float(noise))
    assert found is not None
    return found


@dataclass(frozen=True)
class Posterior:
    """What float[n] targets say: `factor` is the Cholesky factor of their covariance, `weights` what it
    makes of them. Questions are answered in the precision they are asked in."""

    factor: Array
    weights: Array
    variance: float
    """Of a point about which nothing is known."""

    def mean(self, across: Array) -> Array:
        """float[m] for float[m, n] covariances with the known points."""
        values: Array = across @ self.weights.astype(across.dtype)
        return values

    def deviation(self, across: Array) -> Array:
        """float[m] standard deviations, without the noise of a measurement."""
        from scipy.linalg import solve_triangular

        factor = self.factor.astype(across.dtype)
        explained = solve_triangular(factor, across.T, lower=True, check_finite=False)
        left = self.variance - np.einsum("ij,ij->j", explained, explained)
        values: Array = np.sqrt(np.maximum(left, 1e-12))
        return values


def posterior(covariance: Array, noise: float, variance: float, targets: Array) -> Posterior:
    """`covariance` float[n, n] of the points measured, without the noise, which is added. A kernel that is
    not positive definite (a distance need not make one) is lifted until it is."""
    from scipy.linalg import LinAlgError, cho_solve, cholesky

    noisy = covariance + noise * np.eye(len(targets))
    try:
        factor = cholesky(noisy, lower=True)
    except LinAlgError:
        lift = noise + 1e-9 * variance - min(float(np.linalg.eigvalsh(noisy)[0]), 0.0)
        factor = cholesky(noisy + lift * np.eye(len(targets)), lower=True)
    return Posterior(factor, cho_solve((factor, True), targets), variance)


def compute_expected_improvement(mean: Array, deviation: Array, best: float) -> Array:
    """E[max(f - best, 0)] for f ~ N(mean, deviation^2) (Jones, Schonlau & Welch 1998, Eq. 15)."""
    from scipy.special import ndtr

    deviation = np.maximum(deviation, 1e-12)  # of what is surely known, nothing is to be gained
    z = (mean - best) / deviation
    gain: Array = (mean - best) * ndtr(z) + deviation * np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    return gain


def normal_scores(values: Array) -> Array:
    """Ranks as quantiles of N(0, 1), equal values sharing one: what is left when only order counts."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    scores: Array = ndtri((rankdata(values) - 0.5) / len(values))
    return scores
