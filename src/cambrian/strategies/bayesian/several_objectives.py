"""Models and acquisition of Bayesian optimisation for several objectives: one predictor for each objective,
independent of the others, and the expected hypervolume improvement of the front (see `volume_improvement`).

With noisy objectives the front itself is uncertain: Daulton, Balandat & Bakshy, "Parallel Bayesian
Optimization of Multiple Noisy Objectives with Expected Hypervolume Improvement" (qNEHVI, NeurIPS 2021),
average over fronts drawn from the posterior at the measured points, pending ones among them.

All objectives are learned as normal scores, in which the front is the same front.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cambrian.architecture import Architecture
from cambrian.hypervolume import MARGIN, Vector
from cambrian.outcome import Trial
from cambrian.predictors.gaussian_process import normal_scores
from cambrian.predictors.predictor import Conditions, make_trials
from cambrian.problem import Objective
from cambrian.recommendation import front_numbers
from cambrian.strategies.bayesian.candidates import Acquisition
from cambrian.strategies.bayesian.volume_improvement import Cells, divide_space, expect_improvement

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


class Lessons(NamedTuple):
    """Architectures, their normal scores float[n, objectives], and the reference point in these."""

    architectures: list[Architecture]
    scores: Array
    reference: Vector

    def list_trials(self, j: int) -> list[Trial]:
        """The lessons of objective `j`."""
        return make_trials(self.architectures, self.scores[:, j])


def read_lessons(trials: Sequence[Trial], objectives: Sequence[Objective], memory: int) -> Lessons:
    """The last scores of each architecture, at most `memory` of them; one that failed, or lacks an objective,
    has the worst of the others in all."""
    last = {t.architecture: _read_vector(t, objectives) for t in trials}
    known = [v for v in last.values() if v is not None]
    worst = tuple(map(min, zip(*known, strict=True)))
    vectors = {a: worst if v is None else v for a, v in last.items()}
    kept = _choose_kept(vectors, memory)
    raw = np.array([vectors[a] for a in kept], np.float64)
    scores = np.stack([normal_scores(column) for column in raw.T], axis=1)
    return Lessons(kept, scores, _score_reference(raw, scores, objectives))


def list_front(trials: Sequence[Trial], objectives: Sequence[Objective], count: int) -> list[Architecture]:
    """At most `count` architectures: evenly over the front, then of further fronts in their order."""
    vectors = {t.architecture: v for t in trials if (v := _read_vector(t, objectives)) is not None}
    levels = front_numbers(list(vectors.values()))
    ranked = sorted(zip(levels, vectors, strict=True), key=lambda pair: (pair[0], -vectors[pair[1]][0]))
    first = [a for level, a in ranked if level == 0]
    places = np.linspace(0, len(first) - 1, min(count, len(first))).round().astype(int).tolist()
    spread = [first[n] for n in places]
    return [*spread, *(a for level, a in ranked if level)][:count]


def hope_to_extend(models: Sequence[Any], lessons: Lessons, pending: Sequence[Architecture]) -> Acquisition:
    """The expected hypervolume improvement on the lessons' front. Pending trials count with the models' own
    predictions, as in `hope_to_improve`."""
    architectures, scores = lessons.architectures, lessons.scores
    models = [_condition(m, architectures, scores[:, j]) for j, m in enumerate(models)]
    if pending:
        believed = np.stack([m.predict(pending).mean for m in models], axis=1)
        architectures, scores = [*architectures, *pending], np.concatenate([scores, believed])
        models = [_condition(m, architectures, scores[:, j]) for j, m in enumerate(models)]
    cells = _divide(scores, lessons.reference)

    def hope(candidates: Sequence[Architecture]) -> Array:
        return _expect(models, candidates, cells)

    return hope


def hope_despite_noise(
    models: Sequence[Any],
    lessons: Lessons,
    pending: Sequence[Architecture],
    draws: int,
    rng: np.random.Generator,
) -> Acquisition:
    """The mean of the expected hypervolume improvement over `draws` fronts, each of values that the models
    draw jointly for the lessons and the pending trials, and are then conditioned on without noise. The draws
    are the same for all candidates."""
    models = [_condition(m, lessons.architectures, lessons.scores[:, j]) for j, m in enumerate(models)]
    points = list(dict.fromkeys([*lessons.architectures, *pending]))
    drawn = np.stack([m.draw(points, draws, rng) for m in models], axis=2)  # float[draws, points, objectives]
    certain = [[m.suppose(points, values[:, j]) for j, m in enumerate(models)] for values in drawn]
    fronts = [_divide(values, lessons.reference) for values in drawn]

    def hope(candidates: Sequence[Architecture]) -> Array:
        parts = (_expect(m, candidates, cells) for m, cells in zip(certain, fronts, strict=True))
        total: Array = np.mean(list(parts), axis=0)
        return total

    return hope


def _expect(models: Sequence[Any], candidates: Sequence[Architecture], cells: Cells) -> Array:
    predictions = [m.predict(candidates) for m in models]
    return expect_improvement([p.mean for p in predictions], [p.deviation for p in predictions], cells)


def _condition(model: Any, architectures: Sequence[Architecture], values: Array) -> Any:
    """The model with all lessons, where it can be conditioned: fits are rarer than trials."""
    return model.condition(make_trials(architectures, values)) if isinstance(model, Conditions) else model


def _divide(scores: Array, reference: Vector) -> Cells:
    vectors = [tuple(row) for row in scores.tolist()]
    levels = front_numbers(vectors)
    return divide_space([v for v, level in zip(vectors, levels, strict=True) if level == 0], reference)


def count_vectors(trials: Sequence[Trial], objectives: Sequence[Objective]) -> int:
    """The number of different vectors of scores among the trials that have all objectives."""
    return len({_read_vector(t, objectives) for t in trials} - {None})


def _read_vector(trial: Trial, objectives: Sequence[Objective]) -> Vector | None:
    vector = None if trial.value is None else trial.scores(objectives)
    return vector if vector is not None and all(map(math.isfinite, vector)) else None


def _choose_kept(vectors: dict[Architecture, Vector], memory: int) -> list[Architecture]:
    """As `ModelBased.lessons` keeps them: half of the best fronts, the rest the newest."""
    kept = list(vectors)
    if len(kept) <= memory:
        return kept
    levels = dict(zip(kept, front_numbers([vectors[a] for a in kept]), strict=True))
    top = sorted(kept, key=lambda a: levels[a])[: memory // 2]
    return list(dict.fromkeys([*top, *reversed(kept)]))[:memory]


def _score_reference(raw: Array, scores: Array, objectives: Sequence[Objective]) -> Vector:
    """The reference point among the normal scores: the user's own at its place between the values, any other
    as in `choose_reference`, from the front's scores."""
    front = scores[np.array(front_numbers([tuple(row) for row in raw.tolist()])) == 0]
    return tuple(
        _choose_low(front[:, j], scores[:, j])
        if o.reference is None
        else _find_score(_turn(o), raw[:, j], scores[:, j])
        for j, o in enumerate(objectives)
    )


def _choose_low(front: Array, scores: Array) -> float:
    # Where the front has one value, as a front of one point, the range is that of all: without any nothing
    # would count but what is better in this objective too.
    return float(front.min() - MARGIN * (np.ptp(front) or np.ptp(scores) or 1.0))


def _turn(objective: Objective) -> float:
    assert objective.reference is not None
    return -objective.reference if objective.minimize else objective.reference


def _find_score(value: float, raw: Array, scores: Array) -> float:
    if value < raw.min():  # below all values, as any that the user still has a use for
        return float(scores.min() - MARGIN * (np.ptp(scores) or 1.0))
    order = np.argsort(raw)
    return float(np.interp(value, raw[order], scores[order]))
