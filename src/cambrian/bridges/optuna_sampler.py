"""A strategy as an Optuna sampler, for a study of your own.

    import optuna
    from cambrian.bridges.optuna_sampler import StrategySampler, suggest

    sampler = StrategySampler("nasbench201", "regularized-evolution", seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(lambda trial: train_your_way(suggest(sampler.space, trial)), n_trials=100)

Storage, parallel workers and dashboards are Optuna's; a durable search, weights that trials share and lower
fidelities are `Search`'s. Needs `pip install 'cambrian[optuna]'`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from cambrian.architecture import Architecture, replay, sample
from cambrian.choices import Choice
from cambrian.codec import decode, encode
from cambrian.errors import CambrianError, MissingExtra, UsageError
from cambrian.outcome import Crashed, Fidelity, Infeasible, Outcome, Trial, outcome_of
from cambrian.problem import Objective, Problem
from cambrian.randomness import stream
from cambrian.registry import name_of
from cambrian.request import Evaluate, Stop, trial_of
from cambrian.search.loop.answers import check_proposal, check_state
from cambrian.search.parts.compatibility import check_axes, check_needs, check_serves
from cambrian.search.parts.components import component
from cambrian.spaces.space import Space
from cambrian.strategies.bayesian.tpe import Known, ask_choice, freeze_trial, name_parameter, suggest
from cambrian.strategies.inner import has_trait
from cambrian.strategies.strategy import Strategy
from cambrian.weights import Fresh

try:
    from optuna.samplers import BaseSampler, RandomSampler
    from optuna.trial import TrialState
except ImportError as error:
    raise MissingExtra("optuna", "optuna", "a strategy as an Optuna sampler") from error

__all__ = ["StrategySampler", "suggest"]

REQUEST = "cambrian:request"
"""The attribute of an Optuna trial that keeps the strategy's request."""


class OptunaObjective:
    """An objective of Optuna's as strategies see it: one value of a whole training from scratch."""

    serves: ClassVar[tuple[type, ...]] = (Evaluate, Fresh)


class StrategySampler(BaseSampler):  # type: ignore[misc, unused-ignore]  # Any where Optuna is not installed
    """Answers a trial's questions as `strategy` proposes; both it and `space` by name, description or object.
    The proposal of trial n is the one that a search with this seed makes, if all n trials before have ended,
    and in the study's own storage, so that a study that is loaded again goes on.

    The strategy learns all ended trials of the study, those of other samplers too, unless it is one that can
    only learn its own; trials that do not answer the space's questions are left out. Where it would wait for
    trials that are still running, an architecture is drawn at random, and where it stops, so does the study.
    `trials` is the number of trials to come, for strategies that have to know.

    Raises Incompatible for a strategy that needs more than whole trainings from scratch: weights of other
    trials, supernets, lower fidelities."""

    def __init__(self, space: Any, strategy: Any, seed: int = 0, trials: int | None = None) -> None:
        self.space: Space = component("space", space)
        self.strategy: Strategy = component("strategy", strategy)
        self._seed, self._trials = seed, trials
        self._random = RandomSampler(seed)
        self._study: tuple[str, datetime | None] = ("", None)
        self._learned: tuple[list[int], Any] = ([], None)
        self._ended: dict[int, Trial | None] = {}
        self._parameters: dict[int, dict[str, Any]] = {}
        self._check()

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
        """Of no use here: all parameters are sampled by name."""
        return {}

    def sample_relative(self, study: Any, trial: Any, search_space: dict[str, Any]) -> dict[str, Any]:
        return {}

    def reseed_rng(self) -> None:
        """Only what the objective asks beside the space's questions is drawn anew in each worker: proposals
        differ by the numbers of their trials."""
        self._random.reseed_rng()

    def before_trial(self, study: Any, trial: Any) -> None:
        """Ask the strategy, and keep its request with the trial."""
        others = [other for other in study.get_trials(deepcopy=False) if other.number != trial.number]
        # A study in memory may have the name of an earlier one: they differ in when they began.
        named = (study.study_name, others[0].datetime_start if others else None)
        if named != self._study:  # of the trials of another one nothing is known
            self._study, self._learned, self._ended = named, ([], None), {}
        known = _find_names(others)
        request = self._propose(study, others, known, trial.number)
        study._storage.set_trial_system_attr(trial._trial_id, REQUEST, encode(request).decode())
        proposed = Trial(trial.number, request.architecture, Fidelity())
        self._parameters[trial.number] = freeze_trial(self.space, proposed, dict(known)).params

    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
        """The proposal's answer; a random one to a question that is not the space's."""
        parameters = self._parameters.get(trial.number, {})
        if param_name in parameters:
            return parameters[param_name]
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Any, trial: Any, state: Any, values: Sequence[float] | None) -> None:
        self._parameters.pop(trial.number, None)

    def _check(self) -> None:
        check_needs(self.strategy, self.space)
        check_serves(self.strategy, {"": OptunaObjective()})
        check_axes(self.strategy, OptunaObjective(), Fidelity())
        if has_trait(self.strategy, "needs_trials") and self._trials is None:
            raise UsageError(
                f"{name_of(self.strategy)} has to know how many trials there will be:"
                " StrategySampler(..., trials=100)"
            )

    def _propose(self, study: Any, others: Sequence[Any], known: Known, number: int) -> Evaluate:
        """The strategy's request, knowing all trials that have ended."""
        problem = _state_problem(study, self.space, self._seed, self._trials)
        trials = [trial for other in others if (trial := self._read(other, known, problem)) is not None]
        state = self._learn(problem, [trial for trial in trials if trial.outcome is not None])
        # The stream that a search has for this number.
        rng = stream(self._seed, "propose", number)
        proposal = self.strategy.propose(state, [trial for trial in trials if trial.outcome is None], rng)
        # By arrival: the strategy may know trials with a higher number than this one.
        check_proposal(self.strategy, proposal, max([number, *(t.number + 1 for t in trials)]))
        if isinstance(proposal, Evaluate):
            return proposal
        if isinstance(proposal, Stop):
            with suppress(RuntimeError):  # a study that is asked trial by trial has no loop to be stopped
                study.stop()
        # Optuna's trial has begun, and must have some parameters.
        return Evaluate(sample(self.space, rng))

    def _learn(self, problem: Problem, trials: Sequence[Trial]) -> Any:
        """The strategy's state after these trials; those that it learned last time are not learned again."""
        numbers = [trial.number for trial in trials]
        learned, state = self._learned
        if not learned or numbers[: len(learned)] != learned:
            learned, state = [], check_state(self.strategy, "start", self.strategy.start(problem))
        for trial in trials[len(learned) :]:
            state = check_state(self.strategy, "learn", self.strategy.learn(state, trial.turn_upwards()))
        self._learned = numbers, state
        return state

    def _read(self, frozen: Any, known: Known, problem: Problem) -> Trial | None:
        """A trial of the study as the strategy sees it; None for one that it cannot learn. One that has ended
        is read once: reading walks through the space."""
        ended = self._ended  # another thread may forget them
        if frozen.number not in ended:
            trial = self._read_anew(frozen, known, problem)
            if not frozen.state.is_finished():
                return trial
            ended[frozen.number] = trial
        return ended[frozen.number]

    def _read_anew(self, frozen: Any, known: Known, problem: Problem) -> Trial | None:
        request = self._read_request(frozen)
        architecture = _read_answers(self.space, frozen, known)
        if architecture is not None and (request is None or request.architecture != architecture):
            # Of another sampler, or with parameters that were fixed by hand.
            request = None if getattr(self.strategy, "own_trials", False) else Evaluate(architecture)
        if request is None:
            return None
        trial = trial_of(frozen.number, request, problem.fidelity)
        outcome = _read_outcome(frozen, problem.objectives[0].minimize)
        return msgspec.structs.replace(trial, outcome=outcome)

    def _read_request(self, frozen: Any) -> Evaluate | None:
        text = frozen.system_attrs.get(REQUEST)
        if text is None or frozen.state == TrialState.WAITING:
            return None
        request: Evaluate = decode(text.encode(), Evaluate)
        return request


def _state_problem(study: Any, space: Space, seed: int, trials: int | None) -> Problem:
    """The problem that a study is. Raises UsageError for several objectives."""
    if len(study.directions) != 1:
        raise UsageError(
            f"a strategy as an Optuna sampler has one objective, and the study has {len(study.directions)}:"
            " give it one direction, or search with Search(objectives=...)"
        )
    minimize = study.direction.name == "MINIMIZE"
    return Problem(space, (Objective(minimize=minimize),), trials=trials, seed=seed)


def _find_names(trials: Sequence[Any]) -> Known:
    """The distribution with which each name was first asked, as `suggest` finds them."""
    known: Known = {}
    for trial in trials:
        for name, distribution in trial.distributions.items():
            known.setdefault(name, distribution)
    return known


def _read_answers(space: Space, frozen: Any, known: Known) -> Architecture | None:
    """The architecture whose answers are the parameters; None where one is missing or illegal."""

    def ask(path: str, distribution: Any) -> Any:
        return frozen.params[name_parameter(path, distribution, dict(known))]

    def decide(choice: Choice) -> Any:
        return ask_choice(choice, ask)

    try:
        return replay(space, space.walk(decide))
    except (KeyError, CambrianError):
        return None


def _read_outcome(frozen: Any, minimize: bool) -> Outcome | None:
    """The end of an Optuna trial; None while it runs."""
    if frozen.state == TrialState.COMPLETE:
        return outcome_of(frozen.value, minimize=minimize)
    if frozen.state == TrialState.PRUNED:
        return Infeasible("limit", "pruned by the study")
    return Crashed("failed in the study") if frozen.state == TrialState.FAIL else None
