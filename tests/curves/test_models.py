"""Every curve model by its contract, and each by what it is to find."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from cambrian.architecture import Architecture
from cambrian.curves import CURVE_MODELS
from cambrian.curves.curve import Curve, Forecast, drop_exploded
from cambrian.curves.curve_process import condition
from cambrian.curves.describing import describe_architectures, measure_distances
from cambrian.curves.freeze_thaw import FreezeThaw, read_points
from cambrian.curves.model import CurveModel
from cambrian.curves.svr import SVR, list_features
from cambrian.errors import UsageError
from cambrian.randomness import stream
from tiers import slow_for

SMALL: dict[str, dict[str, Any]] = {
    "domhan": {"steps": 30, "burn": 20, "thin": 5},
    "svr": {"searches": 2},
    "lc-net": {"burn": 20, "steps": 20, "refine": 20, "keep": 10},
    "freeze-thaw": {"points": 5, "fit": 2},
}
STEPS = np.arange(1.0, 21.0)


def make(name: str) -> CurveModel:
    return CURVE_MODELS.make({"name": name, "arguments": SMALL.get(name, {})})


def draw(count: int = 24) -> list[Curve]:
    """Curves that gain the more, and late, the larger the first number of their description."""
    rng = stream(0, "curves")
    curves = []
    for _ in range(count):
        described = rng.random(3)
        noise = 0.005 * rng.normal(size=len(STEPS))
        curves.append(Curve(STEPS, 0.5 + 0.3 * described[0] * STEPS / 20 - 0.3 / STEPS + noise, described))
    return curves


@pytest.mark.parametrize("name", slow_for(("domhan",), CURVE_MODELS.names()))
def test_a_model_keeps_the_contract(name: str) -> None:
    """Made again from its settings as JSON it is itself; its forecast is finite, with a positive deviation,
    the same when made again, independent of what was predicted between, and leaves its curves alone."""
    model = make(name)
    assert CURVE_MODELS.make(json.loads(json.dumps(CURVE_MODELS.spec(model)))) == model
    assert isinstance(model, CurveModel)
    others, curve = draw(), draw(25)[-1].cut(6)
    before = [c.values.copy() for c in [*others, curve]]
    started = model.start(others, 20.0, 3)
    first = started.predict(curve, 20.0)
    assert np.isfinite([first.mean, first.deviation, first.quantile(0.05), first.exceeds(0.7)]).all()
    assert first.deviation > 0
    assert first.quantile(0.05) < first.quantile(0.95)
    started.predict(others[0].cut(3), 20.0)
    assert started.predict(curve, 20.0).mean == first.mean
    assert model.start(others, 20.0, 3).predict(curve, 20.0).mean == first.mean
    assert all(np.array_equal(a, c.values) for a, c in zip(before, [*others, curve], strict=True))


@pytest.mark.parametrize("name", CURVE_MODELS.names())
def test_a_single_point_is_enough(name: str) -> None:
    """As after the first epoch."""
    predicted = make(name).start(draw(), 20.0, 0).predict(draw(25)[-1].cut(1), 20.0)
    assert np.isfinite([predicted.mean, predicted.deviation]).all()


def test_a_mixture_is_that_of_its_draws() -> None:
    """Mean, deviation, quantiles, tail and density agree with those of a million draws."""
    mixture = Forecast(np.array([0.2, 0.7]), np.array([0.1, 0.05]), np.array([1.0, 3.0]))
    rng = stream(0, "mixture")
    part = (rng.random(1_000_000) < 0.75).astype(int)
    draws = mixture.means[part] + mixture.deviations[part] * rng.normal(size=len(part))
    assert mixture.mean == pytest.approx(draws.mean(), abs=1e-3)
    assert mixture.deviation == pytest.approx(draws.std(), abs=1e-3)
    assert mixture.exceeds(0.65) == pytest.approx((draws > 0.65).mean(), abs=2e-3)
    assert mixture.quantile(0.1) == pytest.approx(np.quantile(draws, 0.1), abs=2e-3)
    near = (abs(draws - 0.7) < 0.005).mean() / 0.01
    assert np.exp(mixture.log_density(0.7)) == pytest.approx(near, rel=0.03)
    turned = mixture.transform(1.0, -2.0)
    assert turned.mean == pytest.approx(1 - 2 * mixture.mean)
    assert turned.deviation == pytest.approx(2 * mixture.deviation)


def test_baselines_are_what_their_names_say() -> None:
    """The last value, the highest, and the last with the mean gain of others from the same step."""
    curve = Curve(STEPS[:3], np.array([0.3, 0.6, 0.5]))
    others = draw()
    gain = np.mean([c.values[-1] - c.values[2] for c in others])
    expected = {"last-value": 0.5, "best-so-far": 0.6, "mean-gain": 0.5 + gain}
    for name, value in expected.items():
        assert make(name).start(others, 20.0, 0).predict(curve, 20.0).mean == pytest.approx(value)


def test_a_curve_that_exploded_is_left_out() -> None:
    """Where it ended it is far below the others; one that ended early is not for being low then."""
    curves = draw()
    exploded = Curve(STEPS, -1e6 * STEPS, curves[0].description)
    early = [curve.cut(2) for curve in curves[:3]]
    assert drop_exploded([exploded, *curves, *early, Curve(STEPS[:0], STEPS[:0])]) == [*curves, *early]
    assert drop_exploded([]) == []


def test_the_features_of_a_beginning() -> None:
    """e values, e - 1 and e - 2 differences, their mean and deviation, and the architecture's numbers."""
    curve = draw()[0].cut(6)
    features = list_features(curve)
    assert len(features) == 6 + 5 + 4 + 2 + 3
    assert np.array_equal(features[6:11], np.diff(curve.values))
    assert len(list_features(curve.cut(1))) == 1 + 2 + 3


def test_regression_learns_from_descriptions() -> None:
    """At the third of twenty points it is nearer the end than the last value with the mean gain, since the
    gain depends on the description; it refuses too few curves."""
    others, fresh = draw(60), draw(90)[60:]
    models = {name: make(name).start(others, 20.0, 0) for name in ("svr", "mean-gain")}
    errors = {
        name: np.mean([abs(model.predict(c.cut(3), 20.0).mean - c.values[-1]) for c in fresh])
        for name, model in models.items()
    }
    assert errors["svr"] < errors["mean-gain"]
    with pytest.raises(UsageError, match="at least 20, got 4"):
        SVR().start(others[:4], 20.0, 0)


def test_the_process_reads_points_of_its_grid() -> None:
    """Its forecast is that of the process over the curves at the grid's steps, in the unit of all points."""
    others, curve = draw(6), draw(7)[-1].cut(8)
    started = FreezeThaw(points=5, fit=2).start(others, 20.0, 0)
    grid = np.array([4.0, 8.0, 12.0, 16.0, 20.0])
    assert np.allclose(read_points(curve, grid), curve.values[[3, 7]])
    read = [read_points(c, grid) for c in others]
    pool = np.concatenate(read)
    unit = [(v - pool.mean()) / pool.std() for v in [*read, curve.values[[3, 7]]]]
    distances = measure_distances(np.stack([c.description for c in [*others, curve]]))
    mean, variance, _ = condition(started.parameters, distances, unit).predict(6, 5)
    predicted = started.predict(curve, 20.0)
    assert predicted.mean == pytest.approx(pool.mean() + pool.std() * mean)
    assert predicted.deviation == pytest.approx(pool.std() * np.sqrt(variance))


def test_architectures_are_described_by_answers() -> None:
    """Numbers in the unit of their range, one column for every other answer, none for what never differs."""
    some = [Architecture({"op": "conv", "width": w, "pool": True}) for w in (16, 32, 48)]
    described = describe_architectures([*some, Architecture({"op": "skip", "width": 16, "pool": True})])
    assert described.tolist() == [[1, 0, 0, 0], [1, 0.5, 0, 0], [1, 1, 0, 0], [0, 0, 0, 1]]
    assert measure_distances(described)[0, 1:].tolist() == [0.5 / 3, 1 / 3, 2 / 3]


def test_architectures_are_described_by_how_often_a_word_is_an_answer() -> None:
    """In units of its range: of `conv` two, one and no edge here; `skip` is the answer of one question only,
    and `pool`, which both have, goes from none to two."""
    answers = ("conv", "conv"), ("conv", "pool"), ("skip", "pool"), ("pool", "pool")
    cells = [Architecture({"edge1": first, "edge2": second}) for first, second in answers]
    described = describe_architectures(cells)
    assert described.shape == (4, 5 + 2)
    assert described[:, 5:].tolist() == [[1, 0], [0.5, 0.5], [0, 0.5], [0, 1]]
