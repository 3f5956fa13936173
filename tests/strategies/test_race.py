"""The race of a portfolio, and the challenges of its winner."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import pytest

import mocks
from cambrian.architecture import Architecture
from cambrian.errors import IllegalArchitecture, UsageError
from cambrian.estimators.function import Function
from cambrian.outcome import ENDLESS, Crashed, Done, Fidelity, Trial
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.request import Evaluate, Stop, Wait, trial_of
from cambrian.search.delivery.front_choice import name_begun
from cambrian.search.search import Search
from cambrian.spaces import SPACES
from cambrian.spaces.knowledge import Morphs, know
from cambrian.strategies import STRATEGIES
from cambrian.strategies.multifidelity.race import Race, State
from cambrian.strategies.remeasured import Remeasured
from cambrian.weights import MORPHISM, Fresh, Inherit

SPACE = mocks.Toy(questions=3)
LETTERS = "abcd"


def entrant(n: int) -> dict[str, object]:
    """Nine different architectures, each with a skeleton of its own."""
    answers = {"q0": LETTERS[n % 4], "q1": LETTERS[n // 4], "q2": "a"}
    return {"name": f"entrant {n}", "architecture": answers, "skeleton": {"filters": 8 + n}}


ENTRANTS = tuple(entrant(n) for n in range(9))


class Game:
    """A strategy played with one trial at a time, whose score is `value(trial)`."""

    def __init__(self, strategy: Race, value, space=SPACE) -> None:
        self.strategy, self.value = strategy, value
        self.state: State = strategy.start(Problem(space, fidelity=Fidelity(resolution=16), seed=3))
        self.trials: list[Trial] = []

    def play(self, count: int) -> list[Trial]:
        for _ in range(count):
            proposal = self.strategy.propose(self.state, [], stream(3, "proposal", len(self.trials)))
            if not isinstance(proposal, Evaluate):
                assert isinstance(proposal, Stop)
                break
            trial = trial_of(len(self.trials), proposal, Fidelity())
            self.trials.append(msgspec.structs.replace(trial, outcome=self.value(trial)))
            self.state = self.strategy.learn(self.state, self.trials[-1])
        return self.trials


def by_place(trial: Trial) -> Done:
    """The later entrant is the better one, and every further training helps."""
    place = LETTERS.index(trial.architecture["q0"]) + 4 * LETTERS.index(trial.architecture["q1"])
    return Done(place + 0.01 * trial.number)


def test_a_race_is_successive_halving_by_seconds():
    """Nine run, three go on from their own weights for three times as many seconds, the best is recommended;
    then the race is over."""
    game = Game(Race(ENTRANTS, seconds=2.0, challengers=0, inherits=True), by_place)
    trials = game.play(100)
    assert len(trials) == 12
    assert [t.fidelity.seconds for t in trials] == [2.0] * 9 + [6.0] * 3
    assert [t.fidelity.skeleton for t in trials[:9]] == [{"filters": 8 + n} for n in range(9)]
    assert {t.fidelity.resolution for t in trials} == {16}
    assert all(t.weights == Fresh() for t in trials[:9])
    assert [t.weights for t in trials[9:]] == [Inherit(8), Inherit(7), Inherit(6)]
    assert [t.architecture for t in trials[9:]] == [trials[n].architecture for n in (8, 7, 6)]
    assert game.strategy.recommend(game.state) == [trials[8].architecture]
    assert game.strategy.keeps(game.state) == [9, 10]  # the winner's and the second's


def test_the_winner_is_challenged_by_neighbours_that_inherit_its_weights():
    """Each heat after the race holds the leader and new architectures one answer away; the best leads on."""
    game = Game(Race(ENTRANTS, seconds=2.0, challengers=2, inherits=True), by_place)
    trials = game.play(12 + 3 * 4)
    leader, leader_row = trials[9].architecture, 9
    met = {t.architecture for t in trials[:12]}
    for begin in range(12, 24, 3):
        heat = trials[begin : begin + 3]
        assert heat[0].architecture == leader
        assert [t.weights for t in heat] == [Inherit(leader_row)] * 3
        assert [t.fidelity.seconds for t in heat] == [6.0] * 3
        for challenger in heat[1:]:
            assert challenger.architecture not in met
            assert sum(challenger.architecture[q] != leader[q] for q in leader) == 1
            met.add(challenger.architecture)
        best = max(heat, key=lambda t: t.value)
        leader, leader_row = best.architecture, best.number
    assert game.strategy.recommend(game.state)[0] == leader


def test_challengers_are_children_that_begin_with_the_leaders_function():
    """In a space that knows morphisms each challenger is one of them away from the leader, and no other
    network has its function; it takes the leader's weights by that morphism, and once it leads, its own. The
    heats are as many, and as long, as is said; then the race is over."""
    space = SPACES.make("stages")
    entrants = [{"name": name, "architecture": dict(network)} for name, network in space.portfolio.items()]
    race = Race(
        tuple(entrants[:2]), seconds=2.0, challengers=3, challenges=4, challenge_seconds=5.0, inherits=True
    )

    def value(trial: Trial) -> Done:
        """More depth and width is better."""
        answers = trial.architecture.values()
        return Done(sum(a for a in answers if isinstance(a, int | float)) + 0.001 * trial.number)

    game = Game(race, value, space)
    trials = game.play(100)
    assert len(trials) == 2 + 4 * 4
    morphing = know(space, Morphs)
    leader, row, functions = max(trials[:2], key=lambda t: t.value).architecture, None, set()
    for begin in range(2, len(trials), 4):
        first, *children = trials[begin : begin + 4]
        assert first.architecture == leader
        assert first.weights == Inherit(first.parent)
        assert row in (None, first.parent)
        for child in children:
            assert child.weights == Inherit(first.parent, MORPHISM)
            assert child.reason["step"] in morphing.morphs
            paths = [path for path in child.architecture if child.architecture[path] != leader.get(path)]
            assert len(paths) == 1
            functions.add(space.canonical(child.architecture))
        assert {t.fidelity.seconds for t in (first, *children)} == {5.0}
        best = max((first, *children), key=lambda t: t.value)
        leader, row = best.architecture, best.number
    assert len(functions) == 4 * 3
    assert game.strategy.recommend(game.state) == [leader]
    assert row in game.strategy.keeps(game.state)


def test_a_favourite_is_not_overtaken_within_the_margin():
    """With a margin of two places the first of the three best stays ahead; without one the best does."""
    assert Game(Race(ENTRANTS, challengers=0, margin=2.2), by_place).play(99)[9].architecture["q0"] == "c"
    assert Game(Race(ENTRANTS, challengers=0), by_place).play(99)[9].architecture == Architecture(
        ENTRANTS[8]["architecture"]
    )


def test_a_handicap_counts_in_the_race_and_not_in_its_challenges():
    """With one of two places and more the first of the three best wins the race, as with such a margin; a
    challenger that is better by one overtakes it."""
    assert Game(Race(ENTRANTS, challengers=0, handicap=2.2), by_place).play(99)[9].architecture["q0"] == "c"
    race = Race(ENTRANTS, challengers=2, challenges=1, handicap=2.2, inherits=True)

    def value(trial):
        return Done(50.0 + trial.number) if trial.reason["heat"] == 3 else by_place(trial)

    game = Game(race, value)
    last = game.play(99)[-1]
    assert last.reason["heat"] == 3
    assert game.strategy.recommend(game.state)[0] == last.architecture


def test_within_a_later_heat_the_heat_before_decides():
    """Whoever has run in it has learned three times as long: no reason to prefer it to one that has not."""
    game = Game(Race(ENTRANTS, challengers=0), by_place)
    first = game.play(9)
    before = game.strategy.recommend(game.state)
    for _ in range(2):
        game.play(1)
        assert game.strategy.recommend(game.state)[:3] == before[:3]
    assert before[0] == max(first, key=lambda t: t.value).architecture


def test_runners_that_fail_drop_out():
    """A crash in the first heat, and of a leader in a challenge, costs that runner only; where all fail the
    search stops."""

    def value(trial: Trial):
        failing = trial.number in (8, 12) or trial.number > 30
        return Crashed("deliberate") if failing else by_place(trial)

    game = Game(Race(ENTRANTS, challengers=2), value)
    trials = game.play(40)
    assert trials[9].architecture == trials[7].architecture
    assert trials[15].architecture in (trials[13].architecture, trials[14].architecture)
    lost = Game(Race(ENTRANTS), lambda trial: Crashed("deliberate"))
    assert len(lost.play(20)) == 9
    assert lost.strategy.propose(lost.state, [], stream(0, "x")) == Stop(
        "no network of the race could be trained"
    )
    later = Game(Race(ENTRANTS), lambda trial: Crashed("deliberate") if trial.number > 8 else by_place(trial))
    later.play(20)
    assert later.strategy.propose(later.state, [], stream(0, "x")) == Stop(
        "no network that was left in the race could be trained"
    )


def test_one_entrant_is_trained_and_then_is_the_winner():
    game = Game(Race(ENTRANTS[:1], seconds=4.0, challengers=0), by_place)
    trials = game.play(5)
    assert len(trials) == 1
    assert game.strategy.recommend(game.state) == [trials[0].architecture]


def test_without_inheritance_each_heat_trains_anew():
    """Any estimator can do what is asked for then."""
    strategy = Race(ENTRANTS, challengers=2)
    assert strategy.requests == (Evaluate, Fresh)
    assert all(t.weights == Fresh() for t in Game(strategy, by_place).play(20))
    assert Race(ENTRANTS, inherits=True).requests == (Evaluate, Fresh, Inherit)


def test_a_favourite_is_one_in_whichever_order_they_are_learned():
    """Three runners within the margin of each other, learned from the last to the first: it wins."""
    race = Race(tuple(entrant(n) for n in range(3)), margin=0.5, challengers=0)
    state, pending = race.start(Problem(SPACE)), []
    for number in range(3):
        request = race.propose(state, pending, stream(0, "race", number))
        pending.append(trial_of(number, request, Fidelity()))
    for trial in reversed(pending):
        done = Done(0.5 + 0.1 * trial.number)
        state = race.learn(state, msgspec.structs.replace(trial, outcome=done))
    assert [runner.architecture for runner in state.heat] == [pending[0].architecture]


def test_an_entrant_that_is_none_is_refused_in_a_sentence():
    """One that is not of the space, or whose skeleton is no object."""
    with pytest.raises(IllegalArchitecture, match="no answer"):
        Race(({"name": "one", "architecture": {"stages": 4}},)).start(Problem(SPACES.make("stages")))
    with pytest.raises(UsageError, match="an entrant's 'skeleton' is an object"):
        Race(({"name": "one", "architecture": {}, "skeleton": None},))


def test_a_heat_waits_for_its_last_runner():
    """While a trial of the heat is pending and none is left to begin, the strategy waits."""
    strategy = Race(ENTRANTS[:2])
    state = strategy.start(Problem(SPACE))
    first = trial_of(0, strategy.propose(state, [], stream(0, "a")), Fidelity())
    second = trial_of(1, strategy.propose(state, [first], stream(0, "b")), Fidelity())
    assert first.architecture != second.architecture
    assert isinstance(strategy.propose(state, [first, second], stream(0, "c")), Wait)


def test_entrants_are_settings():
    """A race is made from its spec; without entrants random architectures run; a wrong one is refused."""
    strategy = Race(ENTRANTS, seconds=3.0)
    assert STRATEGIES.make(STRATEGIES.spec(strategy)).start(Problem(SPACE)) == strategy.start(Problem(SPACE))
    assert len(Race(size=5).start(Problem(SPACE)).heat) == 5
    with pytest.raises(UsageError, match="an entrant is an object with an 'architecture'"):
        Race(("resnet",))


@dataclass(frozen=True)
class Begun(mocks.Toy):
    """A space that begins with an architecture, as that of a user's own network does."""

    @property
    def begins(self) -> dict[str, Architecture]:
        return {"your network": Architecture({"q0": "d", "q1": "d", "q2": "d"})}


@pytest.mark.parametrize(
    "entrants", [(), (*ENTRANTS[:7], {"architecture": {"q0": "d", "q1": "d", "q2": "d"}})]
)
@pytest.mark.parametrize("around", [lambda race: race, Remeasured])
def test_the_network_that_a_space_begins_with_runs_with_the_others(entrants, around):
    """First, for as many seconds as each of them, though the search names no seconds and no end: measured
    more fully than all others, it would be recommended whatever its value. It takes the place of a random
    one, is named once, goes on where it is among the best, and may win."""
    seen = []

    def value(architecture: Architecture, fidelity: Fidelity) -> float:
        seen.append(fidelity)
        return sum(LETTERS.index(a) for a in architecture.values()) + 0.01 * len(seen)

    race = around(Race(entrants, size=8, seconds=2.0, challengers=0))
    fidelity = Fidelity(ENDLESS)
    search = Search(Begun(questions=3), race, Function(value, builds=False), budget=12, fidelity=fidelity)
    result = search.run(quiet=True)
    mine = Architecture({"q0": "d", "q1": "d", "q2": "d"})
    assert [t.reason.get("runner") for t in result.trials if t.architecture == mine][:2] == [
        "your network"
    ] * 2
    assert [t.number for t in result.trials if name_begun(t)] == [0]
    assert [t.fidelity.seconds for t in result.trials[:10]] == [2.0] * 8 + [6.0] * 2
    assert all(f.seconds for f in seen)
    assert result.best is not None
    assert result.best.architecture == mine


def test_the_network_that_a_space_begins_with_may_lose():
    """By its value after as many seconds as the others."""

    def value(architecture: Architecture) -> float:
        return -sum(LETTERS.index(a) for a in architecture.values())

    race = Race(size=8, seconds=2.0, challengers=0)
    fidelity = Fidelity(ENDLESS)
    search = Search(Begun(questions=3), race, Function(value, builds=False), budget=12, fidelity=fidelity)
    result = search.run(quiet=True)
    assert result.best is not None
    assert not name_begun(result.best)
    assert result.best.value == max(t.value for t in result.trials)
