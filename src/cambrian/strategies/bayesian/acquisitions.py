"""Acquisition functions: the utility of measuring an architecture, by a predictor's mean and deviation.

Predictors learn values as normal scores: only their order counts, so that a few broken networks at the
bottom do not set the scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.architecture import Architecture
from cambrian.predictors.gaussian_process import compute_expected_improvement, normal_scores
from cambrian.predictors.predictor import Conditions, make_trials
from cambrian.strategies.bayesian.candidates import Acquisition

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cambrian.outcome import Trial

    Array = NDArray[np.float64]

Lessons = tuple[Sequence[Architecture], "Array"]
"""Architectures and their values."""


def score_lessons(lessons: Lessons) -> list[Trial]:
    """The lessons as trials whose values are normal scores."""
    architectures, values = lessons
    return make_trials(architectures, normal_scores(values))


def hope_to_improve(fitted: Any, lessons: Lessons, pending: Sequence[Architecture]) -> Acquisition:
    """Expected improvement on the best of the lessons. A predictor that can be conditioned is conditioned on
    all lessons, and on its own predictions for the pending trials (the "Kriging believer" of Ginsbourger et
    al. 2010); any other predictor knows only the lessons it was fitted on."""
    targets = normal_scores(lessons[1])
    if isinstance(fitted, Conditions):  # fits are rarer than trials: conditioning catches up
        measured = score_lessons(lessons)
        fitted = fitted.condition(measured)
        if pending:
            believed = fitted.predict(pending).mean
            # They count for the best too, else a promising pending trial's neighbours would improve on it.
            targets = np.concatenate([targets, believed])
            fitted = fitted.condition([*measured, *make_trials(pending, believed)])
    best = float(targets.max())

    def hope(candidates: Sequence[Architecture]) -> Array:
        mean, deviation = fitted.predict(candidates)
        return compute_expected_improvement(mean, deviation, best)

    return hope


def draw_hopes(fitted: Any, rng: np.random.Generator) -> Acquisition:
    """Independent Thompson sampling: one draw from N(mean, deviation^2) for each candidate. Draws differ from
    proposal to proposal, so that pending trials need no further treatment."""

    def hope(candidates: Sequence[Architecture]) -> Array:
        drawn: Array = rng.normal(*fitted.predict(candidates))
        return drawn

    return hope
