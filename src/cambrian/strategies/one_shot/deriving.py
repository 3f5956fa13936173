"""The search of a method with gates (survey, Sec. 3, "gradient-based"): a supernet is trained with the gates
of its candidates, an architecture is derived from them, and that is trained alone.

The value that a derived architecture has with the supernet's weights says little about the one it has alone,
so both are measured, and its row tells them side by side.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec

from cambrian.architecture import Architecture, sample
from cambrian.outcome import Done, Trial, describe_failure
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.settings import COUNT, POSITIVE, Span, check_truths
from cambrian.spaces.knowledge import Mixes, Shares, know
from cambrian.strategies.settings import check_settings
from cambrian.strategies.strategy import Evaluate, Proposal, Stop, TrainSupernet, Wait
from cambrian.weights import Continue, Fresh, Shared

if TYPE_CHECKING:
    import numpy as np

MOST_EPOCHS = 10_000


@dataclass(frozen=True)
class State:
    """`outer` has the supernet's outer answers. `search` counts the finished searches. Of the present one:
    the last chunk of the supernet's training, the `derived` architecture, and its value with shared weights.
    `alone` are the derived architectures' own trials."""

    problem: Problem
    outer: Architecture
    search: int = 0
    chunk: Trial | None = None
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
    """The supernet is trained for `epochs` epochs (None: those of the run's fidelity), `chunk` at a time,
    each going on from the last. Gates learn at `gate_rate` after `frozen` epochs. `searches` of them, with
    other random numbers, each derive an architecture. With `stop_on_collapse` a training that collapses
    ends, and the architecture is that of the epoch before. The derived architecture is trained by the run's
    estimator called `alone`."""

    epochs: Annotated[int | None, Span(1, MOST_EPOCHS)] = None
    chunk: Annotated[int, COUNT] = 5
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

    def list_settings(self, *names: str) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names}

    @property
    def estimators(self) -> dict[str, str]:
        """The estimator of the derived architectures, unless a search has another one of that name."""
        return {self.alone: "train"}

    def start(self, problem: Problem) -> State:
        return State(problem, sample(problem.space, stream(problem.seed, "supernet")))

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
            return self._learn_chunk(state, trial)
        if isinstance(trial.weights, Shared):
            return replace(state, shared=trial)
        again = replace(state, chunk=None, derived=None, shared=None, search=state.search + 1)
        return replace(again, alone=(*state.alone, trial))

    def recommend(self, state: State) -> list[Architecture]:
        """The derived architectures by their own values, which shared ones do not decide."""
        measured = [trial for trial in state.alone if trial.score is not None]
        ranked = sorted(measured, key=lambda t: (-(t.score or 0.0), t.number))
        return [trial.architecture for trial in ranked]

    def keeps(self, state: State) -> list[int]:
        """The last chunk."""
        return [] if state.chunk is None else [state.chunk.number]

    def _train(self, state: State) -> TrainSupernet:
        """The next chunk of the supernet's training."""
        name, arguments = self.method
        whole = self._count_epochs(state)
        common = {"epochs": whole, "gate_rate": self.gate_rate, "frozen": self.frozen}
        done = 0 if state.chunk is None else state.chunk.fidelity.epochs
        epochs = min(whole, done + self.chunk)
        return TrainSupernet(
            state.outer,
            {"name": name, "arguments": common | arguments},
            msgspec.structs.replace(state.problem.fidelity, epochs=epochs, seconds=None),
            Fresh() if state.chunk is None else Continue(state.chunk.number),
            replicate=state.search,
            reason={"search": state.search + 1, "epochs": epochs, "of": whole},
        )

    def _count_epochs(self, state: State) -> int:
        return self.epochs or state.problem.fidelity.epochs

    def _learn_chunk(self, state: State, trial: Trial) -> State:
        data = trial.outcome.data if isinstance(trial.outcome, Done) else {}
        if "gates" not in data:
            # Also a later chunk: the weights before it belong to gates that are not decided yet.
            failure = f"the supernet could not be trained: {describe_failure(trial) or 'it has no gates'}"
            return replace(state, chunk=None, search=state.search + 1, failure=failure)
        # A row that repeats another has the other's files.
        number = trial.number if trial.cached is None else trial.cached
        state = replace(state, chunk=msgspec.structs.replace(trial, number=number))
        stopped = self.stop_on_collapse and "collapse" in data
        if not stopped and trial.fidelity.epochs < self._count_epochs(state):
            return state
        return replace(state, derived=derive(state, data, stopped))

    def _score(self, state: State, derived: Architecture) -> Evaluate:
        assert state.chunk is not None
        return Evaluate(derived, weights=Shared(state.chunk.number), reason=describe(state.chunk))

    def _evaluate(self, state: State, derived: Architecture, shared: Trial) -> Evaluate:
        assert state.chunk is not None
        reason = {"shared": shared.value, **describe(state.chunk)}
        # Two searches that end in the same architecture measure it twice.
        known = sum(trial.architecture == derived for trial in state.alone)
        return Evaluate(derived, estimator=self.alone, replicate=known, reason=reason)


def derive(state: State, data: Mapping[str, Any], stopped: bool) -> Architecture:
    """The architecture of the gates at the end, or, of a training that was stopped, before its collapse."""
    mixes = know(state.problem.space, Mixes)
    assert mixes is not None
    gates = data["gates"]
    if stopped:
        # A collapse that was there from the start leaves no better epoch than the first.
        place = max(0, data["collapse"]["before"] - 1)
        gates = {site: table[place] for site, table in data["course"]["gates"].items()}
    return mixes.derive(gates, state.outer)


def describe(chunk: Trial) -> dict[str, Any]:
    """Why a derived architecture is measured: its supernet, and whether that has collapsed."""
    data = chunk.outcome.data if isinstance(chunk.outcome, Done) else {}
    collapse = data.get("collapse")
    return {"supernet": chunk.number} | ({"collapse": collapse["sign"]} if collapse else {})
