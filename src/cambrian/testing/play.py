"""A search without ledger, estimators and engines: a strategy plays against made-up outcomes, in the order
of a real search (see `Order`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import msgspec

from cambrian.architecture import Architecture
from cambrian.choices import Scalar
from cambrian.codec import decode, encode
from cambrian.outcome import Crashed, Done, Fidelity, Infeasible, Outcome, Trial
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.registry import Registry
from cambrian.request import Evaluate, Proposal, Stop, TrainSupernet, Wait, trial_of
from cambrian.search.loop.answers import replay_proposed
from cambrian.search.loop.order import Order
from cambrian.spaces.space import Pick, Signature, Space
from cambrian.strategies.strategy import Strategy
from cambrian.testing.suite import expect

Measure = Callable[[Trial], Outcome]


def smooth(trial: Trial) -> Outcome:
    """A made-up accuracy that is a function of the architecture: each answer adds its share."""
    shares = [float(stream(0, "share", p, repr(a)).random()) for p, a in trial.architecture.items()]
    return Done(sum(shares) / (1 + len(shares)), seconds=1.0)


def fail_some(trial: Trial) -> Outcome:
    """Every third trial fails, for each kind of reason in turn."""
    bad = (Infeasible("nan"), Crashed("ValueError: made up"), Infeasible("oom", "made up"))
    return bad[trial.number // 3 % 3] if trial.number % 3 == 0 else smooth(trial)


def fail_all(trial: Trial) -> Outcome:
    """Every trial fails."""
    return Crashed("ValueError: made up")


@dataclass(frozen=True)
class StrategyCase:
    """A strategy under test on a space. `trials` is the length of its play; make the space and the strategy's
    settings such that it passes through more than one of its phases.

    `repeats`: it may propose an architecture that is pending already (random search may); `lag_free`: it
    proposes the same whatever the number of workers (as strategies do that finish level by level). `measure`
    makes up the outcomes."""

    strategy: Strategy
    space: Space
    trials: int = 40
    repeats: bool = False
    lag_free: bool = False
    fidelity: Fidelity = field(default_factory=Fidelity)
    measure: Measure = smooth

    @cached_property
    def game(self) -> Game:
        """The strategy played once, four trials at a time."""
        return Game(self, lag=4).play(self.trials)

    @cached_property
    def bare(self) -> Space:
        """The space with no more knowledge than the strategy declares to need."""
        return _Bare(self.space, self.strategy.needs)


class Game:
    """A search in play: `trials` proposed so far, `learned` of them known to `state`. Their outcomes are
    there at once; the strategy learns of them when `lag` or its waiting lets it."""

    def __init__(
        self,
        case: StrategyCase,
        lag: int = 1,
        measure: Measure | None = None,
        space: Space | None = None,
        history: Sequence[Trial] = (),
        learned: int = 0,
    ) -> None:
        self.case, self.measure = case, measure or case.measure
        self.space = case.space if space is None else space
        self.proposals: list[Proposal] = []
        self.stopped: Stop | None = None
        self._order = Order(Problem(self.space, fidelity=case.fidelity, seed=7), case.strategy, lag=lag)
        for trial in history:
            self._add(trial)
        while self.learned < learned:
            self.learn()

    @property
    def trials(self) -> list[Trial]:
        return self._order.trials

    @property
    def learned(self) -> int:
        return self._order.learned

    @property
    def state(self) -> Any:
        return self._order.state

    def play(self, until: int) -> Game:
        """Propose and learn until there are `until` trials, or the strategy stops."""
        while len(self.trials) < until and self.stopped is None:
            self.step()
        return self

    def step(self) -> Proposal:
        """One more trial; or Stop."""
        proposal = self._order.next_proposal()
        # Every outcome is known, so a strategy that still waits has learned them all.
        expect(not isinstance(proposal, Wait), f"waits with nothing pending, after {len(self.trials)} trials")
        self.proposals.append(proposal)
        if isinstance(proposal, Stop):
            self.stopped = proposal
        else:
            self._add(self.trial(proposal))
        return proposal

    def propose(self) -> Proposal:
        """The strategy's proposal by now; changes nothing here."""
        return self._order.propose()

    def learn(self) -> None:
        """Let the strategy learn one trial more, whatever the lag."""
        self._order.learn(self.learned)

    def outcome_of(self, number: int) -> Trial:
        """The trial as it is learned, with its outcome."""
        return self.trials[number]

    def pending(self) -> list[Trial]:
        return self._order.pending()

    def trial(self, proposal: Proposal) -> Trial:
        """The ledger's row for a proposal, which must be legal."""
        assert isinstance(proposal, Evaluate | TrainSupernet)
        trial = trial_of(len(self.trials), proposal, self.case.fidelity)
        if isinstance(proposal, TrainSupernet):
            return trial
        return msgspec.structs.replace(
            trial, architecture=replay_proposed(self.case.strategy, self.space, trial.architecture)
        )

    def _add(self, trial: Trial) -> None:
        outcome = self.measure(msgspec.structs.replace(trial, outcome=None))
        self._order.add(decode(encode(trial), Trial))  # as a resumed search reads it back
        self._order.finish(trial.number, outcome)


def propose_in_parts(
    strategy: Any, space: Space, fidelity: Fidelity, trials: Sequence[Trial]
) -> list[tuple[int, str]]:
    """What the strategy proposes after some eight parts of a history, with their lengths."""
    state, requests = strategy.start(Problem(space, fidelity=fidelity, seed=7)), []
    for known in range(len(trials) + 1):
        if known % max(1, len(trials) // 8) == 0:
            requests.append((known, _request(strategy.propose(state, [], stream(7, "propose", known)))))
        if known < len(trials):
            state = strategy.learn(state, trials[known])
    return requests


def propose_elsewhere(facts: list[Any]) -> list[tuple[int, str]]:
    """The same for specs of a strategy and a space, a fidelity and a history as JSON."""
    strategy, space = Registry("strategy", {}).make(facts[0]), Registry("space", {}).make(facts[1])
    fidelity: Fidelity = decode(json.dumps(facts[2]), Fidelity)
    trials: list[Trial] = decode(json.dumps(facts[3]), list[Trial])
    return propose_in_parts(strategy, space, fidelity, trials)


def _request(proposal: Proposal) -> str:
    """What is asked for, without notes: the last digits of a prediction may differ between processes."""
    if isinstance(proposal, Stop | Wait):
        return type(proposal).__name__
    return encode(msgspec.structs.replace(proposal, reason={}, memory={})).decode()


class _Bare(Space):
    """A space's questions, and of its knowledge only `protocols`."""

    def __init__(self, space: Space, protocols: Sequence[type]) -> None:
        self._space, self._protocols = space, protocols

    def program(self, pick: Pick) -> object:
        return self._space.program(pick)

    def build(self, architecture: Architecture, task: Signature, **skeleton: Scalar) -> Any:
        return self._space.build(architecture, task, **skeleton)

    @property
    def knowledge(self) -> tuple[object, ...]:
        return tuple(_strip(self._space.know(protocol), protocol) for protocol in self._protocols)


def _strip(known: object, protocol: type) -> object:
    """`known` with the members of `protocol` alone."""
    # Whole objects would let a strategy use methods that it never declared to need.
    names = [name for name in dir(protocol) if not name.startswith("_")]
    return SimpleNamespace(**{name: getattr(known, name) for name in names if hasattr(known, name)})
