"""Forests and boosted trees on features from several sources."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cambrian.architecture import Architecture, sample
from cambrian.errors import MissingExtra, UnknownName, UsageError
from cambrian.outcome import Done, Fidelity, Point, Trial
from cambrian.predictors import PREDICTORS, kendall
from cambrian.predictors.boosting import Boosting
from cambrian.predictors.feature_sources import Features, read_vectors
from cambrian.predictors.features import answers_of, paths_of
from cambrian.predictors.forest import RandomForest
from cambrian.predictors.predictor import make_trials
from cambrian.predictors.rank_sum import sum_log_ranks
from cambrian.randomness import stream
from cambrian.spaces import SPACES
from cambrian.testing import PredictorCase, PredictorSuite

SPACE = SPACES.make("nasbench201")


def draw(count: int) -> list[Architecture]:
    drawn = dict.fromkeys(sample(SPACE, stream(5, "cells", n)) for n in range(3 * count))
    return list(drawn)[:count]


def hidden(space: Any, architecture: Architecture) -> Mapping[str, float]:
    """A number that the answers do not show but by a hash."""
    return {"score": float(stream(0, "hidden", architecture.key).random())}


def test_sources_are_put_side_by_side() -> None:
    """Answers keep their names; the others have those of their source before them."""
    cell = draw(1)[0]
    vector = Features(SPACE, ("answers", "paths", hidden)).describe(cell)
    answers, paths = answers_of(SPACE, cell), paths_of(SPACE, cell)
    assert {k: vector[k] for k in answers} == answers
    assert {k: vector["paths", k] for k in paths} == paths
    assert len(vector) == len(answers) + len(paths) + 1
    assert hidden(SPACE, cell)["score"] in vector.values()


@pytest.mark.parametrize(
    "predictor",
    [RandomForest(features=("answers", hidden)), Boosting(features=(hidden,), trees=30, members=2)],
)
def test_scores_of_a_function_are_learned(predictor: Any) -> None:
    """Values that only the further feature shows are ranked by it, and hardly without it."""
    cells = draw(160)
    values = [hidden(SPACE, c)["score"] for c in cells]
    lessons, unknown = make_trials(cells[:80], values[:80]), cells[80:]
    with_it = predictor.start(SPACE, 0).fit(lessons).predict(unknown).mean
    without = replace(predictor, features=("answers",)).start(SPACE, 0).fit(lessons).predict(unknown).mean
    assert kendall(with_it, values[80:]) > 0.8
    assert abs(kendall(without, values[80:])) < 0.4


def curve_trial(number: int, cell: Architecture, epochs: int, values: list[float]) -> Trial:
    points = tuple(Point(i + 1, {"value": v}, 0.0) for i, v in enumerate(values))
    return Trial(number, cell, Fidelity(epochs=epochs), outcome=Done(values[-1], curve=points))


def test_a_partial_curve_is_a_feature_and_its_end_the_value() -> None:
    """Of two cells trained for four epochs the first three are features; a third, trained for two, is no
    lesson, and its values are known when it is predicted."""
    full, other, short = draw(3)
    trials = [
        curve_trial(0, full, 4, [0.1, 0.2, 0.3, 0.4]),
        curve_trial(1, other, 4, [0.2, 0.4, 0.6, 0.8]),
        curve_trial(2, short, 2, [0.3, 0.5]),
    ]
    features, vectors, values = read_vectors(SPACE, ("curve",), trials)
    assert values.tolist() == [0.4, 0.8]
    assert vectors[0] == {("curve", 1): 0.1, ("curve", 2): 0.2, ("curve", 3): 0.3}
    assert features.describe(short) == {("curve", 1): 0.3, ("curve", 2): 0.5}


def test_curves_of_losses_are_turned_with_their_values() -> None:
    """A search for the lowest learns the negative of its curves, as of their ends, so that short and long
    trainings have one direction; what its points hold beside the value stays."""
    cell = draw(1)[0]
    points = tuple(Point(i, {"value": v, "seconds": 2.0}) for i, v in enumerate([0.7, 0.6, 0.5], 1))
    long, short = (
        Trial(n, cell, Fidelity(epochs=e), outcome=Done(v, curve=points[:e], minimize=True))
        for n, (e, v) in enumerate([(3, 0.5), (2, 0.6)])
    )
    turned = [trial.turn_upwards() for trial in (long, short)]
    _, vectors, values = read_vectors(SPACE, ("curve",), turned)
    assert values.tolist() == [-0.5]
    assert vectors == [{("curve", 1): -0.7, ("curve", 2): -0.6}]
    assert isinstance(turned[0].outcome, Done)
    assert turned[0].outcome.curve[0].metrics["seconds"] == 2.0


def test_partial_curves_rank_what_answers_do_not_show() -> None:
    """Final values that only the first epochs tell are predicted from these for other architectures."""
    cells = draw(120)
    ends = [hidden(SPACE, c)["score"] for c in cells]
    trials = [
        curve_trial(n, c, 2, [e / 2, e]) for n, (c, e) in enumerate(zip(cells[:60], ends[:60], strict=True))
    ]
    rest = zip(cells[60:], ends[60:], strict=True)
    trials += [curve_trial(60 + n, c, 1, [e / 2]) for n, (c, e) in enumerate(rest)]
    fitted = RandomForest(features=("answers", "curve")).start(SPACE, 0).fit(trials)
    assert kendall(fitted.predict(cells[60:]).mean, ends[60:]) > 0.8


def test_a_forest_on_answers_alone_has_the_spec_it_had() -> None:
    """A run from before there were other features names the same predictor."""
    assert PREDICTORS.spec(RandomForest()) == {"name": "forest", "arguments": {"trees": 30}}
    spec = PREDICTORS.spec(RandomForest(features=("answers", "paths")))
    assert PREDICTORS.make(json.loads(json.dumps(spec))) == RandomForest(features=("answers", "paths"))


@pytest.mark.parametrize("cls", [RandomForest, Boosting])
def test_mistakes_are_sentences(cls: Any) -> None:
    """An unknown source with the nearest one; no source at all; an unknown library."""
    with pytest.raises(UnknownName, match="did you mean 'answers'"):
        cls(features=("answer",))
    with pytest.raises(UsageError, match="features are empty"):
        cls(features=())
    with pytest.raises(UsageError, match="library is scikit-learn or lightgbm"):
        Boosting(library="xgboost")


def test_lightgbm_is_an_extra() -> None:
    """Without it the sentence says how to install it; with it, it learns."""
    cells = draw(60)
    values = [float(sum("3x3" in str(a) for a in c.values())) for c in cells]
    learner = Boosting(library="lightgbm").start(SPACE, 0)
    lessons = make_trials(cells[:40], values[:40])
    if importlib.util.find_spec("lightgbm") is None:
        with pytest.raises(MissingExtra, match=r"cambrian\[lightgbm\]"):
            learner.fit(lessons)
        return
    fitted = learner.fit(lessons)
    assert kendall(fitted.predict(cells[40:]).mean, values[40:]) > 0.5


def test_ranks_are_summed_in_logarithms() -> None:
    """One low rank counts for more than one high rank; ties share their rank, and NaN is the worst."""
    totals = sum_log_ranks([[1, 2, 3, 4], [4, 2, 2, float("nan")]])
    expected = np.log([[1, 2, 3, 4], [4, 2.5, 2.5, 1]]).sum(0) - 2 * np.log(4)
    assert totals == pytest.approx(expected)


@pytest.mark.slow
class TestForestOnPaths(PredictorSuite):
    """The forest with two sources keeps the contract of predictors."""

    def case(self) -> PredictorCase:
        return PredictorCase(RandomForest(features=("answers", "paths")), SPACE, trials=40)
