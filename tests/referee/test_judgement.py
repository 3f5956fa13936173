"""Planted curves: those that are equal are not told apart more often than stated, those that are not
are, from the budget on at which they part."""

import numpy as np
import pytest
from referee_cases import climbing, line

from cambrian.referee.curves import Curves, checkpoints, over_evaluations, over_seconds
from cambrian.referee.judgement import ALPHA, judge
from cambrian.referee.statistics import wilcoxon
from cambrian.referee.verdict import describe_power, evaluations, noninferior, too_few, verdict
from chance import assert_seldom
from reseeding import default_rng


def lines_of(**scores):
    return {name: [line(name, seed, row) for seed, row in enumerate(rows)] for name, rows in scores.items()}


def judged(budget, **scores):
    return judge(over_evaluations(lines_of(**scores), budget))


@pytest.mark.slow
@pytest.mark.statistical
def test_equal_strategies_are_told_apart_no_more_often_than_stated():
    """Of 250 comparisons of three strategies that are one, no more than 5 % tell any two apart at the end,
    and no more than 5 % see any early lead; of a judge that is wrong in three of ten, more would."""
    rng = default_rng(0)
    wrong = leads = 0
    for _ in range(250):
        found = judged(6, **{name: climbing(rng, 10, 6) for name in "abc"})
        wrong += any(pair.winner for pair in found.pairs)
        leads += bool(found.leads())
    assert_seldom(wrong, 250, ALPHA, unlike=[0.3])
    assert_seldom(leads, 250, ALPHA, unlike=[0.3])


@pytest.mark.parametrize("unit", [1e-300, 1e-12, 1e-6, 1.0, 1e6, 1e300])
def test_scores_in_any_unit_are_judged_alike(unit):
    """Joules as well as their billionths: differences below nine digits after the point were ties."""
    rng = default_rng(5)
    rows = {name: [row + n for row in climbing(rng, 10, 6)] for n, name in enumerate("ab")}
    found = judged(6, **{name: np.array(scores) * unit for name, scores in rows.items()})
    expected = judged(6, **rows)
    assert found.pairs[0].winner == expected.pairs[0].winner != 0
    assert found.pairs[0].p.tolist() == expected.pairs[0].p.tolist()
    same = judged(6, a=np.array(rows["a"]) * unit, b=np.array(rows["a"]) * (unit * (1 + 1e-15)))
    assert not same.pairs[0].winner


@pytest.mark.parametrize("exploded", [1e3, 1e12, 1.7e308])
def test_who_begins_with_a_loss_that_exploded_is_judged_as_the_others(exploded):
    """By the scores that its search ends with: beside one of a billion all differences were ties."""
    rows = {"a": [[1.0, 2.0, 2.0] for n in range(10)], "b": [[1.0, 2.5, 2.5 + n / 100] for n in range(10)]}
    rows["a"][3][0] = -exploded
    pair = judged(3, **rows).pairs[0]
    assert pair.winner == -1
    assert pair.ends.tolist() == pytest.approx([-0.5 - n / 100 for n in range(10)])
    assert pair.inferior(0.1) == (True, False)
    rows["a"][3] = [-exploded] * 3
    assert judged(3, **rows).pairs[0].inferior(0.1) == (True, False)


@pytest.mark.statistical
def test_a_verdict_on_planted_curves():
    """A strategy that pulls away after 60 of 300 evaluations is said to win from there; two that have the
    same scores on other seeds are said to be alike; both beat the one that never learns. Of any two the
    differences are as often so much more as less (the orders of the seeds are their own inverses, and
    commute), so that no test can tell them apart before the pull, whatever was drawn, nor miss it after: it
    is wider than they are."""
    base = climbing(default_rng(1), 40, 300)
    pull = np.where(np.arange(300) >= 60, 1 + np.ptp(base), 0.0)
    seeds = np.arange(40)
    found = judged(300, evolution=base + pull, progressive=base[39 - seeds] + pull, random=base[seeds ^ 1])
    sentences = verdict(found, evaluations)
    assert sorted(sentences) == [
        "evolution and progressive cannot be told apart after 300 evaluations."
        if found.order[0] == "evolution"
        else "progressive and evolution cannot be told apart after 300 evaluations.",
        "evolution beats random from 70 evaluations on.",
        "progressive beats random from 70 evaluations on.",
    ]


@pytest.mark.statistical
def test_an_early_lead_that_did_not_last():
    """Ahead up to 100 evaluations, overtaken from 150 on: both are said."""
    rng = default_rng(2)
    sprint = np.full((30, 300), 5.0) + 0.1 * climbing(rng, 30, 300)
    steady = climbing(rng, 30, 300) * 0.1 + np.where(np.arange(300) >= 149, 9.0, 0.0)
    found = judged(300, sprint=sprint, steady=steady)
    assert verdict(found, evaluations) == [
        "steady beats sprint from 150 evaluations on.",
        "sprint was ahead of steady from 10 evaluations to 140 evaluations.",
    ]


@pytest.mark.statistical
def test_losers_of_the_same_length_are_named_together():
    """One clause for all whom the winner beats since the same budget."""
    rng = default_rng(3)
    noise = {name: climbing(rng, 30, 100) for name in ("a", "b", "c")}
    found = judged(100, best=climbing(rng, 30, 100, 50.0), **noise)
    first = verdict(found, evaluations)[0]
    assert first.startswith("best beats ")
    assert first.endswith(" from 4 evaluations on.")
    assert {"a", "b", "c"} <= set(first.replace(",", "").split())


@pytest.mark.statistical
def test_too_few_seeds_are_said_to_be_too_few():
    """Four seeds tell nothing, six tell two strategies apart."""
    rng = default_rng(4)
    few = judged(10, a=climbing(rng, 4, 10), b=climbing(rng, 4, 10, 99.0))
    assert too_few(few) == ["4 seeds cannot tell 2 strategies apart, whatever they do: 6 is the least."]
    enough = judged(10, a=climbing(rng, 6, 10), b=climbing(rng, 6, 10, 99.0))
    assert too_few(enough) == []
    assert verdict(enough, evaluations) == ["b beats a from 1 evaluation on."]


@pytest.mark.statistical
def test_non_inferiority():
    """Worse by a constant 0.04 is not inferior by more than 0.05, but it is by more than 0.03."""
    rng = default_rng(5)
    base = climbing(rng, 20, 10)
    found = judged(10, a=base + 0.04, b=base + 1e-6 * climbing(rng, 20, 10))
    assert noninferior(found, 0.05, evaluations) == [
        "After 10 evaluations, b is not inferior to a by more than 0.05 (bootstrap interval and signed-rank "
        "test of the differences)."
    ]
    assert noninferior(found, 0.03, evaluations) == []
    assert found.pairs[0].inferior(0.03) == (False, True)


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("seeds", "chance"),
    [
        (1, 0.0),
        (5, 0.0),
        *(pytest.param(*few, marks=pytest.mark.slow) for few in ((2, 0.0), (6, 0.025), (30, 0.025))),
    ],
)
def test_non_inferiority_is_seldom_said_of_what_is_worse_by_the_margin(seeds, chance):
    """At most as often as it may be by chance, however few the seeds; of so few that they can say nothing,
    never."""
    rng, said = default_rng(6), 0
    for _ in range(300):
        a = rng.normal(0.0, 1.0, (seeds, 1))
        found = judged(1, a=a + rng.normal(0.05, 0.1, (seeds, 1)), b=a)
        said += not found.pairs[0].inferior(0.05)[1]
    assert_seldom(said, 300, chance, unlike=[0.2])  # where the mean is believed, it is said of a half


def test_what_never_had_a_score_is_as_good_as_nothing():
    """Eight seeds without a score, beside the worst there is."""
    scores = np.stack([np.full((8, 5), 90.0), np.full((8, 5), 90.0)])
    found = judge(Curves(("good", "dead"), np.arange(1.0, 6.0), scores, (0, 5)))
    assert found.pairs[0].inferior(0.05) == (True, True)
    assert noninferior(found, 0.05, evaluations) == []


def test_wins_on_most_seeds_that_cost_more_on_the_others_tell_nothing():
    """Where ranks and means point to different strategies, neither wins."""
    a = np.full((30, 3), 1.0) + np.arange(30)[:, None] * 0.01
    b = np.zeros((30, 3))
    a[:2] = -1000.0
    pair = judged(3, a=a, b=b).pairs[0]
    assert pair.p[-1] < ALPHA
    assert pair.winner == 0


def test_groups_that_overlap():
    """a like b and b like c, but a better than c: two groups, best first. An example: other numbers with
    these means may be told apart or not."""
    noise = np.random.default_rng(6).normal(size=(3, 60, 1))
    noise -= noise.mean(axis=1, keepdims=True)
    found = judged(1, a=noise[0] + 0.3, b=noise[1], c=noise[2] - 0.3)
    apart = {(p.a, p.b) for p in found.pairs if p.winner}
    assert apart == {("a", "c")}
    assert found.alike() == [("a", "b"), ("b", "c")]


def test_scores_after_evaluations():
    """The incumbent's score stays until a better one; before the first, the lowest of all stands in."""
    late = line("late", 0, [1.0, 5.0, 5.0])
    late = type(late)("late", 0, late.incumbents[1:], late.cost, late.thinking)
    curves = over_evaluations({"late": [late], "soon": [line("soon", 0, [2.0, 2.0, 3.0])]}, 5)
    assert curves.scores[:, 0].tolist() == [[2.0, 5.0, 5.0, 5.0, 5.0], [2.0, 2.0, 3.0, 3.0, 3.0]]
    assert curves.since == (1, 0)


def test_scores_over_seconds():
    """A trial counts once it has ended, thinking included; time ends with the first spent budget, but a
    strategy that stopped by itself holds nobody up."""
    slow = line("slow", 0, [1.0, 2.0, 3.0], cost=2.0)
    quick = line("quick", 0, [5.0, 6.0, 7.0], cost=0.5, thinking=0.5)
    curves = over_seconds({"slow": [slow], "quick": [quick]}, 6)
    assert curves.at.tolist() == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    assert curves.scores[0, 0].tolist() == [1.0] * 6  # its first trial ends after 2 s; nothing is lower
    assert curves.scores[1, 0].tolist() == [1.0, 5.0, 5.0, 6.0, 6.0, 7.0]
    assert curves.since == (3, 1)
    done = line("quick", 0, [5.0, 6.0, 7.0], cost=0.5, thinking=0.5, ended="stopped")
    assert over_seconds({"slow": [slow], "quick": [done]}, 6).at[-1] == 6.0


@pytest.mark.parametrize(("count", "most"), [(300, 30), (7, 30), (31, 30), (1, 5), (100, 7)])
def test_checkpoints(count, most):
    """At most so many, evenly apart, the last budget among them."""
    found = checkpoints(count, most)
    assert len(found) <= most
    assert found[-1] == count - 1
    assert len(set(np.diff(found))) <= 1
    assert found[0] < -(-count // most)


@pytest.mark.parametrize(("strategies", "seeds"), [(2, 5), (2, 6), (5, 8), (5, 9)])
def test_the_seeds_that_can_decide_are_said_beforehand(strategies: int, seeds: int) -> None:
    """By brute force: the p-value of a strategy that is better under every seed, adjusted for all pairs."""
    pairs = strategies * (strategies - 1) // 2
    possible = [n for n in range(1, 40) if wilcoxon(np.arange(1.0, n + 1))[1] * pairs < 0.05]
    sentence = describe_power(strategies, seeds)
    assert f"none of which fewer than {min(possible)} seeds can tell apart" in sentence
    assert ("will not decide" in sentence) == (seeds not in possible)
