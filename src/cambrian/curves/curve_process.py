"""The Gaussian process over learning curves of Swersky, Snoek & Adams, "Freeze-Thaw Bayesian Optimization"
(arXiv 1406.3896, Sec. 3): asymptotes are a process over architectures, each curve is its asymptote plus a
process of its own that decays exponentially.

Given the asymptotes curves are independent, so that N curves of T points cost N**3 + N T**3 and not
(N T)**3. All of it equals the joint process with the covariance K_x (x) 1 + K_t.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Parameters(msgspec.Struct, frozen=True):
    """`alpha`, `beta` and the variance `scale` of the decay, the variance `noise` of a point; the variance
    `amplitude` of asymptotes, which correlate by exp(-distance / `length`); their `mean`."""

    alpha: float = 1.0
    beta: float = 1.0
    scale: float = 1.0
    noise: float = 1e-2
    amplitude: float = 1.0
    length: float = 0.5
    mean: float = 0.0

    def covary(self, one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        """k(t, t') = beta**alpha / (t + t' + beta)**alpha, without the noise (Eq. 3)."""
        times = one[:, None] + other[None, :]
        decay: NDArray[np.float64] = self.scale * (self.beta / (times + self.beta)) ** self.alpha
        return decay

    def relate(self, distances: NDArray[np.float64]) -> NDArray[np.float64]:
        """The covariance of asymptotes by the distances of their architectures."""
        related: NDArray[np.float64] = self.amplitude * np.exp(-distances / self.length)
        return related


@dataclass(frozen=True)
class Posterior:
    """Of the asymptotes: `mean` [N] and `covariance` [N, N]; `curves` as they were given."""

    parameters: Parameters
    curves: Sequence[NDArray[np.float64]]
    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    evidence: float
    """The logarithm of the marginal likelihood."""

    def predict(self, row: int, step: int) -> tuple[float, float, float]:
        """The mean and the variance, noise included, of a curve after `step` steps, and the weight of its
        asymptote in it: 1 where nothing of the curve is known (Eq. 19 and 20)."""
        curve, p = self.curves[row], self.parameters
        now, own = np.array([float(step)]), float(p.covary(*(np.array([float(step)]),) * 2)[0, 0])
        if not len(curve):
            return float(self.mean[row]), own + float(self.covariance[row, row]) + p.noise, 1.0
        times = np.arange(1.0, len(curve) + 1)
        weights = np.linalg.solve(_add_noise(p, times), p.covary(times, now))[:, 0]
        omega = 1 - float(weights.sum())
        mean = float(weights @ curve) + omega * float(self.mean[row])
        own -= float(weights @ p.covary(times, now)[:, 0])
        return mean, own + omega**2 * float(self.covariance[row, row]) + p.noise, omega


def condition(
    parameters: Parameters, distances: NDArray[np.float64], curves: Sequence[NDArray[np.float64]]
) -> Posterior:
    """The posterior of the asymptotes [N] of architectures with these distances [N, N], given the first
    points of each curve; none for an architecture that is not begun (Eq. 14 to 16)."""
    precision, pull, evidence = np.zeros(len(curves)), np.zeros(len(curves)), 0.0
    factors: dict[int, NDArray[np.floating[Any]]] = {}
    for row, curve in enumerate(curves):
        if not len(curve):
            continue
        # Curves of equal length have the same covariance, which is factored once.
        if len(curve) not in factors:
            factors[len(curve)] = np.linalg.cholesky(_add_noise(parameters, np.arange(1.0, len(curve) + 1)))
        factor = factors[len(curve)]
        ones = np.linalg.solve(factor, np.ones(len(curve)))
        rest = np.linalg.solve(factor, curve - parameters.mean)
        precision[row], pull[row] = ones @ ones, ones @ rest
        evidence -= 0.5 * (rest @ rest) + np.log(np.diag(factor)).sum() + 0.5 * len(curve) * np.log(2 * np.pi)
    prior, root = parameters.relate(distances), np.sqrt(precision)
    # (K_x**-1 + Lambda)**-1 without K_x's inverse, which two equal architectures would not have.
    inner = np.linalg.cholesky(np.eye(len(curves)) + root[:, None] * prior * root[None, :])
    half = np.linalg.solve(inner, root[:, None] * prior)
    covariance = prior - half.T @ half
    evidence += 0.5 * float(pull @ covariance @ pull) - np.log(np.diag(inner)).sum()
    return Posterior(parameters, curves, parameters.mean + covariance @ pull, covariance, float(evidence))


NAMES = ("alpha", "beta", "scale", "noise", "amplitude", "length")
SPREAD = 1.0
"""Standard deviation of the log-normal priors around the defaults."""


def fit_parameters(
    begun: Parameters, distances: NDArray[np.float64], curves: Sequence[NDArray[np.float64]], steps: int
) -> Parameters:
    """The parameters of the highest posterior density near `begun`, with log-normal priors around the
    defaults."""
    from scipy.optimize import minimize

    ends = [float(curve[-1]) for curve in curves if len(curve)]
    mean = float(np.mean(ends)) if ends else 0.0
    usual = np.log([getattr(Parameters(), name) for name in NAMES])

    def make(logs: NDArray[np.float64]) -> Parameters:
        values = dict(zip(NAMES, np.exp(logs).tolist(), strict=True))
        return Parameters(**values, mean=mean)

    def lose(logs: NDArray[np.float64]) -> float:
        prior = 0.5 * float((((logs - usual) / SPREAD) ** 2).sum())
        return prior - condition(make(logs), distances, curves).evidence

    first = np.log([getattr(begun, name) for name in NAMES])
    # Bounded, so that no covariance becomes singular on the way.
    bounds = [(center - 4, center + 4) for center in usual]
    found = minimize(lose, first, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps})
    return make(np.asarray(found.x))


def _add_noise(parameters: Parameters, times: NDArray[np.float64]) -> NDArray[np.float64]:
    return parameters.covary(times, times) + parameters.noise * np.eye(len(times))
