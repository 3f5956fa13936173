"""Learning-curve extrapolation (Elsken et al. 2019, Sec. 4): a training that will not beat the best one ends
early, by the rule of Domhan et al. (IJCAI 2015, Algorithm 1), and its value is the predicted one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, ClassVar

import msgspec

from cambrian.architecture import Architecture
from cambrian.curves import CURVE_MODELS
from cambrian.curves.curve import Forecast, drop_exploded, list_complete
from cambrian.effort import STOPPED, Axis
from cambrian.errors import UnknownName, UsageError
from cambrian.estimators.early_end import end_early
from cambrian.estimators.estimator import SERVES, Estimate, Job
from cambrian.estimators.known_curves import Unit, is_whole, list_known, read_curve, read_trials, value_name
from cambrian.outcome import Done, Fidelity, Outcome, Point
from cambrian.randomness import integer_seed
from cambrian.registry import find_registry
from cambrian.settings import COUNT, Span, check_settings

CONSERVATIVE, OPTIMISTIC, NEVER = RULES = ("conservative", "optimistic", "never")
CERTAIN = 0.005
"""The deviation of a forecast, in units of high - low, below which the optimistic rule trusts it."""


@dataclass(frozen=True)
class Extrapolated:
    """Measures by the estimator `inner` (training, where none is named), which gives a curve. At `checks`
    places, evenly from the beginning to the end, the curve `model` predicts the value at the end. By the
    rule `stop` the training ends there: "conservative" if the probability of more than the best value so far
    is below `threshold`, "optimistic" also if the forecast's deviation is below half a hundredth, "never"
    only reports.

    The best value is of all trials that the strategy had learned, and the curves that a model learns from are
    of the latest `curves` of them; while these are too few, nothing is predicted. `low` and `high` are the
    bounds of values, which some models need. Trainings at a lower fidelity than the search's, and those of
    the last stage, run to their end."""

    inner: Any = "train"
    model: str = "svr"
    stop: str = CONSERVATIVE
    threshold: Annotated[float, Span(0, 1)] = 0.05
    checks: Annotated[int, COUNT] = 10
    curves: Annotated[int, COUNT] = 200
    low: float = 0.0
    high: float = 1.0
    reads_history: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_settings(self, "estimator 'extrapolated'")
        if self.stop not in RULES:
            raise UnknownName("stopping rule", self.stop, RULES)
        if not self.low < self.high:
            raise UsageError(
                f"estimator 'extrapolated': low is below high, got {self.low:g} and {self.high:g}"
            )
        if not isinstance(self.inner, str | Mapping):
            # As a spec, from which another process makes it again; an object without one stays.
            object.__setattr__(self, "inner", find_registry("estimator").spec(self.inner) or self.inner)
        _ = self.estimator, self.curve_model  # what cannot be had is refused at once

    @cached_property
    def estimator(self) -> Any:
        registry = find_registry("estimator")
        if isinstance(self.inner, str):
            return registry.parse(self.inner)
        return registry.make(self.inner) if isinstance(self.inner, Mapping) else self.inner

    @cached_property
    def curve_model(self) -> Any:
        return CURVE_MODELS.parse(self.model)

    @property
    def needs(self) -> tuple[type, ...]:
        return tuple(self.estimator.needs)

    @property
    def builds(self) -> bool:
        return bool(self.estimator.builds)

    @property
    def delivers(self) -> bool:
        return bool(self.estimator.delivers)

    @property
    def serves(self) -> tuple[type, ...]:
        return tuple(getattr(self.estimator, "serves", SERVES))

    @property
    def axes(self) -> tuple[Axis, ...]:
        return tuple(getattr(self.estimator, "axes", ()))

    @property
    def raw(self) -> bool:
        return bool(getattr(self.estimator, "raw", False))

    @property
    def leaves(self) -> bool:
        return bool(getattr(self.estimator, "leaves", True))

    @property
    def seconds(self) -> Any:
        """Where the estimator looks its seconds up, the table's column."""
        return getattr(self.estimator, "seconds", None)

    @property
    def minimize(self) -> bool:
        return bool(getattr(self.estimator, "minimize", False))

    def plan_epochs(self, architecture: Architecture, fidelity: Fidelity) -> int:
        """Those of the estimator, should no forecast end the training."""
        plan = getattr(self.estimator, "plan_epochs", None)
        return fidelity.epochs if plan is None else int(plan(architecture, fidelity))

    def wrap(self, estimator: Any) -> Extrapolated:
        """The same settings around `estimator`, unless they name another one themselves."""
        return replace(self, inner=estimator) if self.inner == "train" else self

    def prepare(self) -> None:
        prepare = getattr(self.estimator, "prepare", None)
        if prepare is not None:
            prepare()

    def run(self, job: Job) -> Estimate:
        estimate = self.estimator.run(job)
        if job.stage != "search" or job.fidelity.epochs != job.problem.fidelity.epochs:
            whole: Outcome = yield from estimate
            return whole
        watch = Watch(self, job)
        try:
            while True:
                point = next(estimate)
                yield point
                if watch.is_over(point):
                    return watch.stop(end_early(estimate))
        except StopIteration as end:
            outcome: Outcome = end.value
            return watch.report(outcome)
        finally:
            estimate.close()


class Watch:
    """Reads the curve of one training point by point, and tells when it is over."""

    def __init__(self, settings: Extrapolated, job: Job) -> None:
        self.settings, self.job, self.model = settings, job, settings.curve_model
        self.points: list[Point] = []
        self.forecast: Forecast | None = None
        self.name = ""
        self.last = job.fidelity.epochs
        # The end itself is no check: there is nothing left to predict.
        places = {round(self.last * n / settings.checks) for n in range(1, settings.checks)}
        self.places = sorted(place for place in places if 0 < place < self.last)
        alike = list_known(job)
        self.known, self.whole = alike[-settings.curves :], [trial for trial in alike if is_whole(trial)]
        minimize = job.problem.objectives[0].minimize
        self.unit = Unit.of(settings.low, settings.high, minimize, self.model.bounded)

    @cached_property
    def learned(self) -> tuple[Any, Any]:
        """The model that has read the other curves, once for all checks, and the architecture's description;
        None for the model where it has too few curves."""
        others, described = read_trials(self.known, self.job, self.name, self.unit)
        others = drop_exploded(others)
        if len(list_complete(others, self.last)) < self.model.others:
            return None, described
        seed = integer_seed(self.job.seed, "extrapolated", self.job.identity)
        return self.model.start(others, float(self.last), seed), described

    @cached_property
    def best(self) -> float | None:
        """The best measured value, in the model's unit."""
        values = [trial.outcome.value for trial in self.whole if isinstance(trial.outcome, Done)]
        return float(self.unit.read(values).max()) if values else None

    def is_over(self, point: Point) -> bool:
        """Whether the training ends after this point."""
        self.name = self.name or value_name(point.metrics, self.settings.estimator)
        self.points.append(point)
        if not self.places or point.step < self.places[0]:
            return False
        self.places = [place for place in self.places if place > point.step]
        return point.step < self.last and self._check()

    def _check(self) -> bool:
        model, described = self.learned
        if model is None:
            return False
        curve = read_curve(self.points, self.name, self.unit, described)
        self.forecast = model.predict(curve, float(self.last))
        # Never while the curve itself is the best: only a better one could make it a loss.
        if self.settings.stop == NEVER or self.best is None or curve.values.max() > self.best:
            return False
        width = 1.0 if self.unit.bounded else self.settings.high - self.settings.low
        sure = self.settings.stop == OPTIMISTIC and self.forecast.deviation < CERTAIN * width
        return sure or self.forecast.exceeds(self.best) < self.settings.threshold

    def report(self, outcome: Outcome) -> Outcome:
        """The outcome of a training that ran to its end, with the latest forecast beside its value."""
        if not isinstance(outcome, Done) or self.forecast is None:
            return outcome
        told = self.unit.write(self.forecast)
        metrics = {"predicted": told.mean, "predicted_deviation": told.deviation, "epochs_saved": 0.0}
        return msgspec.structs.replace(outcome, metrics={**outcome.metrics, **metrics})

    def stop(self, outcome: Outcome | None) -> Outcome:
        """The outcome of a training that ended here: its value is the predicted one."""
        if outcome is not None and not isinstance(outcome, Done):
            return outcome
        assert self.forecast is not None  # it ended by a forecast
        told, point = self.unit.write(self.forecast), self.points[-1]
        metrics = {
            "last_value": point.metrics[self.name],
            "predicted": told.mean,
            "predicted_deviation": told.deviation,
            "epochs": float(point.step),
            "epochs_saved": float(self.last - point.step),
        }
        ended = outcome or Done(told.mean, dict(point.metrics), tuple(self.points), point.seconds)
        return msgspec.structs.replace(
            ended,
            value=told.mean,
            metrics={**ended.metrics, **metrics},
            data={**ended.data, STOPPED: point.step},
        )
