"""Scalarisation: the augmented Chebyshev function, its directions, and their searches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from landscapes import planted, play, rugged

from cambrian.architecture import Architecture, sample
from cambrian.errors import UsageError
from cambrian.outcome import Done, Fidelity, Trial
from cambrian.problem import Objective, Problem
from cambrian.recommendation import dominates
from cambrian.search.search import Search
from cambrian.strategies import STRATEGIES
from cambrian.strategies.filtered import Filtered
from cambrian.strategies.reinforcement.q_learning import QLearning
from cambrian.strategies.reinforcement.reinforce import Reinforce
from cambrian.strategies.remeasured import Remeasured
from cambrian.strategies.scalarised import Scalarised, State, combine_losses, draw_weights, scalarise_trial
from cambrian.strategies.strategy import Evaluate, Stop, Wait
from cambrian.weights import Fresh, Inherit
from mocks import Toy
from reseeding import stream

OBJECTIVES = (Objective(), Objective("cost", minimize=True))
LOSSES = st.tuples(*[st.floats(0, 1).map(lambda x: round(x, 3))] * 3)


def trial(number: int, value: float, **metrics: float) -> Trial:
    return Trial(number, Architecture({"n": number}), Fidelity(), outcome=Done(value, metrics))


@given(LOSSES, LOSSES, st.integers(0, 20))
def test_nothing_that_is_dominated_wins(one: Any, other: Any, seed: int) -> None:
    """Because of the weighted sum, whose share is above 0."""
    weights = stream(seed, "weights").dirichlet([1.0] * 3).tolist()
    if dominates([-x for x in one], [-x for x in other]):
        assert combine_losses(one, weights, 0.05) < combine_losses(other, weights, 0.05)


def test_every_point_of_a_front_wins_along_some_direction() -> None:
    """Also where the front is concave, where a weighted sum would only ever choose its ends."""
    front = [(0.0, 1.0), (0.4, 0.9), (0.75, 0.7), (0.9, 0.4), (1.0, 0.0)]
    weights = [(w, 1 - w) for w in np.linspace(0.01, 0.99, 99)]
    chebyshev = {min(front, key=lambda p: combine_losses(p, w, 0.05)) for w in weights}
    sums = {min(front, key=lambda p: float(np.dot(p, w))) for w in weights}
    assert chebyshev == set(front)
    assert sums == {front[0], front[-1]}


def test_weights_are_seeded_and_sum_to_one() -> None:
    """The same of the same seed, others of another one."""
    one, again, other = (draw_weights(Problem(Toy(), OBJECTIVES, seed=s), 7) for s in (0, 0, 1))
    assert one == again != other
    assert [sum(w) for w in one] == pytest.approx([1.0] * 7)


def test_objectives_are_scaled_to_their_ranges() -> None:
    """Value 3 of 1 to 5, cost 10 of 10 to 30: losses 0.5 and 0."""
    state = State(Problem(Toy(), OBJECTIVES), (), (), best=(5.0, -10.0), worst=(1.0, -30.0))
    along = scalarise_trial(state, trial(0, 3.0, cost=10.0), (0.5, 0.5), 0.05)
    assert along.value == pytest.approx(1 - 0.2625 / 1.05)
    assert scalarise_trial(state, trial(0, 3.0), (0.5, 0.5), 0.05).value is None


def test_a_loss_that_exploded_is_no_end_of_its_range() -> None:
    """By it all others would be alike, and the cheapest network the best along every direction."""
    strategy = Scalarised("random", directions=3)
    state = strategy.start(Problem(Toy(), OBJECTIVES))
    for number in range(9):
        state = strategy.learn(state, trial(number, float(number), cost=float(number)))
    exploded = strategy.learn(state, trial(9, -1e9, cost=4.0))
    assert (exploded.best, exploded.worst) == (state.best, state.worst) == ((8.0, 0.0), (0.0, -8.0))


class Counted(Trial, frozen=True):
    """A trial that counts how often its scores are read."""

    read: ClassVar[list[int]] = []

    def scores(self, objectives: Sequence[Objective]) -> tuple[float, ...]:
        self.read.append(self.number)
        return super().scores(objectives)


def test_a_trial_within_the_ranges_reads_no_other_one() -> None:
    """The ends of all trials were looked for after each: of a search's 20,000th that took 40 ms."""
    strategy = Scalarised("random", directions=2)
    state = strategy.start(Problem(Toy(), OBJECTIVES))
    for n in range(60):
        value = [0.0, 1.0, 0.5][n % 3]
        outcome = Done(value, {"cost": value})
        state = strategy.learn(state, Counted(n, Architecture({"n": n}), Fidelity(), outcome=outcome))
        assert Counted.read.count(n) <= 3
        assert n < 2 or set(Counted.read) == {n}
        Counted.read.clear()


def test_states_are_those_of_the_last_ranges() -> None:
    """After each trial every direction is as if it had learned all trials with the ranges of now."""
    strategy, problem = Scalarised("evolution(population=4, sample=2)", 3), Problem(Toy(6), OBJECTIVES)
    state, rng = strategy.start(problem), stream(0, "trials")
    for number in range(12):
        value, cost = rng.random(2).tolist()
        learned = msgspec.structs.replace(
            trial(number, value, cost=cost), architecture=sample(problem.space, rng)
        )
        state = strategy.learn(state, learned)
        for weights, along in zip(state.weights, state.inner, strict=True):
            values = [scalarise_trial(state, t, weights, 0.05).value for t in state.trials]
            assert [m.value for m in along.population] == values[-4:]
            assert min(values) >= 0
            assert max(values) <= 1


@pytest.mark.parametrize("strategy", [Reinforce(), QLearning(horizon=40)])
def test_the_worst_of_accuracies_teaches_along_a_direction(strategy: Any) -> None:
    """As it does without directions: of an accuracy at chance beside many that are alike a policy learned the
    worst of these, and began anew after eight of them."""
    scalarised, values = Scalarised(strategy, directions=2), [0.1, *(0.9 + n / 1000 for n in range(12))]
    state = scalarised.start(Problem(Toy(), OBJECTIVES))
    for n, value in enumerate(values):
        known = trial(n, value, cost=1 - value)
        drawn = sample(Toy(), stream(n, "chance"))
        state = scalarised.learn(state, msgspec.structs.replace(known, architecture=drawn))
    lows = [min(scalarise_trial(state, t, w, 0.05).value or 0.0 for t in state.trials) for w in state.weights]
    assert [along.rewards.lowest for along in state.inner] == lows


@pytest.mark.parametrize("inner", ["evolution(population=8)", "hill-climbing"])
def test_with_one_objective_it_is_the_strategy_itself(inner: str) -> None:
    """Every direction has the weight 1, and the order of the values is theirs."""
    toy = Toy(questions=5)
    alone, _, _ = play(STRATEGIES.parse(inner), toy, rugged, 60)
    along, _, _ = play(Scalarised(inner, directions=3), toy, rugged, 60)
    assert [t.architecture for t in alone] == [t.architecture for t in along]


def test_a_strategy_of_its_own_trials_is_refused() -> None:
    with pytest.raises(UsageError, match="strategy 'scalarised': filtered learns trials that it proposes"):
        STRATEGIES.parse("scalarised(strategy=filtered)")
    with pytest.raises(UsageError, match="unknown strategy 'evolutoin'; did you mean 'evolution'"):
        STRATEGIES.parse("scalarised(strategy=evolutoin)")


@dataclass(frozen=True)
class Said:
    """Proposes what its state is."""

    needs: ClassVar[tuple[type, ...]] = ()
    requests: ClassVar[tuple[type, ...]] = (Evaluate, Fresh, Inherit)
    order: ClassVar[str] = "arrival"
    estimators: ClassVar[dict[str, str]] = {"params": "params"}
    axes: ClassVar[tuple[str, ...]] = ("epochs",)

    def start(self, problem: Problem) -> Any:
        return Stop("at once")

    def propose(self, state: Any, pending: Sequence[Trial], rng: Any) -> Any:
        return state

    def learn(self, state: Any, trial: Trial) -> Any:
        return state


ENDED, WAITS, ASKS = Stop("it has ended"), Wait(), Evaluate(Architecture({"n": 1}))


@pytest.mark.parametrize(
    ("directions", "proposal"),
    [
        ((ENDED, ENDED, ASKS), ASKS),
        ((ASKS, ENDED, ENDED), ASKS),
        ((ENDED, WAITS, ENDED), WAITS),
        ((ENDED, ENDED, ENDED), ENDED),
    ],
)
def test_the_turn_of_an_ended_direction_is_the_next_ones(directions: Any, proposal: Any) -> None:
    """Whoever's turn it is; the search ends when all directions have."""
    strategy = Scalarised(Said(), len(directions))
    state = replace(strategy.start(Problem(Toy(), OBJECTIVES)), inner=directions)
    for turn in range(len(directions)):
        assert strategy.propose(state, [trial(n, 0.0) for n in range(turn)], stream(0, "turn")) == proposal


@pytest.mark.parametrize("wrapper", [Scalarised, Remeasured, partial(Filtered, measures=("params",))])
def test_what_is_wrapped_says_what_it_needs_of_a_run(wrapper: Any) -> None:
    """The weights that it asks for, the order in which it learns, its estimators and the axes."""
    wrapped = wrapper(strategy=Said())
    assert set(wrapped.requests) == set(Said.requests)
    assert (wrapped.order, wrapped.axes) == (Said.order, Said.axes)
    assert wrapped.estimators == Said.estimators


def test_the_weights_that_directions_inherit_are_kept() -> None:
    """As those of the strategy alone; none where it trains every network anew."""
    for inner, keeps in (("tournament(inherits=true)", True), ("tournament", False)):
        assert Search("tiny-chain", Scalarised(inner), "train").keeps is keeps


def test_failures_are_passed_on() -> None:
    """A trial without a value is a failure along every direction."""
    trials, state, _ = play(Scalarised(directions=2), Toy(4), planted, 10)
    failed = msgspec.structs.replace(trials[0], outcome=None)
    assert scalarise_trial(state, failed, (1.0,), 0.05) is failed
