"""A portfolio of networks, raced by successive halving; then its winner against neighbours of its own.

The race is PoSH Auto-sklearn's (Feurer et al. 2018, AutoML workshop; Jamieson & Talwalkar 2016, Algorithm 1):
every entrant is trained for some seconds, the best third for three times as many, and so on. Entrants may go
on from their own weights, so that little of the race is lost. The challenges are the hill climbing of NASH
(Elsken et al. 2017, Algorithm 1): the leader and children of it by network morphisms, which begin with its
function, are trained equally long, and the best of them leads. The leader learns on in every heat.

All are measured after equally many seconds, not steps: a network that learns more from each image, but
slowly, has to be better by the clock.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec

from cambrian.architecture import Architecture, replay, sample
from cambrian.choices import Scalar
from cambrian.errors import UsageError
from cambrian.outcome import Trial
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.settings import POSITIVE, Span
from cambrian.spaces.knowledge import name_function
from cambrian.strategies.begun import list_begun
from cambrian.strategies.multifidelity.challengers import draw_challengers
from cambrian.strategies.settings import check_settings
from cambrian.strategies.strategy import Evaluate, Proposal, Stop, Wait
from cambrian.weights import Fresh, Inherit

if TYPE_CHECKING:
    import numpy as np

    from cambrian.spaces.space import Space


class Runner(msgspec.Struct, frozen=True):
    """A network in the race, in its own skeleton. `row` is the trial whose weights it goes on from by `move`,
    None for random ones; `score` is that of its own latest trial, and `step` its difference from the leader,
    where it challenges one. `begins` says that the space begins with it."""

    name: str
    architecture: Architecture
    skeleton: dict[str, Scalar] = {}
    row: int | None = None
    score: float = -math.inf
    move: str = ""
    step: str = ""
    begins: bool = False


@dataclass(frozen=True)
class State:
    """`heat` are the runners that are trained now, the favourite first, and `scored` those of them that are
    learned, by their place. `rung` counts the heats of the race; `challenges` those after it."""

    problem: Problem
    heat: tuple[Runner, ...]
    scored: Mapping[int, Runner] = field(default_factory=dict)
    rung: int = 0
    challenges: int = 0
    met: frozenset[Hashable] = frozenset()  # functions that have run
    second: int | None = None  # the row that came second in the last heat, should the leader fail in the end

    @property
    def decided(self) -> bool:
        """Whether the race has a winner, which is then challenged."""
        alone = len(self.heat) == 1 and self.heat[0].row is not None
        return alone or self.challenges > 0


@dataclass(frozen=True)
class Race:
    """`entrants` are the portfolio, favourites first: a "name", the answers of an "architecture", and the
    settings of its "skeleton"; without any, `size` architectures run, random ones. Before them run those that
    the search begins with, as a network that the user has, where there are any. Each is trained for `seconds`
    in the first heat, and for `eta` times as many in each later one, to which the best 1/`eta` are admitted.
    `challengers` is the number of them in each heat after the race (0: it ends with the race), of which there
    are `challenges` (None: until the end of the budget), each of `challenge_seconds` (None: as long as the
    last heat of the race).

    With `inherits`, runners go on from the weights of the heat before, and challengers from the leader's: by
    network morphisms, where the space knows any, else they are neighbours of the leader, one answer away, and
    take the tensors that agree. This needs an estimator that can; otherwise each heat trains anew.

    A runner overtakes a favourite only with a score that is higher by more than `margin`: differences below
    it are noise of the validation part. In the race it also needs `handicap` more, since its heats are short,
    and what learns fast at first need not be the best in the end; challengers have learned as long as their
    leader."""

    entrants: tuple[Any, ...] = ()
    size: Annotated[int, Span(1, 1000)] = 9
    seconds: Annotated[float, POSITIVE] = 5.0
    eta: Annotated[int, Span(2, 100)] = 3
    challengers: Annotated[int, Span(0, 100)] = 2
    challenges: Annotated[int | None, Span(0)] = None
    challenge_seconds: Annotated[float | None, POSITIVE] = None
    margin: Annotated[float, Span(0)] = 0.0
    handicap: Annotated[float, Span(0)] = 0.0
    inherits: bool = False
    needs: ClassVar[tuple[type, ...]] = ()
    own_trials: ClassVar[bool] = True
    begins: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_settings(self)
        for entrant in self.entrants:
            if not isinstance(entrant, Mapping) or not isinstance(entrant.get("architecture"), Mapping):
                raise UsageError(
                    "strategy 'race': an entrant is an object with an 'architecture' (its answers by their"
                    f" paths), a 'name' and a 'skeleton', got {entrant!r:.80}"
                )
            if not isinstance(entrant.get("skeleton", {}), Mapping):
                raise UsageError(
                    "strategy 'race': an entrant's 'skeleton' is an object with settings by their names, got"
                    f" {entrant['skeleton']!r:.80}"
                )

    @property
    def requests(self) -> tuple[type, ...]:
        return (Evaluate, Fresh, Inherit) if self.inherits else (Evaluate, Fresh)

    def start(self, problem: Problem) -> State:
        begun = _list_begun(problem)
        met = {runner.architecture for runner in begun}
        read = [_read_entrant(problem.space, entrant) for entrant in self.entrants]
        named = [runner for runner in read if runner.architecture not in met]
        drawn = () if self.entrants else self._draw_entrants(problem, self.size - len(begun))
        return _admit(State(problem, ()), (*begun, *named, *drawn))

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        if not state.heat:
            left = "of the race" if state.rung == 0 else "that was left in the race"
            return Stop(f"no network {left} could be trained")
        if self._ended(state):
            return Stop("the race is decided")
        # A heat ends before the next one begins, so that all pending trials are of this one.
        begun = {trial.memory["place"] for trial in pending} | state.scored.keys()
        place = next((place for place in range(len(state.heat)) if place not in begun), None)
        return Wait() if place is None else self._request(state, place)

    def learn(self, state: State, trial: Trial) -> State:
        place = trial.memory["place"]
        runner = state.heat[place]
        if trial.score is not None:
            number = trial.number if trial.cached is None else trial.cached
            # From here on it goes on from weights of its own.
            runner = msgspec.structs.replace(runner, row=number, score=trial.score, move="", step="")
        else:
            runner = msgspec.structs.replace(runner, score=-math.inf)
        state = replace(state, scored={**state.scored, place: runner})
        return self._end_heat(state) if len(state.scored) == len(state.heat) else state

    def recommend(self, state: State) -> list[Architecture]:
        """The runners of this heat by their latest scores, the leader first; within a later heat of the race
        by those of the heat before, since whoever has run already has learned longer."""
        latest = [state.scored.get(place, runner) for place, runner in enumerate(state.heat)]
        # A challenger that has not been trained has no score: it is not recommended.
        able = [runner for runner in latest if runner.score > -math.inf]
        return [
            r.architecture for r in (able if state.rung and not state.decided else self._rank(state, able))
        ]

    def keeps(self, state: State) -> list[int]:
        """The rows that runners go on from, and those of this heat."""
        rows = [runner.row for runner in (*state.heat, *state.scored.values())]
        return sorted({row for row in (*rows, state.second) if row is not None})

    def _request(self, state: State, place: int) -> Evaluate:
        runner = state.heat[place]
        seconds = self.seconds * self.eta**state.rung
        if state.challenges and self.challenge_seconds is not None:
            seconds = self.challenge_seconds
        fidelity = msgspec.structs.replace(state.problem.fidelity, seconds=seconds)
        if runner.skeleton:
            fidelity = msgspec.structs.replace(fidelity, skeleton={**fidelity.skeleton, **runner.skeleton})
        heat = state.rung + 1 + state.challenges
        begun = {"begins": runner.name} if runner.begins and heat == 1 else {}
        return Evaluate(
            runner.architecture,
            fidelity,
            parent=runner.row,
            weights=Inherit(runner.row, runner.move) if self.inherits and runner.row is not None else Fresh(),
            reason={
                "runner": runner.name,
                "heat": heat,
                **begun,
                **({"step": runner.step} if runner.step else {}),
            },
            memory={"place": place},
        )

    def _end_heat(self, state: State) -> State:
        """The state at the beginning of the next heat."""
        # Favourites first, in whichever order they were learned.
        runners = [state.scored[place] for place in sorted(state.scored)]
        ranked = self._rank(state, [r for r in runners if r.score > -math.inf])
        state = replace(state, second=ranked[1].row if len(ranked) > 1 else None)
        if state.decided:
            return self._go_on(state, ranked[0] if ranked else state.heat[0])
        admitted = ranked[: max(1, len(state.heat) // self.eta)]
        if len(admitted) > 1:
            return _admit(replace(state, rung=state.rung + 1), admitted)
        state = replace(state, heat=tuple(admitted), scored={})
        return self._go_on(state, admitted[0]) if admitted else state

    def _ended(self, state: State) -> bool:
        """Whether the leader stands alone, and is not challenged any more."""
        return len(state.heat) == 1 and state.decided and not self._challenges_left(state)

    def _challenges_left(self, state: State) -> bool:
        return self.challengers > 0 and (self.challenges is None or state.challenges < self.challenges)

    def _go_on(self, state: State, leader: Runner) -> State:
        """The next challenge, or the leader alone after the last one."""
        if self._challenges_left(state):
            return self._challenge(state, leader)
        return replace(state, heat=(leader,), scored={})

    def _rank(self, state: State, runners: Sequence[Runner]) -> list[Runner]:
        """The runners, best first; a favourite is not overtaken within the margin."""
        margin = self.margin if state.decided else self.margin + self.handicap
        left, ranked = list(runners), list[Runner]()
        while left:
            bar = max(runner.score for runner in left) - margin
            ranked.append(next(runner for runner in left if runner.score >= bar))
            left.remove(ranked[-1])
        return ranked

    def _challenge(self, state: State, leader: Runner) -> State:
        """A heat of the leader and new networks beside it, which begin with its weights."""
        space, number = state.problem.space, state.challenges + 1
        rng = stream(state.problem.seed, "race", number)
        known = state.met.__contains__
        drawn = draw_challengers(
            space, leader.architecture, self.challengers, known, rng, morphs=self.inherits
        )
        challengers = [
            Runner(f"{leader.name}*", c.architecture, leader.skeleton, leader.row, move=c.move, step=c.step)
            for c in drawn
        ]
        return _admit(replace(state, challenges=number), [leader, *challengers])

    def _draw_entrants(self, problem: Problem, count: int) -> tuple[Runner, ...]:
        rng = stream(problem.seed, "race", 0)
        return tuple(Runner(f"random {n}", sample(problem.space, rng)) for n in range(1, count + 1))


def _list_begun(problem: Problem) -> tuple[Runner, ...]:
    """The networks that the search begins with. They run as all others do: trained for as long as the whole
    search is planned, one would be measured more fully than any other, and one without an end never end."""
    return tuple(Runner(name, begun, begins=True) for name, begun in list_begun(problem).items())


def _read_entrant(space: Space, entrant: Mapping[str, Any]) -> Runner:
    """Raises IllegalArchitecture for one that is not of the space."""
    architecture = replay(space, Architecture.from_json(entrant["architecture"]))
    return Runner(str(entrant.get("name", "entrant")), architecture, dict(entrant.get("skeleton", {})))


def _admit(state: State, runners: Sequence[Runner]) -> State:
    functions = {name_function(state.problem.space, runner.architecture) for runner in runners}
    return replace(state, heat=tuple(runners), scored={}, met=state.met | functions)
