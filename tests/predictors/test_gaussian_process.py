"""Gaussian processes against scikit-learn's, a closed form and numerical integration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

from cambrian.predictors.gaussian_process import (
    NOISES,
    compute_expected_improvement,
    likeliest,
    normal_scores,
    posterior,
)
from reseeding import default_rng


def rbf(x, y, length):
    return np.exp(-0.5 * ((x[:, None] - y[None]) ** 2).sum(axis=2) / length**2)


def points(count, seed=0):
    rng = default_rng(seed)
    x = rng.normal(size=(count, 3))
    return x, np.sin(x.sum(axis=1)) + 0.1 * rng.normal(size=count)


@pytest.mark.parametrize("length", [0.5, 2.0])
def test_the_posterior_is_scikit_learns(length):
    """Mean and standard deviation at new points, for a fixed kernel."""
    x, y = points(30)
    new = default_rng(1).normal(size=(20, 3))
    kernel = ConstantKernel(1.7, "fixed") * RBF(length, "fixed")
    mean, deviation = GaussianProcessRegressor(kernel, alpha=0.05).fit(x, y).predict(new, return_std=True)
    process = posterior(1.7 * rbf(x, x, length), 0.05, 1.7, y)
    across = 1.7 * rbf(new, x, length)
    np.testing.assert_allclose(process.mean(across), mean, atol=1e-8)
    np.testing.assert_allclose(process.deviation(across), deviation, atol=1e-6)


def test_one_point_by_hand():
    """y = 2 measured with variance 1 + 1, asked at correlation 1/2: mean 1/2, variance 1 - 1/8."""
    process = posterior(np.array([[1.0]]), 1.0, 1.0, np.array([2.0]))
    assert process.mean(np.array([[0.5]])) == pytest.approx(0.5)
    assert process.deviation(np.array([[0.5]])) == pytest.approx((1 - 1 / 8) ** 0.5)


def test_the_likeliest_kernel_is_scikit_learns():
    """Of nine lengths, the one with the greatest marginal likelihood by scikit-learn, over a grid of the
    other two numbers."""
    x, y = points(40, seed=3)
    y = y - y.mean()
    lengths = 2.0 ** np.arange(-4, 5)
    length, signal, noise = likeliest(((n, rbf(x, x, n), 0.0) for n in lengths), y)

    def likelihood(length, signal, noise):
        kernel = ConstantKernel(signal) * RBF(length)
        found = GaussianProcessRegressor(kernel, alpha=noise, optimizer=None).fit(x, y)
        prior = -0.5 * (np.log(noise / signal / 0.03) / 2.0) ** 2
        return found.log_marginal_likelihood_value_ + prior

    ours = likelihood(length, signal, noise)
    grid = (likelihood(n, s, r * s) for n in lengths for s in np.geomspace(0.05, 20, 6) for r in NOISES)
    assert ours >= max(grid) - 1e-9
    assert ours >= likelihood(length, 1.02 * signal, 1.02 * noise)  # the signal is at its maximum
    assert ours >= likelihood(length, 0.98 * signal, 0.98 * noise)


def test_a_kernel_that_is_none_is_lifted():
    """Negative eigenvalues, as some distances give, do not end a search."""
    process = posterior(np.array([[1.0, 2.0], [2.0, 1.0]]), 0.0, 1.0, np.array([1.0, -1.0]))
    assert np.isfinite(process.weights).all()


@given(st.floats(-3, 3), st.floats(0.05, 3), st.floats(-3, 3))
@settings(max_examples=50, deadline=None)
def test_expected_improvement_is_the_integral(mean, deviation, best):
    """Of max(f - best, 0) over the normal density."""
    ours = compute_expected_improvement(np.array([mean]), np.array([deviation]), best)[0]
    high = mean + 12 * deviation
    theirs = 0.0
    if high > best:
        low = max(best, mean - 12 * deviation)
        theirs, _ = quad(lambda f: (f - best) * norm.pdf(f, mean, deviation), low, high, epsabs=1e-12)
    assert ours == pytest.approx(theirs, abs=1e-8)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
@settings(max_examples=50, deadline=None)
def test_normal_scores_keep_the_order_and_nothing_else(values):
    """They are the same for any increasing function of the values, and sum to 0 without ties."""
    scores = normal_scores(np.array(values))
    assert ((scores[:, None] < scores) == (np.array(values)[:, None] < np.array(values))).all()
    np.testing.assert_allclose(
        scores,
        normal_scores(np.argsort(np.argsort(np.unique(values)))[np.searchsorted(np.unique(values), values)]),
    )
    if len(set(values)) == len(values):
        assert scores.sum() == pytest.approx(0.0, abs=1e-9)
