"""The eleven families of curves, their fits, and the prior."""

from __future__ import annotations

import numpy as np
import pytest

from cambrian.curves.curve import Curve
from cambrian.curves.domhan import cut_start, fit_family, weigh_points
from cambrian.curves.families import FAMILIES, Family
from cambrian.curves.prior import LENGTH, draw_curves
from cambrian.randomness import stream

X = np.arange(1.0, 41.0)
TRUE = {
    "vapor pressure": (-0.5, -0.8, 0.06),
    "pow3": (0.9, 0.5, 0.6),
    "pow4": (0.9, 20.0, 1.0, 0.4),
    "log log linear": (0.2, 1.3),
    "ilog2": (0.85, 0.3),
    "log power": (0.8, 1.5, -0.9),
    "Weibull": (0.8, 0.2, 0.1, 1.2),
    "Janoschek": (0.8, 0.2, 0.2, 0.9),
    "MMF": (0.85, 0.15, 0.1, 1.5),
    "exp4": (0.8, 0.5, -0.6, 0.6),
    "Hill3": (0.85, 0.9, 2.0),
}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_fits_its_own_curves(family: Family) -> None:
    """Data of a family without noise are fitted back, and continued to step 100, to within 1e-4."""
    true = np.array(TRUE[family.name])
    curve = Curve(X, family(X, true))
    fit = fit_family(family, curve, 100.0)
    assert fit is not None
    assert np.abs(family(X, fit.parameters) - curve.values).max() < 1e-4
    assert fit.end == pytest.approx(float(family(np.array([100.0]), true)[0]), abs=1e-3)


def test_many_parameters_at_once() -> None:
    """Of every family, a batch of parameters gives the curves of each."""
    for family in FAMILIES:
        true = np.array(TRUE[family.name])
        batch = np.stack([true, 1.01 * true])
        assert np.array_equal(family(X, batch)[1], family(X, 1.01 * true))
        assert family(X, batch).shape == (2, len(X))


def test_a_fit_that_falls_does_not_count() -> None:
    """To a curve that falls: what is kept does not end below its second point, nor out of bounds, and most
    are not kept."""
    curve = Curve(X, np.linspace(0.9, 0.2, len(X)))
    fits = [fit for fit in (fit_family(family, curve, 100.0) for family in FAMILIES) if fit is not None]
    assert len(fits) < len(FAMILIES) / 2
    for fit in fits:
        assert float(fit.family(np.array([2.0]), fit.parameters)[0]) <= fit.end <= 1


def test_a_curve_begins_where_it_rises() -> None:
    """Ten flat points and then a rise: all but the last of the flat ones are left out, and of a curve that
    stays flat none."""
    flat, rise = np.full(10, 0.1), np.linspace(0.2, 0.8, 10)
    cut = cut_start(Curve(np.arange(1.0, 21), np.concatenate([flat, rise])))
    assert cut.steps[0] == 10
    assert len(cut_start(Curve(np.arange(1.0, 11), flat))) == 10


def test_a_single_high_value_is_not_the_rise() -> None:
    """As in the authors' program, where a rise is five values in a row; four at the end are none yet."""
    values = np.concatenate([np.full(10, 0.1), np.linspace(0.2, 0.8, 10)])
    values[2] = 0.3
    curve = Curve(np.arange(1.0, 21), values)
    assert cut_start(curve).steps[0] == 10
    assert cut_start(curve.cut(15)).steps[0] == 10
    assert cut_start(curve.cut(14)).steps[0] == 1


@pytest.mark.parametrize("count", [1, 2, 5, 100])
def test_later_points_count_more(count: int) -> None:
    """As in the authors' program: the first point counts once, each later one more by the same factor, and
    the next would count ten times."""
    weights = weigh_points(count)
    assert weights[0] == 1
    assert weights == pytest.approx(np.geomspace(1, 10, count + 1)[:-1])


def test_the_prior_rises_within_bounds() -> None:
    """Curves without noise lie in [0, 1] and end above their start; the noise's deviation has the median
    exp(-4)."""
    clean, noisy = draw_curves(500, stream(0, "prior"))
    assert clean.shape == noisy.shape == (500, LENGTH)
    assert clean.min() >= 0
    assert clean.max() <= 1
    assert (clean[:, -1] > clean[:, 0]).all()
    # The logarithm of a deviation is N(-4, 1): its median over 500 is within .2 but once in ten thousand.
    assert np.median(np.log((noisy - clean).std(axis=1))) == pytest.approx(-4, abs=0.2)
