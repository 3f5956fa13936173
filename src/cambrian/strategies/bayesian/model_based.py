"""The loop of sequential model-based optimisation: measure a few random architectures, then always the one
that maximises an acquisition function under a model of all measurements (Hutter, Hoos & Leyton-Brown 2011,
Algorithm 1).

A strategy adds the model and the acquisition function; everything about the space follows from its questions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from cambrian.architecture import Architecture, sample
from cambrian.outcome import Trial
from cambrian.problem import Objective, Problem
from cambrian.settings import Span
from cambrian.spaces.knowledge import Canonical, know
from cambrian.strategies.bayesian.candidates import Acquisition, Climb, Everything, enumerate_space
from cambrian.strategies.bayesian.several_objectives import count_vectors, list_front
from cambrian.strategies.settings import check_settings
from cambrian.strategies.strategy import Evaluate, Proposal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cambrian.spaces.space import Space


@dataclass(frozen=True)
class State:
    """`trials` are all learned trials; `model` was fitted to the first `fitted` of them. A strategy that
    knows nothing of several `objectives` follows the first."""

    space: Any
    seed: int
    trials: tuple[Trial, ...] = ()
    model: Any = None
    fitted: int = 0
    objectives: tuple[Objective, ...] = (Objective(),)


@dataclass(frozen=True)
class ModelBased(ABC):
    """The first `initial` architectures are random. The model is fitted again after `refit` more trials, or
    after a tenth more if that is greater, on at most `memory` of them: half of these the best, half the
    newest. For each proposal it scores `candidates` random architectures, and a few times as many around
    the best; of a small table, all rows."""

    initial: Annotated[int, Span(2)] = 20
    refit: Annotated[int, Span(1)] = 5
    memory: Annotated[int, Span(2)] = 300
    candidates: Annotated[int, Span(1, 10_000)] = 100
    needs: ClassVar[tuple[type, ...]] = ()
    random_first: ClassVar[bool] = True
    climb: ClassVar[Climb] = Climb()
    starts: ClassVar[int] = 5
    enumerated: ClassVar[int] = 0
    """The largest space of which every proposal scores all architectures, though each takes a walk."""
    listed: ClassVar[int] = 4_000
    """The same for a space that lists its architectures, as a table does."""

    follows_all: ClassVar[bool] = False
    """Whether the acquisition function counts all objectives, instead of the first alone."""

    def __post_init__(self) -> None:
        check_settings(self)

    @abstractmethod
    def fit(self, state: State) -> Any:
        """The model of `lessons(state.trials)`."""

    @abstractmethod
    def acquisition(
        self, state: State, pending: Sequence[Architecture], rng: np.random.Generator
    ) -> Acquisition:
        """The acquisition function, which scores architectures by the use of measuring them next."""

    def start(self, problem: Problem) -> State:
        return State(problem.space, problem.seed, objectives=problem.objectives)

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        known = Known(state.space, [*state.trials, *pending])
        # Without a model too: all values may be equal or missing so far.
        if state.model is None or len(state.trials) + len(pending) < self.initial:
            return Evaluate(draw_unknown(state.space, known, rng))
        acquisition = self.acquisition(state, [t.architecture for t in pending], rng)
        optimum = self._search_method(state).maximise(
            state.space, acquisition, self._list_heads(state), known, rng
        )
        if optimum is None:
            return Evaluate(draw_unknown(state.space, known, rng))
        prefers = _prefer(state.trials, acquisition)
        return Evaluate(optimum[0], reason={"acquisition": optimum[1]}, prefers=prefers)

    def _list_heads(self, state: State) -> list[Architecture]:
        """The architectures from which a local search for the next one starts."""
        if self.follows_all and len(state.objectives) > 1:
            return list_front(state.trials, state.objectives, self.starts)
        return best(state.trials, self.starts)

    def _search_method(self, state: State) -> Climb | Everything:
        everything = enumerate_space(state.space, self.enumerated, self.listed)
        if everything is not None:
            return everything
        return replace(self.climb, random=self.candidates, near=max(self.candidates // 2, 1))

    def learn(self, state: State, trial: Trial) -> State:
        state = replace(state, trials=(*state.trials, trial))
        count = len(state.trials)
        # A tenth more: the number of fits grows with the logarithm of the trials, not with the trials.
        due = count >= self.initial and count >= state.fitted + max(self.refit, state.fitted // 10)
        objectives = state.objectives if self.follows_all else state.objectives[:1]
        if not due or count_vectors(state.trials, objectives) < 2:
            return state
        return replace(state, model=self.fit(state), fitted=count)

    def lessons(self, trials: Sequence[Trial]) -> tuple[list[Architecture], NDArray[np.float64]]:
        """The architectures and values that a model learns: the last value of each architecture, at most
        `memory` of them. A failed one has the worst value of the others."""
        last = {t.architecture: t.value for t in trials}
        worst = min(v for v in last.values() if v is not None)
        values = {a: worst if v is None else v for a, v in last.items()}
        kept = list(values)
        # The best half shapes the model where it matters, the newest half corrects its last proposals.
        if len(kept) > self.memory:
            top = sorted(kept, key=lambda a: -values[a])[: self.memory // 2]
            kept = list(dict.fromkeys([*top, *reversed(kept)]))[: self.memory]
        return kept, np.array([values[a] for a in kept], np.float64)


def _prefer(trials: Sequence[Trial], acquisition: Acquisition) -> tuple[int, ...]:
    """The trial that the acquisition function prefers among several with the highest value; see
    `find_incumbents`."""
    highest = max((t.value for t in trials if t.value is not None), default=None)
    equals = [t for t in trials if t.value is not None and t.value == highest]
    if len(equals) < 2:
        return ()
    hopes = acquisition([t.architecture for t in equals])
    return (equals[int(np.argmax(hopes))].number,)


class Known:
    """The architectures that were proposed already, and need not be again. If the search answered a trial
    from memory (`cached`), it identifies architectures by their function, and so does this set."""

    def __init__(self, space: Space, trials: Sequence[Trial]) -> None:
        # Without a cached trial the estimator may measure equal functions apart (`raw`), and each counts.
        names = know(space, Canonical) if any(t.cached is not None for t in trials) else None
        self._key: Callable[[Architecture], object] = _itself if names is None else names.canonical
        self._keys = {self._key(t.architecture) for t in trials}

    def __contains__(self, architecture: object) -> bool:
        return isinstance(architecture, Architecture) and self._key(architecture) in self._keys


def _itself(architecture: Architecture) -> Architecture:
    return architecture


def draw_unknown(space: Space, known: Known, rng: np.random.Generator, tries: int = 20) -> Architecture:
    """A random architecture, not a known one unless `tries` draws find no other."""
    for _ in range(tries):
        drawn = sample(space, rng)
        if drawn not in known:
            break
    return drawn


def best(trials: Sequence[Trial], count: int) -> list[Architecture]:
    """The `count` best measured architectures, best first."""
    measured = {t.architecture: t.value for t in trials if t.value is not None}
    return sorted(measured, key=lambda a: -measured[a])[:count]
