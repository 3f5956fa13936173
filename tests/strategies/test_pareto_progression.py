"""POPNAS and DPP-Net: each level against the algorithm done by hand, fronts against the definition."""

from __future__ import annotations

import numpy as np
import pytest

from cambrian.architecture import Architecture
from cambrian.errors import UsageError
from cambrian.hypervolume import measure_hypervolume
from cambrian.outcome import Crashed, Done, Fidelity, Infeasible, Trial
from cambrian.predictors import PREDICTORS
from cambrian.predictors.predictor import make_trials
from cambrian.problem import Objective, Problem
from cambrian.recommendation import front_numbers
from cambrian.request import Stop, Wait, trial_of
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.spaces.knowledge import Encodes, Grows
from cambrian.strategies import STRATEGIES
from cambrian.strategies.progression.dpp_net import DPPNet, order_by_crowding
from cambrian.strategies.progression.exploration import TokenUses, choose_explorers, find_rare
from cambrian.strategies.progression.fronts import choose_from_fronts, peel_fronts
from cambrian.strategies.progression.pareto_search import SECONDS, read_cost
from cambrian.strategies.progression.popnas import POPNAS
from reseeding import SHIFT, stream

SPACE = NASBench201()
OBJECTIVES = (Objective("value"), Objective("latency", minimize=True))
WORTH = {"none": 0.0, "skip_connect": 1.0, "nor_conv_1x1": 3.0, "nor_conv_3x3": 4.0, "avg_pool_3x3": 0.5}
COST = {"none": 0.0, "skip_connect": 0.1, "nor_conv_1x1": 1.0, "nor_conv_3x3": 5.0, "avg_pool_3x3": 0.7}


def read_operations(architecture):
    return [str(a) for a in architecture.values() if str(a) in WORTH]


def measure(architecture):
    """A worth and a latency that are sums over the operations."""
    operations = read_operations(architecture)
    worth, cost = sum(WORTH[o] for o in operations), sum(COST[o] for o in operations)
    return Done(worth, metrics={"latency": cost}, seconds=1.0 + cost)


def play(strategy, objectives=OBJECTIVES, trials=None, seed=0, value=measure):
    """The trials of a whole search, each outcome learned before the next proposal, and the reason of its
    end."""
    state = strategy.start(Problem(SPACE, objectives, trials=trials, seed=seed + SHIFT))
    played = []
    while trials is None or len(played) < trials:
        proposal = strategy.propose(state, [], stream(seed, "propose", len(played)))
        assert not isinstance(proposal, Wait)
        if isinstance(proposal, Stop):
            return played, proposal.reason
        trial = trial_of(len(played), proposal, Fidelity())
        played.append(
            Trial(
                trial.number,
                trial.architecture,
                trial.fidelity,
                parent=trial.parent,
                reason=trial.reason,
                outcome=value(trial.architecture),
            )
        )
        state = strategy.learn(state, played[-1])
    return played, None


def list_points(trials, objectives=OBJECTIVES):
    return [t.scores(objectives) for t in trials]


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_fronts_are_those_of_the_definition(objectives):
    """On 60 random sets of distinct points the fronts are those of the sort of the rest of the library; of
    equal points one is on each front."""
    rng = np.random.default_rng(objectives)
    for _ in range(60):
        points = rng.permutation(50)[:, None] if objectives == 1 else rng.normal(size=(50, objectives))
        points = points.astype(float)
        numbers = front_numbers([tuple(p) for p in points.tolist()])
        for n, front in enumerate(peel_fronts(points)):
            assert sorted(front.tolist()) == [i for i, number in enumerate(numbers) if number == n]
            assert (np.diff(points[front, 0]) <= 0).all()
    assert [f.tolist() for f in peel_fronts(np.ones((3, objectives)))] == [[0], [1], [2]]


def test_a_front_that_does_not_fit_is_cut():
    """By the highest first objective, or by the order that is asked for; further fronts only with `fill`."""
    points = np.array([[1.0, 9.0], [2.0, 7.0], [4.0, 4.0], [7.0, 2.0], [9.0, 1.0], [1.0, 1.0]])
    assert choose_from_fronts(points, 2, fill=True) == [4, 3]
    assert choose_from_fronts(points, 6, fill=False) == [4, 3, 2, 1, 0]
    assert choose_from_fronts(points, 6, fill=True) == [4, 3, 2, 1, 0, 5]
    # The crowding distances of Deb et al.'s operator are inf, 1.0, 1.25, 1.0, inf.
    assert choose_from_fronts(points, 3, True, order_by_crowding) == [4, 2, 0]


def choose_by_hand(points, count, order):
    """The vectors of the first `count` points, front by front, of equal ones one to a front."""
    chosen = []
    while len(chosen) < count:
        rows = sorted(set(points), reverse=True)
        front = [p for p, number in zip(rows, front_numbers(rows)) if number == 0]
        for point in front:
            points.remove(point)
        left = count - len(chosen)
        if order is not None and len(front) > left:
            front = [front[i] for i in sorted(order(np.array(front))[:left])]
        chosen.extend(front[:left])
    return chosen


@pytest.mark.parametrize(
    "strategy", [POPNAS(keep=9, surrogate="ridge", explore=0), DPPNet(keep=9, surrogate="ridge")]
)
def test_a_level_is_the_algorithm_done_by_hand(strategy):
    """Fit both surrogates on all trials of lower levels, predict every child one by one: those trained are
    the K first by fronts of the predictions, of which reports get both."""
    trials, reason = play(strategy)
    levels = sorted({t.reason["level"] for t in trials})
    assert reason == f"level {levels[-1]} is trained"
    assert len(levels) == 3
    grows, ridge = SPACE.know(Grows), PREDICTORS.make("ridge").start(SPACE, 0)
    for level in levels[1:]:
        known = [t for t in trials if t.reason["level"] < level]
        architectures = [t.architecture for t in known]
        fits = [ridge.fit(make_trials(architectures, column)) for column in zip(*list_points(known))]
        parents = tuple(t.architecture for t in known if t.reason["level"] == level - 1)
        pool = grows.grow(parents, None)
        children = [pool.architecture(i) for i in range(len(pool))]
        points = np.stack([fit.predict(children).mean for fit in fits], axis=1).round(9)
        place = {a: i for i, a in enumerate(children)}
        chosen = [t for t in trials if t.reason["level"] == level]
        vectors = [tuple(points[place[t.architecture]].tolist()) for t in chosen]
        order = order_by_crowding if isinstance(strategy, DPPNet) else None
        assert vectors == choose_by_hand(list(map(tuple, points.tolist())), 9, order)
        for trial in chosen:
            predicted = points[place[trial.architecture]]
            assert trial.reason["predicted"] == pytest.approx(predicted[0], abs=1e-6)
            assert trial.reason["predictions"]["latency"] == pytest.approx(-predicted[1], abs=1e-6)


def test_without_fill_the_front_alone_is_trained():
    """No trained child's prediction dominates, or equals, that of another one of its level."""
    trials, _ = play(POPNAS(keep=200, surrogate="ridge", explore=0, fill=False))
    for level in (2, 3):
        notes = [t.reason for t in trials if t.reason["level"] == level]
        points = [(n["predicted"], -n["predictions"]["latency"]) for n in notes]
        assert 1 < len(points) < 200
        assert not any(front_numbers(points))
        assert len(set(points)) == len(points)


@pytest.mark.statistical
@pytest.mark.parametrize("strategy", [POPNAS(surrogate="ridge"), DPPNet(surrogate="ridge")])
def test_the_front_of_an_additive_problem(strategy):
    """Of 60 of 15,625 cells: at least 97 % of the exact front's hypervolume for each of three seeds, where
    random search with as many has less."""
    pool, grows = (), SPACE.know(Grows)
    for _ in grows.levels:
        pool = grows.grow(tuple(pool.architecture(i) for i in range(len(pool))) if pool else (), None)
    whole = [measure(pool.architecture(i)) for i in range(len(pool))]
    exact = {(o.value, -o.metrics["latency"]) for o in whole}
    low = (0.0, -31.0)
    for seed in range(3):
        trials, _ = play(strategy, trials=60, seed=seed)
        share = measure_hypervolume(list_points(trials), low) / measure_hypervolume(list(exact), low)
        drawn, _ = play(STRATEGIES.make("random"), trials=60, seed=seed)
        assert share >= 0.97
        assert share > measure_hypervolume(list_points(drawn), low) / measure_hypervolume(list(exact), low)


def make_uses(step):
    """The uses of children of one parent without tokens: two slots, of inputs 0-1 and of operations 2-5."""
    kinds = np.array([0, 0, 1, 1, 1, 1])
    step = np.array(step)
    return TokenUses(np.zeros((1, 6), np.int64), np.zeros(len(step), np.int64), step, kinds)


def test_explored_tokens_are_those_the_front_hardly_uses():
    """A fifth of an even share is the threshold; a token that no child has is not one."""
    uses = make_uses([[0, 2]] * 21 + [[1, 3]] + [[0, 4]] * 2)
    # Of 21 uses in the front, an even share of two inputs is 10.5 and of three operations 7.
    assert find_rare(uses, np.arange(21)).tolist() == [1, 3, 4]
    assert find_rare(uses, np.arange(20, 24)).tolist() == []


def test_explorers_have_rare_tokens_and_do_not_dominate_each_other():
    """By descending score; a child with few rare tokens, or dominated by an explorer, is passed over."""
    uses = make_uses([[0, 2]] * 11 + [[1, 3], [0, 3], [1, 3], [1, 3], [1, 4]])
    points = np.array([[9.0, 9.0]] * 11 + [[5.0, 5.0], [8.0, 1.0], [4.0, 4.0], [3.0, 6.0], [2.0, 7.0]])
    front = list(range(11))
    # 11 and 14: both tokens rare, 4 each at first; then 14 is not dominated by 11, as 13 is.
    assert choose_explorers(uses, points, front, 1) == [11]
    chosen = choose_explorers(uses, points, front, 9)
    assert chosen[0] == 11
    assert not set(chosen) & {12, 13}
    assert choose_explorers(uses, points, front, 0) == []


def test_exploration_reaches_no_cell_of_the_last_level():
    """Nothing grows from the last level. With a number of trials, exploration is a ninth of a level's."""
    trials, _ = play(POPNAS(surrogate="ridge"), trials=200)
    explored = [t.reason["level"] for t in trials if t.reason.get("explores")]
    assert set(explored) <= {2}
    second = sum(t.reason["level"] == 2 for t in trials)
    assert len(explored) <= max(1, second // 9)
    assert len(trials) == 200


def test_costs_of_failures():
    """A network over a limit was measured, a crash was not, and a training that was broken off has no
    time."""
    latency, a = OBJECTIVES[1], Architecture({"x": 1})
    trial = lambda outcome: Trial(0, a, Fidelity(), outcome=outcome)  # noqa: E731
    over = Infeasible("limit", metrics={"latency": 7.0}, seconds=3.0)
    assert read_cost(trial(over), latency) == -7.0
    assert read_cost(trial(over), SECONDS) is None
    assert read_cost(trial(Crashed("boom", seconds=2.0)), SECONDS) is None
    assert read_cost(trial(Done(1.0, seconds=2.0)), SECONDS) == -2.0
    assert read_cost(trial(Done(1.0)), latency) is None


def test_one_objective_is_against_work_or_time_in_popnas_alone():
    """MACs are the cost of a search with one objective, seconds if asked for, as the notes say."""
    trials, _ = play(POPNAS(keep=5, surrogate="ridge"), OBJECTIVES[:1])
    assert all("macs" in t.reason["predictions"] for t in trials if t.reason["level"] > 1)
    trials, _ = play(POPNAS(keep=5, surrogate="ridge", timed=True), OBJECTIVES[:1])
    assert all("seconds" in t.reason["predictions"] for t in trials if t.reason["level"] > 1)
    trials, _ = play(DPPNet(keep=5, surrogate="ridge"), OBJECTIVES[:1])
    assert all(t.reason["predictions"] == {} for t in trials if t.reason["level"] > 1)


def test_settings_are_those_of_the_papers():
    """B = 5, K = 128 with 16 exploration cells and five LSTMs; K = 100 and one recurrent network."""
    paper = POPNAS.paper()
    assert (paper.levels, paper.keep, paper.explore, paper.fill) == (5, 128, 16, False)
    assert POPNAS().surrogate == paper.surrogate
    assert PREDICTORS.make(paper.surrogate).members == 5
    assert (DPPNet().surrogate, DPPNet().usual_keep) == ("lstm", 100)
    assert POPNAS().needs == (Grows, Encodes)
    with pytest.raises(UsageError, match="strategy 'popnas': levels is 9, but the space has 3"):
        POPNAS(levels=9).start(Problem(SPACE))
