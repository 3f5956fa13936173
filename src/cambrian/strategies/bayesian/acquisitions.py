"""Acquisition functions: the hope in measuring an architecture, by a predictor's mean and deviation.

Values enter a predictor as normal scores: only their order counts, so that a few broken networks at the
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
    """Expected improvement on the best of the lessons. A predictor that can be conditioned knows all of them,
    and believes that what is pending comes out as expected (Ginsbourger et al. 2010); any other knows what
    it was fitted on."""
    targets = normal_scores(lessons[1])
    if isinstance(fitted, Conditions):  # fits are rarer than trials: conditioning catches up
        known = score_lessons(lessons)
        fitted = fitted.condition(known)
        if pending:
            believed = fitted.predict(pending).mean
            targets = np.concatenate([targets, believed])  # or what is believed best would be hoped for again
            fitted = fitted.condition([*known, *make_trials(pending, believed)])
    best = float(targets.max())

    def hope(candidates: Sequence[Architecture]) -> Array:
        mean, deviation = fitted.predict(candidates)
        return compute_expected_improvement(mean, deviation, best)

    return hope


def draw_hopes(fitted: Any, rng: np.random.Generator) -> Acquisition:
    """Independent Thompson sampling: a draw from N(mean, deviation^2) for each. Draws differ, and so do the
    proposals made while others are pending."""

    def hope(candidates: Sequence[Architecture]) -> Array:
        drawn: Array = rng.normal(*fitted.predict(candidates))
        return drawn

    return hope
