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

from cambrian.architecture import Architecture, replay
from cambrian.effort import count_epochs
from cambrian.errors import UsageError
from cambrian.outcome import Done, Fidelity, Trial
from cambrian.problem import Problem
from cambrian.recommendation import find_measurements, insert_better, rank_trials
from cambrian.registry import name_of
from cambrian.settings import COUNT, POSITIVE, Span
from cambrian.strategies.begun import list_begun
from cambrian.strategies.inner import Passing, list_aside, read_inner
from cambrian.strategies.progressive import Progressive
from cambrian.strategies.promise import (
    PLANNED,
    Choice,
    choose_fidelity,
    draw_stratified,
    list_candidates,
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
    """`candidates` are the fidelities by name, and every architecture of `drawn`, some of which have a name,
    is measured at each. `inner` is the state of the strategy that goes on, None before the `choice` is made;
    `known` are its trials, those of the audit that it has learned among them."""

    problem: Problem
    drawn: Mapping[Architecture, str]
    candidates: Mapping[str, Fidelity]
    audited: tuple[Trial, ...] = ()
    choice: Choice | None = None
    inner: Any = None
    known: tuple[Trial, ...] = ()


@dataclass(frozen=True)
class Audited(Passing):
    """First `sample` architectures are measured at the search's own fidelity, with half the epochs, with half
    the images, and with twice the epochs, as far as the estimator can. Then the `strategy` goes on at the
    fidelity of the highest promise, having learned what was measured there; a progressive one keeps as many
    more networks as they are cheaper. `networks` are those that the budget would measure at the search's own
    fidelity (None: as many as it has trials). Architectures that the space begins with, as that of a user's
    own network, are of the sample, and so have a value at the chosen fidelity too.

    A strategy that asks for several fidelities itself is refused, and so are several objectives: the audit's
    longest trainings would be the only ones that were measured fully enough for a front."""

    strategy: Any = "random"
    sample: Annotated[int, Span(2, 1000)] = 6
    networks: Annotated[int | None, COUNT] = None
    seconds: Annotated[float | None, POSITIVE] = None
    own_trials: ClassVar[bool] = True
    one_objective: ClassVar[bool] = True
    begins: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_settings(self)
        if getattr(self.inner, "axes", ()):
            raise UsageError(
                f"strategy 'audited' chooses a fidelity, and {name_of(self.inner)} measures at several:"
                " name a strategy of one fidelity, such as bayes"
            )

    @cached_property
    def inner(self) -> Any:
        """The strategy that goes on, as it was given."""
        return read_inner(self, self.strategy, own_trials=True)

    @property
    def requests(self) -> tuple[type, ...]:
        from cambrian.weights import Fresh

        return tuple(dict.fromkeys((*getattr(self.inner, "requests", ()), Evaluate, Fresh)))

    def start(self, problem: Problem) -> State:
        candidates = list_candidates(problem)
        # First, as in other searches.
        begun = {replay(problem.space, each): name for name, each in list_begun(problem).items()}
        left = self.sample - len(begun) if len(candidates) > 1 else 0
        others = draw_stratified(problem, left) if left > 0 else ()
        state = State(problem, {**dict.fromkeys((*begun, *others), ""), **begun}, candidates)
        return state if state.drawn else self._go_on(state, Choice(PLANNED))

    def propose(self, state: State, pending: Sequence[Trial], rng: Generator) -> Proposal:
        if state.choice is None:
            place = len(state.audited) + len(pending)
            return Wait() if place >= self._count(state) else self._audit(state, place)
        others = [t for t in pending if t.memory.get("phase") != AUDIT]
        proposal: Proposal = self._fit(state.choice).propose(state.inner, others, rng)
        if not isinstance(proposal, Evaluate) or proposal.fidelity is not None or proposal.estimator:
            return proposal
        chosen = state.candidates[state.choice.name]
        reason = {**proposal.reason, "fidelity": state.choice.name}
        return msgspec.structs.replace(proposal, fidelity=chosen, reason=reason)

    def learn(self, state: State, trial: Trial) -> State:
        if trial.memory.get("phase") == AUDIT:
            state = dataclasses.replace(state, audited=(*state.audited, trial))
        if state.choice is not None:
            return self._learn_on(state, trial)
        ended = len(state.audited) == self._count(state) or self._is_late(state)
        return self._go_on(state, self._choose(state)) if ended else state

    def recommend(self, state: State) -> Sequence[Architecture]:
        """By the strategy that went on, or the highest values at its fidelity: those of the audit's longer
        trainings are higher, and say nothing of the other networks."""
        if state.choice is None:
            return ()
        inner, problem = self._fit(state.choice), state.problem
        aside, learned = self.sets_aside(state), {t.number for t in state.known}
        # Networks of the audit that the strategy was not told of may be better than its own.
        untold = [t for t in state.audited if t.number not in learned and t.number not in aside]
        trials = [t for t in (*state.known, *untold) if t.number not in aside]
        ranked = rank_trials(trials, problem.objectives)
        if isinstance(inner, Recommends):
            measured = find_measurements(trials, problem.fidelity)
            preferred = [measured[a] for a in inner.recommend(state.inner) if a in measured]
            ranked = [*insert_better(preferred, untold, problem.objectives), *ranked]
        return list(dict.fromkeys(t.architecture for t in ranked))[:MOST]

    def sets_aside(self, state: State) -> frozenset[int]:
        """The audit's rows at other fidelities than the chosen one."""
        if state.choice is None:
            return frozenset()
        chosen = state.candidates[state.choice.name]
        others = (t.number for t in state.audited if t.fidelity != chosen)
        return frozenset(others) | list_aside(self._fit(state.choice), state.inner)

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
        """The next measurement of the audit: an architecture at all fidelities, then the next one."""
        architecture, name = divmod(place, len(state.candidates))
        fidelity, drawn = list(state.candidates)[name], list(state.drawn)[architecture]
        begun = {"begins": state.drawn[drawn]} if state.drawn[drawn] and fidelity == PLANNED else {}
        memory = {"phase": AUDIT, "fidelity": fidelity}
        return Evaluate(drawn, state.candidates[fidelity], reason={"audit": fidelity, **begun}, memory=memory)

    def _is_late(self, state: State) -> bool:
        """Whether the audit has taken its time, as on a machine that became slower than it was measured."""
        outcomes = [t.outcome for t in state.audited if isinstance(t.outcome, Done)]
        return self.seconds is not None and sum(o.seconds for o in outcomes) >= self.seconds

    def _choose(self, state: State) -> Choice:
        """By the architectures that were measured at every fidelity; as planned, where there is none."""
        measured = {(t.architecture, t.memory["fidelity"]): t for t in state.audited}
        complete = [a for a in state.drawn if all((a, name) in measured for name in state.candidates)]
        if not complete:
            return Choice(PLANNED)
        rows = {name: [measured[a, name] for a in complete] for name in state.candidates}
        values = {
            name: np.array([np.nan if t.value is None else t.value for t in row])
            for name, row in rows.items()
        }
        # By their epochs, not by the clock: a run that is killed and resumed chooses as an undisturbed one.
        costs = {name: count_epochs(fidelity) for name, fidelity in state.candidates.items()}
        problem = state.problem
        networks = self.networks or problem.trials or USUAL
        costly = self.networks is not None or problem.seconds is not None
        return choose_fidelity(values, costs, networks, costly)

    def _go_on(self, state: State, choice: Choice) -> State:
        """The state of the strategy that begins, having learned the audit's trials of its fidelity. Those
        that it does not learn are spent: it has so many fewer, the last of which it may keep for its end."""
        fidelity, trials = state.candidates[choice.name], state.problem.trials
        if trials is not None:
            learned = sum(self._teaches(t, fidelity) for t in state.audited)
            trials = max(1, trials - len(state.audited) + learned)
        problem = dataclasses.replace(state.problem, fidelity=fidelity, trials=trials)
        state = dataclasses.replace(state, choice=choice, inner=self._fit(choice).start(problem))
        for trial in state.audited:
            state = self._learn_on(state, trial)
        return state

    def _learn_on(self, state: State, trial: Trial) -> State:
        """The state when the strategy that goes on has learned the trial, if it does."""
        assert state.choice is not None
        if trial.memory.get("phase") == AUDIT:
            if not self._teaches(trial, state.candidates[state.choice.name]):
                return state
            # The phase is the audit's own memory: to the other strategy it is a trial like any.
            trial = msgspec.structs.replace(trial, memory={})
        learned = self._fit(state.choice).learn(state.inner, trial)
        return dataclasses.replace(state, inner=learned, known=(*state.known, trial))

    def _teaches(self, trial: Trial, chosen: Fidelity) -> bool:
        """Whether the strategy that goes on learns this trial of the audit: where it has the chosen fidelity,
        and the strategy learns others' trials."""
        return trial.fidelity == chosen and not getattr(self.inner, "own_trials", False)

    def _fit(self, choice: Choice) -> Any:
        """The strategy that goes on at the chosen fidelity."""
        inner, saves = self.inner, choice.saves
        if not isinstance(inner, Progressive):
            return inner
        counts = {name: getattr(inner, name) for name in ("first", "keep")}
        more = {name: max(1, round(n * saves)) for name, n in counts.items() if n is not None}
        return dataclasses.replace(inner, **more)
