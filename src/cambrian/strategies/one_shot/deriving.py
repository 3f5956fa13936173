"""The search of a method with gates (survey, Sec. 3, "gradient-based"): a supernet is trained with the gates
of its candidates, an architecture is derived from them, and that is trained alone.

The value that a derived architecture has with the supernet's weights says little about the one it has alone,
so both are measured, and its row tells them side by side.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec

from cambrian.architecture import Architecture
from cambrian.outcome import Done, Trial
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.settings import POSITIVE, Span, check_truths
from cambrian.spaces.knowledge import Mixes, Shares, know
from cambrian.strategies.one_shot.children import choose_supernet
from cambrian.strategies.one_shot.stages import Stages, derive_with_few_skips, find_strongest
from cambrian.strategies.one_shot.training import Schedule, Training
from cambrian.strategies.settings import check_settings
from cambrian.strategies.strategy import Evaluate, Proposal, Stop, TrainSupernet, Wait
from cambrian.weights import Continue, Fresh, Shared

if TYPE_CHECKING:
    import numpy as np

MOST_EPOCHS = 10_000


@dataclass(frozen=True)
class State:
    """`outer` has the supernet's outer answers. `search` counts the finished searches. Of the present one:
    the `stage`, with the options that earlier ones `kept` of each gate, the supernet's `training`, the
    `derived` architecture, and its value with `shared` weights. `alone` are
    the derived architectures' own trials."""

    problem: Problem
    outer: Architecture
    search: int = 0
    stage: int = 0
    kept: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    training: Training = Training()
    derived: Architecture | None = None
    shared: Trial | None = None
    alone: tuple[Trial, ...] = ()
    failure: str = ""


def describe_end(count: int) -> str:
    """
    >>> describe_end(1), describe_end(2)
    ('1 derived architecture is trained alone', '2 derived architectures are trained alone')
    """
    return f"{count} derived architecture{' is' if count == 1 else 's are'} trained alone"


@dataclass(frozen=True)
class Deriving(ABC):
    """The supernet is trained for `epochs` epochs (None: those of the run's fidelity) in `chunks`, each of
    which goes on from the one before. Gates learn at `gate_rate` after `frozen` epochs. `searches` of them,
    with other random numbers, each derive an architecture. With `stop_on_collapse` a training that collapses
    ends, and the architecture is that of the epoch before. The derived architecture is trained by the run's
    estimator called `alone`."""

    epochs: Annotated[int | None, Span(1, MOST_EPOCHS)] = None
    chunks: Annotated[int, Span(1, 1000)] = 5
    gate_rate: Annotated[float, POSITIVE] = 0.01
    frozen: Annotated[int, Span(0, MOST_EPOCHS)] = 0
    searches: Annotated[int, Span(1, 1000)] = 1
    stop_on_collapse: bool = False
    alone: str = "final"

    needs: ClassVar[tuple[type, ...]] = (Shares, Mixes)
    own_trials: ClassVar[bool] = True
    requests: ClassVar[tuple[type, ...]] = (Evaluate, TrainSupernet, Fresh, Continue, Shared)

    def __post_init__(self) -> None:
        check_settings(self)
        check_truths(stop_on_collapse=self.stop_on_collapse)

    @property
    @abstractmethod
    def method(self) -> tuple[str, dict[str, Any]]:
        """The name of the supernet's method, and its own arguments."""

    def vary(self, search: int) -> dict[str, Any]:
        """The arguments of the method that are those of this search alone, counted from 0."""
        return {}

    def vary_training(self, training: Training) -> dict[str, Any]:
        """The arguments of the method that hang on what happened to this training."""
        return {}

    def answer_collapse(self, training: Training, epochs: int) -> Training | None:
        """The training, of so many epochs, that goes on where one has collapsed; None: it has come to its
        end."""
        return None

    @property
    def stages(self) -> Stages:
        """The trainings of one search, which share its epochs. One, for most methods."""
        return Stages()

    def list_settings(self, *names: str) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names}

    @property
    def estimators(self) -> dict[str, str]:
        """The estimator of the derived architectures, unless a search has another one of that name."""
        return {self.alone: "train"}

    def start(self, problem: Problem) -> State:
        return State(problem, choose_supernet(problem))

    def list_beginnings(self, problem: Problem) -> list[TrainSupernet]:
        """The first part of each stage's training, to be measured before a search. Options that are left in
        later stages are drawn: which ones gates will leave is not known then."""
        state, rng, requests = self.start(problem), stream(problem.seed, "stages"), list[TrainSupernet]()
        mixes = know(problem.space, Mixes)
        assert mixes is not None
        sites = {name: s for name, s in mixes.list_sites(state.outer).items() if not s.edges}
        for number in range(len(self.stages)):
            requests.append(self._train(replace(state, stage=number)))
            gates = {name: rng.random(len(site.options)).tolist() for name, site in sites.items()}
            state = replace(state, kept=find_strongest(gates, self.stages[number].keep))
        return requests

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        # One row after the other: each needs the outcome of the one before.
        if pending:
            return Wait()
        if state.search >= self.searches:
            return Stop(state.failure or describe_end(len(state.alone)))
        if state.derived is None:
            return self._train(state)
        if state.shared is None:
            return self._score(state, state.derived)
        return self._evaluate(state, state.derived, state.shared)

    def learn(self, state: State, trial: Trial) -> State:
        if trial.kind == "supernet":
            return self._learn_part(state, trial)
        if isinstance(trial.weights, Shared):
            return replace(state, shared=trial)
        # A training that the time cut short leaves none for another search.
        search = self.searches if state.training.late else state.search + 1
        again = State(state.problem, state.outer, search, failure=state.failure)
        return replace(again, alone=(*state.alone, trial))

    def recommend(self, state: State) -> list[Architecture]:
        """The derived architectures by their own values, which shared ones do not decide."""
        measured = [trial for trial in state.alone if trial.score is not None]
        ranked = sorted(measured, key=lambda t: (-(t.score or 0.0), t.number))
        return [trial.architecture for trial in ranked]

    def keeps(self, state: State) -> list[int]:
        """The last part of the supernet's training."""
        return [] if state.training.row is None else [state.training.row]

    def _schedule(self, state: State) -> Schedule:
        stages = len(self.stages)
        epochs, chunks = -(-self._count_epochs(state) // stages), max(1, self.chunks // stages)
        return Schedule(epochs, chunks, state.search, self.searches)

    def _train(self, state: State) -> TrainSupernet:
        """The next part of the supernet's training."""
        name, arguments = self.method
        schedule, stage = self._schedule(state), self.stages[state.stage]
        common = {"epochs": schedule.epochs, "gate_rate": self.gate_rate, "frozen": self.frozen}
        kept = {"kept": {site: list(left) for site, left in state.kept.items()}} if state.kept else {}
        varied = {**self.vary(state.search), **self.vary_training(state.training)}
        arguments = {**common, **arguments, **varied, **stage.arguments, **kept}
        method = {"name": name, "arguments": arguments}
        skeleton = {**state.problem.fidelity.skeleton, **stage.skeleton}
        fidelity = msgspec.structs.replace(state.problem.fidelity, seconds=None, skeleton=skeleton)
        return schedule.propose(state.training, state.outer, method, fidelity)

    def _count_epochs(self, state: State) -> int:
        return self.epochs or state.problem.fidelity.epochs

    def _learn_part(self, state: State, trial: Trial) -> State:
        # Of a run that was begun by an older version, the supernet may have other outer answers.
        state = replace(state, outer=trial.architecture)
        training = self._schedule(state).learn(state.training, trial)
        data = training.data
        stopped = self.stop_on_collapse and "collapse" in data
        again = self.answer_collapse(training, self._count_epochs(state)) if stopped else None
        if again is not None:
            return replace(state, training=again)
        state = replace(state, training=training)
        if not (training.ended or stopped):
            return state
        if "gates" not in data:
            failure = training.failure or "the supernet's training left no gates"
            search = State(state.problem, state.outer, state.search + 1, failure=failure)
            return replace(search, alone=state.alone)
        # Where the time is over, the gates of this stage are the last.
        if state.stage + 1 < len(self.stages) and not training.late:
            kept = find_strongest(find_gates(data, stopped), self.stages[state.stage].keep)
            return replace(state, stage=state.stage + 1, kept=kept, training=Training())
        return replace(state, derived=derive(state, data, stopped, self.stages.most_skips))

    def _score(self, state: State, derived: Architecture) -> Evaluate:
        last = state.training.last
        assert last is not None
        # In the skeleton of the supernet, which may be another than the run's.
        fidelity = msgspec.structs.replace(state.problem.fidelity, skeleton=last.fidelity.skeleton)
        return Evaluate(derived, fidelity, weights=Shared(last.number), reason=describe(last))

    def _evaluate(self, state: State, derived: Architecture, shared: Trial) -> Evaluate:
        last = state.training.last
        assert last is not None
        reason = {"shared": shared.value, **describe(last)}
        # Two searches that end in the same architecture measure it twice.
        known = sum(trial.architecture == derived for trial in state.alone)
        return Evaluate(derived, estimator=self.alone, replicate=known, reason=reason)


def find_gates(data: Mapping[str, Any], stopped: bool) -> Mapping[str, Sequence[float]]:
    """The gates at the end, or, of a training that was stopped, those before its collapse."""
    if not stopped:
        gates: Mapping[str, Sequence[float]] = data["gates"]
        return gates
    # A collapse that was there from the start leaves no better epoch than the first.
    place = max(0, data["collapse"]["before"] - 1)
    return {site: table[place] for site, table in data["course"]["gates"].items()}


def derive(
    state: State, data: Mapping[str, Any], stopped: bool, most_skips: int | None = None
) -> Architecture:
    """The architecture of the gates at the end, or, of a training that was stopped, before its collapse."""
    mixes = know(state.problem.space, Mixes)
    assert mixes is not None
    gates = find_gates(data, stopped)
    if most_skips is None:
        return mixes.derive(gates, state.outer)
    return derive_with_few_skips(mixes, gates, state.outer, most_skips)


def describe(last: Trial) -> dict[str, Any]:
    """Why a derived architecture is measured: the last part of its supernet, and whether that collapsed."""
    data = last.outcome.data if isinstance(last.outcome, Done) else {}
    collapse = data.get("collapse")
    return {"supernet": last.number} | ({"collapse": collapse["sign"]} if collapse else {})
