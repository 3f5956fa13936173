"""Architectures in training, step by step: each may be frozen after any step and go on later."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Generic, TypeVar

import msgspec

from cambrian.architecture import Architecture
from cambrian.effort import find_axis
from cambrian.outcome import Fidelity, Trial
from cambrian.problem import Problem
from cambrian.settings import Span
from cambrian.strategies.multifidelity.brackets import list_requests
from cambrian.strategies.multifidelity.ladder import EPOCHS
from cambrian.strategies.settings import check_settings
from cambrian.strategies.strategy import Evaluate
from cambrian.weights import Continue


class Run(msgspec.Struct, frozen=True):
    """An architecture in training: the row of its latest trial, and the score after each of its steps."""

    architecture: Architecture
    row: int
    scores: tuple[float, ...]
    failed: bool = False


def list_epochs(problem: Problem, steps: int) -> tuple[int, ...]:
    """The epochs after each step, which are even ones. Of an estimator that measures after some epochs only
    they are those, or where there are more than `steps`, the nearest to even ones by their ratio."""
    full, axis = problem.fidelity.epochs, find_axis(problem.axes, "epochs")
    even = {max(1, round(full * step / steps)) for step in range(1, steps + 1)}
    if axis is None or not axis.values:
        return tuple(sorted(even))
    values = {full, *(round(value) for value in axis.values if 1 <= value <= full)}
    if len(values) > steps:
        values = {min(values, key=lambda value: abs(math.log(value / epochs))) for epochs in even}
    return tuple(sorted(values))


def begin_run(problem: Problem, epochs: Sequence[int], architecture: Architecture) -> Evaluate:
    """The request for the first step of an architecture."""
    fidelity = msgspec.structs.replace(problem.fidelity, epochs=epochs[0])
    return Evaluate(architecture, fidelity, reason={"step": 1})


def go_on(problem: Problem, epochs: Sequence[int], run: Run) -> Evaluate:
    """The request for the next step of a frozen one."""
    step = len(run.scores)
    fidelity = msgspec.structs.replace(problem.fidelity, epochs=epochs[step])
    weights = Continue(run.row)
    return Evaluate(run.architecture, fidelity, parent=run.row, weights=weights, reason={"step": step + 1})


def can_go_on(run: Run, epochs: Sequence[int]) -> bool:
    return not run.failed and len(run.scores) < len(epochs)


def learn_run(runs: Mapping[str, Run], epochs: Sequence[int], trial: Trial) -> Mapping[str, Run]:
    """The runs with a trial learned; the same mapping for a repeat of a step that is known."""
    key = trial.architecture.key
    before = runs.get(key)
    scores = before.scores if before is not None else ()
    if trial.score is None:
        return {**runs, key: Run(trial.architecture, trial.number, scores, failed=True)}
    if len(scores) != epochs.index(trial.fidelity.epochs):
        return runs
    return {**runs, key: Run(trial.architecture, trial.number, (*scores, trial.score))}


def rank_runs(runs: Mapping[str, Run]) -> list[Architecture]:
    """The architectures that were trained furthest, by their latest scores."""
    measured = [run for run in runs.values() if run.scores]
    ranked = sorted(measured, key=lambda run: (-len(run.scores), -run.scores[-1], run.row))
    return [run.architecture for run in ranked]


@dataclass(frozen=True)
class Runs:
    """What a strategy of such trainings knows: `epochs` after each step, and the `runs` by the key of their
    architecture, in the order in which they began."""

    problem: Problem
    epochs: tuple[int, ...]
    runs: Mapping[str, Run] = field(default_factory=dict)


State = TypeVar("State", bound=Runs)


@dataclass(frozen=True)
class StepByStep(ABC, Generic[State]):
    """The part of a strategy that learns runs of `steps` steps, or of those that a table has; what a model
    makes of them is `refit`'s."""

    steps: Annotated[int, Span(2, 100)] = 10
    needs: ClassVar[tuple[type, ...]] = ()
    own_trials: ClassVar[bool] = True
    axes: ClassVar[tuple[str, ...]] = EPOCHS
    requests: ClassVar[tuple[type, ...]] = list_requests(EPOCHS)

    def __post_init__(self) -> None:
        check_settings(self)

    def list_fidelities(self, problem: Problem) -> list[Fidelity]:
        """Those of the steps, the lowest first."""
        return [msgspec.structs.replace(problem.fidelity, epochs=n) for n in list_epochs(problem, self.steps)]

    @abstractmethod
    def refit(self, state: State) -> State:
        """The state after its runs have changed."""

    def learn(self, state: State, trial: Trial) -> State:
        runs = learn_run(state.runs, state.epochs, trial)
        return state if runs is state.runs else self.refit(replace(state, runs=runs))

    def recommend(self, state: State) -> list[Architecture]:
        return rank_runs(state.runs)

    def keeps(self, state: State) -> list[int]:
        return [run.row for run in state.runs.values() if can_go_on(run, state.epochs)]
