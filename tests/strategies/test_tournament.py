"""Tournaments without ageing: who dies in the one, that nobody dies in the other, and where both begin."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import pytest
from landscapes import apart, assert_finds, play, rugged

from cambrian.architecture import completions
from cambrian.choices import Answer
from cambrian.errors import UsageError
from cambrian.outcome import Infeasible
from cambrian.problem import Problem
from cambrian.spaces.branches.free_graph.space import FreeGraph
from cambrian.spaces.branches.layered import split
from cambrian.spaces.chains.tiny_chain import TinyChain
from cambrian.spaces.knowledge import Grows, Moves
from cambrian.spaces.space import Space
from cambrian.strategies import STRATEGIES
from cambrian.strategies.evolution.tournament import HierarchicalTournament, Tournament, edit, trivial
from chance import assert_drawn
from mocks import Toy
from reseeding import stream
from tiers import slow_but

TOY = Toy(questions=6)


def test_the_loser_of_each_pair_dies():
    """From the P-th trial on each child costs one member its life: one that is no better than the child's
    parent, drawn with it. Nobody else dies."""
    strategy = Tournament(population=8)
    trials, _, _ = play(strategy, TOY, rugged, 60)
    state, alive = strategy.start(Problem(TOY)), []
    for trial in trials:
        beaten = trial.memory.get("beaten")
        assert (beaten is not None) == (len(alive) == 8)
        if beaten is not None:
            assert {beaten, trial.parent} <= set(alive)
            assert beaten != trial.parent
            assert trials[beaten].value <= trials[trial.parent].value
            alive.remove(beaten)
        alive.append(trial.number)
        state = strategy.learn(state, trial)
        assert [m.number for m in state.population] == alive
    assert trials[max(alive, key=lambda n: trials[n].value)].value == max(t.value for t in trials)


@pytest.mark.statistical
def test_pairs_are_drawn_evenly():
    """The r-th best of P wins with probability (P - r) / C(P, 2), and loses with (r - 1) / C(P, 2)."""
    strategy, state = Tournament(population=6), Tournament(population=6).start(Problem(TOY))
    values = itertools.count()  # no two alike, whatever was drawn
    trials, _, _ = play(strategy, TOY, lambda _: next(values), 6)
    for trial in trials:
        state = strategy.learn(state, trial)
    order = [t.number for t in sorted(trials, key=lambda t: -t.value)]
    drawn = [strategy.propose(state, [], stream(n, "pairs")) for n in range(1500)]
    wins, losses = Counter(p.parent for p in drawn), Counter(p.memory["beaten"] for p in drawn)
    assert_drawn([wins[n] for n in order], [5, 4, 3, 2, 1, 0], unlike=[[1] * 6])
    assert_drawn([losses[n] for n in order], [0, 1, 2, 3, 4, 5], unlike=[[1] * 6])


@pytest.mark.parametrize("lag", [3, 12])
def test_the_dead_stay_dead_while_their_killers_children_are_under_way(lag):
    """Nobody dies twice, nobody dead becomes a parent."""
    trials, _, _ = play(Tournament(population=8), TOY, rugged, 80, lag=lag)
    dead = set()
    for trial in trials:
        assert trial.parent not in dead
        beaten = trial.memory.get("beaten")
        assert beaten not in dead
        dead |= {beaten} - {None}
    assert len(dead) >= 40


@pytest.mark.statistical
def test_it_grows_from_a_trivial_network():
    """The first is one layer; each child is a list edit of its parent's layers, or one answer changed;
    where depth pays, it gets deep: the deepest was reached for each of 200 seeds."""
    space = TinyChain(layers=8)
    trials, _, _ = play(Tournament(population=10), space, space.know(Grows).level, 120)
    assert dict(trials[0].architecture) == {"layers": 1, "layer1/operation": "conv3x3", "layer1/width": 1}
    assert max(t.value for t in trials) == 8
    for trial in trials[1:]:
        parent = trials[trial.parent].architecture
        assert one_edit(list(space._layers(parent)), list(space._layers(trial.architecture)))


def one_edit(old, new):
    """Whether `new` is `old` with one layer changed, put in or taken out, or with another depth."""
    if len(old) == len(new):
        return sum(a != b for a, b in zip(old, new)) == 1
    short, long = sorted((old, new), key=len)
    inserted = any([*long[:i], *long[i + 1 :]] == short for i in range(len(long)))
    return inserted or long[: len(short)] == short


@pytest.mark.statistical
def test_each_kind_of_edit_is_as_likely():
    """Of a chain in the middle: three moves and the mutation, which leaves the depth to them."""
    space, rng = TinyChain(layers=5), stream(0, "edits")
    start = trivial(space, 0)
    for _ in range(2):
        start = space.know(Moves).move("insert", start, rng)
    change = Counter(space.know(Grows).level(edit(space, start, rng)) - 3 for _ in range(1500))
    assert set(change) == {-1, 0, 1}  # delete; the mutation, or a duplicate and a drawn layer that are alike
    assert_drawn([change[n] for n in (-1, 0, 1)], [1, 1, 2], unlike=[[1, 1, 1]])


@pytest.mark.statistical
def test_a_space_with_edits_of_its_own_has_no_others():
    """Real's free graphs: from the linear model on, every child is what one of the paper's mutations makes
    of its parent: at most a layer more or less, and one layer's answers changed at most."""
    space = FreeGraph(layers=4)
    trials, _, _ = play(Tournament(population=8), space, lambda a: len(a), 80)
    assert dict(trials[0].architecture) == {"layers": 0}
    assert max(space.know(Grows).level(t.architecture) for t in trials) == 4
    for trial in trials[1:]:
        old, new = (split(trials[trial.parent].architecture), split(trial.architecture))
        assert abs(len(old) - len(new)) <= 1
        if len(old) == len(new):
            changed = [(a, b) for a, b in zip(old, new) if a != b]
            assert len(changed) == 1
            assert sum(changed[0][0][name] != changed[0][1][name] for name in changed[0][0]) == 1


def test_without_moves_children_are_mutations():
    """One answer differs, from the second trial on; the first answers nothing but "a"."""
    trials, _, _ = play(Tournament(population=8), TOY, rugged, 60)
    assert set(trials[0].architecture.values()) == {"a"}
    assert all(apart(t.architecture, trials[t.parent].architecture) == 1 for t in trials[1:])


class Picky(Space):
    """Rejects its own first answers; asks a real question."""

    def program(self, pick):
        pick("op", ["a", "b"])
        pick.require(pick.real("x", 0.0, 1.0) > 0.5, "too small")

    def build(self, architecture, task, **skeleton) -> Answer:
        raise NotImplementedError


def test_where_the_first_answers_are_rejected_it_begins_anywhere():
    """And goes on."""
    trials, _, _ = play(Tournament(population=4), Picky(), lambda a: a["x"], 30)
    assert all(t.architecture["x"] > 0.5 for t in trials)


def test_a_hierarchical_tournament_has_two_members_at_least():
    """Of five the share is less than one: the worst has no child all the same."""
    strategy = HierarchicalTournament(initial=5, mutations=5)
    _, state, _ = play(strategy, TOY, rugged, 5)
    worst = min(state.population, key=lambda member: member.value).number
    assert worst not in {strategy.propose(state, [], stream(n, "two")).parent for n in range(50)}


def test_nobody_dies_in_the_hierarchical_tournament():
    """Parents may be of any age, and are the best where the whole population is drawn."""
    trials, state, _ = play(HierarchicalTournament(initial=10, mutations=20, share=1.0), TOY, rugged, 60)
    assert [m.number for m in state.population] == list(range(len(state.population)))
    for trial in trials[10:]:
        parent = trials[trial.parent]
        assert parent.value == max(t.value for t in trials[: trial.number])
        assert apart(trial.architecture, parent.architecture) == 1


@pytest.mark.statistical
def test_five_per_cent_are_drawn():
    """Of 40 members two, not three: the r-th best wins with probability (40 - r) / C(40, 2)."""
    strategy, values = HierarchicalTournament(initial=40, mutations=20), itertools.count()
    trials, _, _ = play(strategy, TOY, lambda _: next(values), 40)
    state = strategy.start(Problem(TOY))
    for trial in trials:
        state = strategy.learn(state, trial)
    rank = {t.number: r for r, t in enumerate(sorted(trials, key=lambda t: -t.value))}
    wins = Counter(rank[strategy.propose(state, [], stream(n, "five")).parent] // 10 for n in range(2000))
    two, three = (
        [sum(math.comb(39 - r, n - 1) for r in range(q, q + 10)) for q in (0, 10, 20, 30)] for n in (2, 3)
    )
    assert_drawn([wins[q] for q in range(4)], two, unlike=[[1] * 4, three])


@pytest.mark.statistical
def test_many_mutations_forget_where_they_began():
    """The first population is even over a space of 16; a single mutation would not be."""
    space, strategy = Toy(questions=2), HierarchicalTournament(initial=1000, mutations=30)
    state = strategy.start(Problem(space))
    drawn = Counter(strategy.propose(state, [], stream(n, "far")).architecture for n in range(480))
    every = list(completions(space, {}))
    once = [float(apart(a, trivial(space, 0)) == 1) for a in every]
    assert_drawn([drawn[a] for a in every], [1] * 16, unlike=[once])


@pytest.mark.statistical
def test_what_fails_loses():
    """A failed trial wins against nothing that was measured. That none fails in 60 trials, each of which
    changes one answer of six, has a probability of up to (17 / 18)^59 = 3 %; in eight searches of each, of
    1e-11."""
    value = lambda a: Infeasible("oom") if a["q0"] == "b" else rugged(a)  # noqa: E731
    for strategy in (Tournament(population=8), HierarchicalTournament(initial=8, mutations=5, share=0.5)):
        searches = [play(strategy, TOY, value, 60, seed)[0] for seed in range(8)]
        assert any(t.value is None for trials in searches for t in trials)
        for trials in searches:
            for trial in trials:
                beaten = trial.memory.get("beaten")
                if beaten is not None and trials[trial.parent].value is None:
                    assert trials[beaten].value is None


@pytest.mark.statistical
@pytest.mark.parametrize("name", slow_but(("tournament",), ["tournament", "hierarchical-tournament"]))
def test_a_planted_optimum_sooner_than_by_chance(name):
    """One of 4,096. Of 200 seeds 190 found it within 250 trials."""
    assert_finds(name, TOY, 250, 24, measured=(190, 200))


def test_settings():
    """The papers' and what cannot be."""
    assert Tournament.paper() == Tournament(population=1000)
    assert HierarchicalTournament.paper() == HierarchicalTournament(initial=200, mutations=1000, share=0.05)
    assert STRATEGIES.make("tournament") == Tournament()
    assert STRATEGIES.make("hierarchical-tournament") == HierarchicalTournament()
    with pytest.raises(UsageError, match="population is at least 2, got 1"):
        Tournament(population=1)
    with pytest.raises(UsageError, match="initial is at least 1, got 0"):
        HierarchicalTournament(initial=0)
    with pytest.raises(UsageError, match="share is above 0 and at most 1, got 0"):
        HierarchicalTournament(share=0)
