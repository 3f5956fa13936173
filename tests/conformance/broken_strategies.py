"""Strategies that break one promise each. `Listed`, which they vary, breaks none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, ClassVar

import numpy as np

from cambrian.architecture import Architecture, completions, sample
from cambrian.outcome import Done, Trial
from cambrian.problem import Problem
from cambrian.strategies.strategy import Evaluate, Proposal, Stop, Wait


@dataclass
class Known:
    """What `Listed` knows: all architectures in order, and the trials learned."""

    queue: list[Architecture]
    learned: list[Trial]


@dataclass(frozen=True)
class Listed:
    """All architectures of a finite space, one after the other."""

    limit: int = 25
    needs: ClassVar[tuple[type, ...]] = ()

    def start(self, problem: Problem) -> Known:
        return Known(list(completions(problem.space, {}, self.limit)), [])

    def propose(self, state: Known, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        number = len(state.learned) + len(pending)
        return Evaluate(state.queue[number]) if number < len(state.queue) else Stop("all are measured")

    def learn(self, state: Known, trial: Trial) -> Known:
        return Known(state.queue, [*state.learned, trial])


@dataclass(frozen=True)
class Pops(Listed):
    """Takes what it proposes out of the state."""

    def propose(self, state: Known, pending: Sequence[Trial], rng: Any) -> Proposal:
        return Evaluate(state.queue.pop(0)) if state.queue else Stop("all are measured")


@dataclass(frozen=True)
class Dices(Listed):
    """Draws from a generator of its own."""

    def start(self, problem: Problem) -> Any:
        return problem.space

    def propose(self, state: Any, pending: Sequence[Trial], rng: Any) -> Proposal:
        return Evaluate(sample(state, np.random.default_rng()))

    def learn(self, state: Any, trial: Trial) -> Any:
        return state


@dataclass(frozen=True)
class CountsAside(Listed):
    """Counts proposals outside of its state."""

    made: ClassVar[Any] = count()

    def propose(self, state: Known, pending: Sequence[Trial], rng: Any) -> Proposal:
        return Evaluate(state.queue[next(self.made) % len(state.queue)])


@dataclass(frozen=True)
class LearnsInPlace(Listed):
    """Changes the state it is given."""

    def learn(self, state: Known, trial: Trial) -> Known:
        state.learned.append(trial)
        return state


@dataclass(frozen=True)
class LearnsAside(Listed):
    """Remembers outside of its state how much it learned."""

    known: ClassVar[list[int]] = []

    def learn(self, state: Known, trial: Trial) -> Known:
        self.known.append(trial.number)
        return Known(state.queue[len(self.known) % 2 :], state.learned)


@dataclass(frozen=True)
class GoesBySets(Listed):
    """Goes through a set of texts, whose order is another one in every process."""

    def start(self, problem: Problem) -> Known:
        queue = super().start(problem).queue
        return Known(list(set(queue)), [])


@dataclass(frozen=True)
class LosesPending(Listed):
    """Passes over one architecture for each that is pending."""

    def propose(self, state: Known, pending: Sequence[Trial], rng: Any) -> Proposal:
        number = len(state.learned) + 2 * len(pending)
        return Evaluate(state.queue[number]) if number < len(state.queue) else Stop("all are measured")


@dataclass(frozen=True)
class ForgetsPending(Listed):
    """Proposes what is pending once more."""

    def propose(self, state: Known, pending: Sequence[Trial], rng: Any) -> Proposal:
        return super().propose(state, [], rng)


@dataclass(frozen=True)
class StopsEarly(Listed):
    """Takes the last level's pending trials for done."""

    def propose(self, state: Known, pending: Sequence[Trial], rng: Any) -> Proposal:
        return Stop("enough") if len(pending) > 3 else super().propose(state, pending, rng)


@dataclass(frozen=True)
class WaitsForNothing(Listed):
    """Waits for ever after ten trials."""

    def propose(self, state: Known, pending: Sequence[Trial], rng: Any) -> Proposal:
        return Wait() if len(state.learned) >= 10 else super().propose(state, pending, rng)


@dataclass(frozen=True)
class TrustsOutcomes(Listed):
    """Takes every outcome for a measurement."""

    def learn(self, state: Known, trial: Trial) -> Known:
        assert isinstance(trial.outcome, Done)
        return super().learn(state, trial)


@dataclass(frozen=True)
class NeedsValues(Listed):
    """Looks for the best of what is known, which there need not be."""

    def propose(self, state: Known, pending: Sequence[Trial], rng: Any) -> Proposal:
        if len(state.learned) > 5:
            max(t.value for t in state.learned if t.value is not None)
        return super().propose(state, pending, rng)


@dataclass(frozen=True)
class GrowsUnasked(Listed):
    """Uses a complexity order that it does not say it needs."""

    def start(self, problem: Problem) -> Known:
        pool = problem.space.grow((), np.random.default_rng(problem.seed))
        return Known([pool.architecture(i) for i in range(len(pool))], [])


@dataclass(frozen=True)
class Invents(Listed):
    """Proposes what is not in the space."""

    def propose(self, state: Known, pending: Sequence[Trial], rng: Any) -> Proposal:
        return Evaluate(Architecture({**state.queue[0], "made up": 1}))


@dataclass(frozen=True)
class UnbornParents(Listed):
    """Names a trial as parent that is not there yet."""

    def propose(self, state: Known, pending: Sequence[Trial], rng: Any) -> Proposal:
        proposal = super().propose(state, pending, rng)
        number = len(state.learned) + len(pending)
        return Evaluate(proposal.architecture, parent=number) if isinstance(proposal, Evaluate) else proposal


@dataclass(frozen=True)
class NotesInWords(Listed):
    """Notes a text, where facts have names."""

    def propose(self, state: Known, pending: Sequence[Trial], rng: Any) -> Proposal:
        proposal = super().propose(state, pending, rng)
        words: Any = "the next one"
        return Evaluate(proposal.architecture, reason=words) if isinstance(proposal, Evaluate) else proposal


@dataclass(frozen=True)
class ForgetsReturn(Listed):
    """Learns, and keeps what it learned to itself."""

    def learn(self, state: Known, trial: Trial) -> Any:
        super().learn(state, trial)


@dataclass(frozen=True)
class OddNotes(Listed):
    """Notes that are not JSON."""

    def propose(self, state: Known, pending: Sequence[Trial], rng: Any) -> Proposal:
        proposal = super().propose(state, pending, rng)
        note = {"predicted": float("nan")}
        return Evaluate(proposal.architecture, reason=note) if isinstance(proposal, Evaluate) else proposal


@dataclass(frozen=True)
class StopsForAWhile(Listed):
    """Stops after ten trials, and goes on when more are known."""

    def propose(self, state: Known, pending: Sequence[Trial], rng: Any) -> Proposal:
        if len(state.learned) + len(pending) == 10 and pending:
            return Stop("for now")
        return super().propose(state, pending, rng)


@dataclass(frozen=True)
class Nervous(Listed):
    """Settings that do not come back from JSON as they were."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "limit", self.limit + 1)


BROKEN = [
    (Pops, "propose_leaves_the_state_alone"),
    (Dices, "propose_depends_on_its_arguments_alone"),
    (CountsAside, "propose_depends_on_its_arguments_alone"),
    (LearnsInPlace, "learn_leaves_the_old_state_alone"),
    (LearnsAside, "folding_history_rebuilds_the_state"),
    (CountsAside, "twenty_and_twenty_are_forty"),
    (GoesBySets, "every_process_proposes_the_same"),
    (LosesPending, "nothing_is_lost_while_pending"),
    (ForgetsPending, "pending_is_not_proposed_again"),
    (StopsEarly, "nothing_is_lost_while_pending"),
    (WaitsForNothing, "it_waits_only_for_something"),
    (TrustsOutcomes, "failures_are_survived"),
    (NeedsValues, "nothing_but_failures_is_survived"),
    (GrowsUnasked, "needs_are_declared"),
    (Invents, "proposals_are_legal"),
    (UnbornParents, "parents_come_first"),
    (OddNotes, "notes_are_plain"),
    (NotesInWords, "notes_are_plain"),
    (ForgetsReturn, "waiting_ends"),
    (StopsForAWhile, "stopping_is_final"),
    (Nervous, "settings_are_a_spec"),
]
