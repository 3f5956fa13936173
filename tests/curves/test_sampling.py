"""The ensemble sampler, and forecasts of the families by it."""

from __future__ import annotations

import numpy as np
import pytest

from cambrian.curves.curve import Curve, Forecast
from cambrian.curves.domhan import Domhan
from cambrian.curves.ensemble_sampler import sample_ensemble
from cambrian.errors import UsageError
from cambrian.randomness import stream

SHORT = Domhan(120, 60, 10)


def test_the_sampler_finds_a_normal_distribution() -> None:
    """Of a correlated one in two dimensions whose scales differ by a hundred: the mean and the covariance, up
    to the error of about a thousand independent samples."""
    covariance = np.array([[1.0, 0.008], [0.008, 1e-4]])
    precision = np.linalg.inv(covariance)
    center = np.array([3.0, -1.0])

    def density(points: np.ndarray) -> np.ndarray:
        away = points - center
        return -0.5 * np.einsum("ni,ij,nj->n", away, precision, away)

    rng = stream(0, "sampler")
    chain = sample_ensemble(density, rng.normal(size=(100, 2)), 1000, rng, thin=10)[20:].reshape(-1, 2)
    assert np.allclose((chain.mean(axis=0) - center) / np.sqrt(np.diag(covariance)), 0, atol=0.15)
    assert np.allclose(np.cov(chain.T) / covariance, 1, atol=0.25)


def test_walkers_stay_within_the_domain() -> None:
    """Where the density is 0 none arrives: a uniform square."""

    def density(points: np.ndarray) -> np.ndarray:
        return np.where((abs(points) <= 1).all(axis=1), 0.0, -np.inf)

    rng = stream(1, "sampler")
    chain = sample_ensemble(density, rng.uniform(-1, 1, (20, 2)), 200, rng)
    assert abs(chain).max() <= 1
    assert chain.var() == pytest.approx(1 / 3, abs=0.06)


def forecast(values: np.ndarray, seed: int = 0, model: Domhan = SHORT) -> Forecast:
    steps = np.arange(1.0, len(values) + 1)
    return model.start((), 100.0, seed).predict(Curve(steps, values), 100.0)


def test_a_curve_below_the_best_is_hopeless() -> None:
    """One that is nearly flat at .5: the probability of .8 in the end is below .05. Of one that is on its way
    to .9 it is not. The forecast's end is near the curve's own."""
    x = np.arange(1.0, 31.0)
    noise = 0.003 * stream(0, "curve").normal(size=30)
    flat, rising = 0.5 - 0.3 * x**-1.2 + noise, 0.9 - 0.7 * x**-0.8 + noise
    hopeless = forecast(flat)
    assert hopeless.exceeds(0.8) < 0.05
    assert forecast(rising).exceeds(0.8) > 0.5
    assert hopeless.mean == pytest.approx(0.5 - 0.3 * 100**-1.2, abs=0.03)


def test_a_forecast_is_a_function_of_its_seed() -> None:
    """The same one twice, another one with another seed."""
    values = 0.8 - 0.6 * np.arange(1.0, 13.0) ** -0.9
    one, same, other = (forecast(values, seed, Domhan(120, 20, 10)).mean for seed in (0, 0, 1))
    assert one == same != other


def test_more_burnt_than_sampled_is_refused() -> None:
    """In a sentence with the number that is expected."""
    with pytest.raises(UsageError, match="at least burn and thin together, 510, got 500"):
        Domhan(steps=500)
