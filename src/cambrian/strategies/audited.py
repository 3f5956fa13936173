"""A quick audit before a search: a stratified handful of networks is measured at each fidelity in question,
and the search goes on at the one that promises most (see `promise`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
import numpy as np

from cambrian.architecture import Architecture
from cambrian.errors import UsageError
from cambrian.outcome import Done, Fidelity, Trial
from cambrian.problem import Problem
from cambrian.settings import COUNT, Span
from cambrian.strategies.inner import read_inner
from cambrian.strategies.progressive import Progressive
from cambrian.strategies.promise import (
    PLANNED,
    Choice,
    choose_fidelity,
    draw_stratified,
    list_candidates,
    measure_costs,
)
from cambrian.strategies.settings import check_settings
from cambrian.strategies.strategy import Evaluate, Proposal, Recommends, Wait

if TYPE_CHECKING:
    from numpy.random import Generator

AUDIT = "audit"
"""The phase of an audit's trials, in their memory."""
MOST = 50
"""Architectures that are recommended."""
USUAL = 100
"""Networks of a search whose budget does not say how many."""


@dataclass(frozen=True)
class State:
    """`candidates` are the fidelities by name, and every architecture of `drawn` is measured at each. `inner`
    is the state of the strategy that goes on, None before the `choice` is made; `known` are its trials."""

    problem: Problem
    drawn: tuple[Architecture, ...]
    candidates: Mapping[str, Fidelity]
    audited: tuple[Trial, ...] = ()
    choice: Choice | None = None
    inner: Any = None
    known: tuple[Trial, ...] = ()


@dataclass(frozen=True)
class Audited:
    """First `sample` architectures are measured at the search's own fidelity, with half the epochs, with half
    the images, and with twice the epochs, as far as the estimator can. Then the `strategy` goes on at the
    fidelity of the highest promise, having learned what was measured there; a progressive one keeps as many
    more networks as they are cheaper. `networks` are those that the budget would measure at the search's own
    fidelity (None: as many as it has trials).

    A strategy that asks for several fidelities itself is refused."""

    strategy: Any = "random"
    sample: Annotated[int, Span(2, 1000)] = 6
    networks: Annotated[int | None, COUNT] = None
    own_trials: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_settings(self)
        if getattr(self.inner, "axes", ()):
            raise UsageError(
                f"strategy 'audited' chooses a fidelity, and {type(self.inner).__name__} measures at several:"
                " name a strategy of one fidelity, such as bayes"
            )

    @cached_property
    def inner(self) -> Any:
        """The strategy that goes on, as it was given."""
        return read_inner(self, self.strategy, own_trials=True)

    @property
    def needs(self) -> tuple[type, ...]:
        return tuple(self.inner.needs)

    @property
    def requests(self) -> tuple[type, ...]:
        from cambrian.weights import Fresh

        return tuple(dict.fromkeys((*getattr(self.inner, "requests", ()), Evaluate, Fresh)))

    @property
    def order(self) -> str:
        return str(getattr(self.inner, "order", "number"))

    @property
    def estimators(self) -> Mapping[str, str]:
        return getattr(self.inner, "estimators", {})

    def start(self, problem: Problem) -> State:
        candidates = list_candidates(problem)
        drawn = draw_stratified(problem, self.sample) if len(candidates) > 1 else ()
        state = State(problem, drawn, candidates)
        return state if drawn else self._go_on(state, Choice(PLANNED))

    def propose(self, state: State, pending: Sequence[Trial], rng: Generator) -> Proposal:
        if state.choice is None:
            place = len(state.audited) + len(pending)
            return Wait() if place >= self._count(state) else self._audit(state, place)
        proposal: Proposal = self._fit(state.choice).propose(state.inner, pending, rng)
        if not isinstance(proposal, Evaluate) or proposal.fidelity is not None or proposal.estimator:
            return proposal
        chosen = state.candidates[state.choice.name]
        reason = {**proposal.reason, "fidelity": state.choice.name}
        return msgspec.structs.replace(proposal, fidelity=chosen, reason=reason)

    def learn(self, state: State, trial: Trial) -> State:
        if state.choice is None:
            state = dataclasses.replace(state, audited=(*state.audited, trial))
            complete = len(state.audited) == self._count(state)
            return self._go_on(state, self._choose(state)) if complete else state
        inner = self._fit(state.choice).learn(state.inner, trial)
        return dataclasses.replace(state, inner=inner, known=(*state.known, trial))

    def recommend(self, state: State) -> Sequence[Architecture]:
        """By the strategy that went on, or the highest values at its fidelity: those of the audit's longer
        trainings are higher, and say nothing of the other networks."""
        if state.choice is None or len(state.problem.objectives) > 1:
            return ()
        inner = self._fit(state.choice)
        if isinstance(inner, Recommends):
            return list(inner.recommend(state.inner))[:MOST]
        ranked = sorted((t for t in state.known if t.value is not None), key=lambda t: -float(t.value or 0.0))
        return list(dict.fromkeys(t.architecture for t in ranked))[:MOST]

    def keeps(self, state: State) -> Sequence[int]:
        """The rows that the strategy may begin with; all of them, where it does not say."""
        kept = getattr(self.inner, "keeps", None)
        if state.choice is None or kept is None:
            return [t.number for t in (*state.audited, *state.known)]
        rows: Sequence[int] = kept(state.inner)
        return rows

    def _count(self, state: State) -> int:
        """The trials of the audit."""
        return len(state.drawn) * len(state.candidates)

    def _audit(self, state: State, place: int) -> Evaluate:
        """The next measurement of the audit: all architectures at one fidelity, then at the next."""
        name = list(state.candidates)[place // len(state.drawn)]
        architecture = state.drawn[place % len(state.drawn)]
        memory = {"phase": AUDIT, "fidelity": name}
        return Evaluate(architecture, state.candidates[name], reason={"audit": name}, memory=memory)

    def _choose(self, state: State) -> Choice:
        values, seconds = {}, {}
        for name in state.candidates:
            trials = [t for t in state.audited if t.memory["fidelity"] == name]
            by_architecture = {t.architecture: t for t in trials}
            ordered = [by_architecture[a] for a in state.drawn]
            values[name] = np.array([np.nan if t.value is None else t.value for t in ordered])
            seconds[name] = [t.outcome.seconds for t in ordered if isinstance(t.outcome, Done)]
        problem = state.problem
        networks = self.networks or problem.trials or USUAL
        costly = self.networks is not None or problem.seconds is not None
        return choose_fidelity(values, measure_costs(state.candidates, seconds), networks, costly)

    def _go_on(self, state: State, choice: Choice) -> State:
        """The state of the strategy that begins, having learned the trials of its fidelity."""
        inner, fidelity = self._fit(choice), state.candidates[choice.name]
        problem = dataclasses.replace(state.problem, fidelity=fidelity)
        begun = inner.start(problem)
        state = dataclasses.replace(state, choice=choice, inner=begun)
        if getattr(inner, "own_trials", False):
            return state
        for trial in state.audited:
            if trial.fidelity == fidelity:
                # The phase is the audit's own memory: to the other strategy it is a trial like any.
                plain = msgspec.structs.replace(trial, memory={})
                begun = inner.learn(begun, plain)
                state = dataclasses.replace(state, inner=begun, known=(*state.known, plain))
        return state

    def _fit(self, choice: Choice) -> Any:
        """The strategy that goes on at the chosen fidelity."""
        inner, saves = self.inner, choice.saves
        if not isinstance(inner, Progressive):
            return inner
        counts = {name: getattr(inner, name) for name in ("first", "keep")}
        more = {name: max(1, round(n * saves)) for name, n in counts.items() if n is not None}
        return dataclasses.replace(inner, **more)
