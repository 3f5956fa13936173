"""Sources of the features that a predictor on vectors reads of an architecture, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cambrian.architecture import Architecture
from cambrian.errors import UnknownName, UsageError
from cambrian.outcome import Done, Trial
from cambrian.outliers import lift_outliers
from cambrian.predictors.features import Vector, answers_of, paths_of
from cambrian.predictors.predictor import Values, read_lessons
from cambrian.registry import Registry
from cambrian.spaces.knowledge import Graphs, know

ANSWERS, PATHS, CURVE = "answers", "paths", "curve"
SOURCES = (ANSWERS, PATHS, CURVE)
Source = str | Callable[[Any, Architecture], Mapping[str, float]]


def check_sources(predictor: str, sources: Sequence[Any]) -> None:
    """Raise UsageError for sources that are neither known, nor `module:function`, nor functions."""
    if not sources:
        raise UsageError(f"predictor {predictor!r}: features are empty: name some, such as answers")
    for source in sources:
        if not callable(source) and not (isinstance(source, str) and (source in SOURCES or ":" in source)):
            raise UnknownName(f"features of predictor {predictor!r}", str(source), SOURCES)


@dataclass(frozen=True)
class Features:
    """The vectors of architectures of `space`. "answers" are one-hot, "paths" those of the graph (none where
    the space does not have graphs), "curve" the values of an architecture's shorter trainings, in `curves`; a
    function (space, architecture) gives further numbers by name, such as the scores of proxies."""

    space: Any
    sources: tuple[Any, ...]
    curves: Mapping[Architecture, Vector] = field(default_factory=dict)

    def describe(self, architecture: Architecture) -> Vector:
        vector: dict[Any, float] = {}
        for source in self.sources:
            part = self._read(source, architecture)
            # The answers' names stay as they are, so that a forest on them alone is what it was.
            vector |= part if source == ANSWERS else {(str(source), k): v for k, v in part.items()}
        return vector

    def _read(self, source: Any, architecture: Architecture) -> Mapping[Any, float]:
        if source == ANSWERS:
            answers: Vector = answers_of(self.space, architecture)
            return answers
        if source == PATHS:
            paths: Vector = paths_of(self.space, architecture) if know(self.space, Graphs) is not None else {}
            return paths
        if source == CURVE:
            return self.curves.get(architecture, {})
        function = Registry("feature", {}).get(source) if isinstance(source, str) else source
        return {str(name): float(value) for name, value in function(self.space, architecture).items()}


def read_vectors(
    space: Any, sources: Sequence[Any], trials: Sequence[Trial]
) -> tuple[Features, list[Vector], Values]:
    """The features, and the vectors and values to learn. With "curve", the values are those of the longest
    trainings, and the shorter ones of the same architectures are features."""
    curves: dict[Architecture, Vector] = {}
    if CURVE in sources:
        longest = max((t.fidelity.epochs or 0 for t in trials if t.value is not None), default=0)
        curves = _read_curves(trials, longest)
        trials = [t for t in trials if t.value is None or (t.fidelity.epochs or 0) == longest]
    features = Features(space, tuple(sources), curves)
    architectures, values = read_lessons(trials)
    return features, [features.describe(a) for a in architectures], lift_outliers(values)


def _read_curves(trials: Sequence[Trial], longest: int) -> dict[Architecture, Vector]:
    """By architecture the value after each number of epochs below the longest, from the points of its curves
    and the ends of its shorter trainings."""
    curves: dict[Architecture, dict[Any, float]] = {}
    for trial in trials:
        if not isinstance(trial.outcome, Done):
            continue
        points = {p.step: p.metrics["value"] for p in trial.outcome.curve if "value" in p.metrics}
        points[trial.fidelity.epochs or 0] = trial.outcome.value
        shorter = {step: value for step, value in points.items() if step < longest}
        curves.setdefault(trial.architecture, {}).update(shorter)
    return dict(curves)
