"""Bayesian optimisation: fit a Gaussian process to all measurements, and measure the architecture with the
highest expected improvement (Jones, Schonlau & Welch, "Efficient Global Optimization", 1998).

`Improving` is the base for any predictor with deviations; `Bayes` is the strategy for small budgets, whose
predictor is a setting.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from cambrian.architecture import Architecture
from cambrian.errors import UsageError
from cambrian.predictors.kernel_predictor import KernelPredictor
from cambrian.settings import Span
from cambrian.strategies.bayesian.acquisitions import hope_to_improve, score_lessons
from cambrian.strategies.bayesian.candidates import Acquisition
from cambrian.strategies.bayesian.model_based import ModelBased, State
from cambrian.strategies.bayesian.several_objectives import (
    hope_despite_noise,
    hope_to_extend,
    read_lessons,
)
from cambrian.strategies.surrogates import make_deviating_surrogate, name_surrogate

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Improving(ModelBased):
    """Expected improvement under a predictor; of several objectives, expected hypervolume improvement under
    one predictor for each. With `draws` measurements are noisy, and the front is one of so many that are
    drawn from the posterior (qNEHVI); the predictor must be a Gaussian process then. Of one
    objective there is no front, and `draws` change nothing."""

    draws: Annotated[int, Span(0, 1024)] = field(default=0, metadata={"later": True})
    follows_all: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.draws and not isinstance(self.predictor(), KernelPredictor):
            raise UsageError(
                "draws need joint draws of a predictor, which Gaussian processes have: surrogate gp"
            )

    @abstractmethod
    def predictor(self) -> Any:
        """The predictor of normal scores."""

    def fit(self, state: State) -> Any:
        if len(state.objectives) > 1:
            return self._fit_each(state)
        lessons = self.lessons(state.trials)
        learner = self.predictor().start(state.space, state.seed, "bayes", "fit", len(lessons[1]))
        return learner.fit(score_lessons(lessons), state.model)

    def acquisition(
        self, state: State, pending: Sequence[Architecture], rng: np.random.Generator
    ) -> Acquisition:
        if len(state.objectives) == 1:
            return hope_to_improve(state.model, self.lessons(state.trials), pending)
        lessons = read_lessons(state.trials, state.objectives, self.memory)
        if self.draws:
            return hope_despite_noise(state.model, lessons, pending, self.draws, rng)
        return hope_to_extend(state.model, lessons, pending)

    def _fit_each(self, state: State) -> Any:
        """One model for each objective; None before two architectures differ in them."""
        lessons = read_lessons(state.trials, state.objectives, self.memory)
        models = []
        for j, objective in enumerate(state.objectives):
            purpose = ("bayes", "fit", objective.name, len(lessons.architectures))
            learner = self.predictor().start(state.space, state.seed, *purpose)
            models.append(learner.fit(lessons.list_trials(j), state.model and state.model[j]))
        return tuple(models)


@dataclass(frozen=True)
class Bayes(Improving):
    """The strategy for small budgets; its `surrogate` is any predictor with deviations. The default,
    "gp-scores", is a Gaussian process on paths and answers (see `PathKernel`) that takes normal scores as
    they are; "gp" would standardise them first, as it does any values. `draws` are for several objectives,
    and change nothing with one."""

    initial: int = 10
    refit: int = 1
    candidates: int = 40
    surrogate: Any = field(default="gp-scores", metadata={"later": True})
    enumerated: ClassVar[int] = 20_000
    listed: ClassVar[int] = 20_000

    def __post_init__(self) -> None:
        object.__setattr__(self, "surrogate", name_surrogate(self.surrogate))
        super().__post_init__()

    @property
    def needs(self) -> tuple[type, ...]:  # type: ignore[override]
        """The needs of the surrogate. One without deviations is refused here, before anything runs."""
        needs: tuple[type, ...] = self.predictor().needs
        return needs

    def predictor(self) -> Any:
        return make_deviating_surrogate("bayes", self.surrogate)
