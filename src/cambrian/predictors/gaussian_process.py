"""Gaussian process regression (Rasmussen & Williams 2006, Algorithm 2.1 and Sec. 5.4).

The settings of a kernel and the noise are chosen from a grid by marginal likelihood; the variance of the
signal has a closed form. There are no gradients, no initial values, no randomness.
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
    """The kernel with the highest likelihood for float[n] targets of mean 0, the variance of its signal and
    that of its noise. `kernels` are settings, each with its correlations float[n, n] and its log prior."""
    best, settings = -np.inf, None
    for kernel, correlation, prior in kernels:
        # One decomposition serves every noise: adding it to the diagonal only shifts the eigenvalues.
        values, vectors = np.linalg.eigh(correlation)
        power = (vectors.T @ targets) ** 2
        for noise in NOISES:  # in units of the signal
            spread = np.maximum(values, 0.0) + noise
            signal = max(float(np.mean(power / spread)), 1e-12)  # where the likelihood is greatest
            likelihood = prior - 0.5 * (len(targets) * np.log(signal) + np.log(spread).sum())
            likelihood -= 0.5 * (np.log(noise / 0.03) / 2.0) ** 2  # a few per cent, within e^2 either way
            if likelihood > best:
                best, settings = likelihood, (kernel, signal, signal * float(noise))
    assert settings is not None  # there is at least one kernel
    return settings


@dataclass(frozen=True)
class Posterior:
    """The posterior after float[n] targets: `factor` is the Cholesky factor L of their covariance K,
    `weights` is K^-1 targets. Results have the precision of the covariances that are passed in."""

    factor: Array
    weights: Array
    variance: float
    """The prior variance of a point."""

    def mean(self, across: Array) -> Array:
        """The means float[m] for covariances float[m, n] with the known points."""
        values: Array = across @ self.weights.astype(across.dtype)
        return values

    def deviation(self, across: Array) -> Array:
        """The standard deviations float[m], without the noise of a measurement."""
        explained = solve_factor(self.factor.astype(across.dtype), across)
        # The diagonal of k K^-1 k^T alone; rounding may take it past the prior variance.
        left = self.variance - np.einsum("ij,ij->j", explained, explained)
        values: Array = np.sqrt(np.maximum(left, 1e-12))
        return values


def solve_factor(factor: Array, across: Array) -> Array:
    """L^-1 k float[n, m] for the Cholesky factor L float[n, n] and covariances k^T float[m, n]."""
    from scipy.linalg import solve_triangular

    solved: Array = solve_triangular(factor, across.T, lower=True, check_finite=False)
    return solved


def posterior(covariance: Array, noise: float, variance: float, targets: Array) -> Posterior:
    """The posterior for measured points with `covariance` float[n, n], to which the noise is added. A kernel
    that is not positive definite (kernels on arbitrary distances need not be) gets a multiple of the identity
    added until it is."""
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

    deviation = np.maximum(deviation, 1e-12)  # a certain point must not divide 0 by 0
    z = (mean - best) / deviation
    gain: Array = (mean - best) * ndtr(z) + deviation * np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    return gain


def normal_scores(values: Array) -> Array:
    """The quantiles of N(0, 1) at the values' ranks; equal values share one. Only the order of the values
    counts."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    scores: Array = ndtri((rankdata(values) - 0.5) / len(values))
    return scores
