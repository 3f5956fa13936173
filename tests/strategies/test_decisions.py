"""Questions as decisions: every answer has its own walk, and walks lead back to answers."""

from __future__ import annotations

from collections import Counter

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from kinds import Kinds
from scipy.stats import uniform

from cambrian.architecture import completions, sample
from cambrian.choices import Integer, OneOf, Real, SomeOf
from cambrian.outcome import Crashed, Done, Fidelity, Infeasible, Trial
from cambrian.policies.decisions import decide, decisions, sample_by, walk_of
from cambrian.policies.rewards import Rewards
from cambrian.spaces.space import Space
from chance import assert_drawn, assert_spread
from reseeding import stream


class Asks(Space):
    """One question."""

    def __init__(self, choice):
        self.choice = choice

    def program(self, pick):
        pick.ask(self.choice)

    def build(self, architecture, task, **skeleton):
        raise NotImplementedError


def by_weight(rng):
    """Decides as the weights of a decision say."""

    def choose(decision, before):
        p = np.array(decision.weights) / sum(decision.weights)
        return int(rng.choice(len(p), p=p))

    return choose


def following(walk):
    """Decides as `walk` did."""
    left = iter(walk)

    def choose(decision, before):
        expected, taken = next(left)
        assert decision == expected
        return taken

    return choose


choices = st.one_of(
    st.integers(1, 6).map(lambda n: OneOf("q", tuple(range(n)))),
    st.tuples(st.integers(-5, 5), st.integers(0, 40)).map(lambda p: Integer("q", p[0], p[0] + p[1])),
    st.tuples(st.integers(1, 5), st.integers(0, 5), st.integers(0, 5)).map(
        lambda p: SomeOf("q", tuple(range(p[0])), *sorted(min(x, p[0]) for x in p[1:]))
    ),
)


@settings(max_examples=60, deadline=None)
@given(choices, st.integers(1, 12))
def test_answers_and_walks_are_one_to_one_up_to_bins(choice, bins):
    """Following an answer's walk gives the answer, or for a number one of its range; different answers
    have different walks, or are numbers of one range; what is taken is always legal."""
    space, rng, seen = Asks(choice), stream(0, "one to one"), {}
    for architecture in completions(space, {}):
        walk = walk_of(space, architecture, bins)
        assert all(decision.weights[taken] > 0 for decision, taken in walk)
        again = decide(choice, following(walk), {}, rng, bins)
        assert walk_of(space, {"q": again}, bins) == walk
        seen.setdefault(tuple(taken for _, taken in walk), []).append(architecture["q"])
        assert again == architecture["q"] or isinstance(choice, Integer)
    if isinstance(choice, Integer):
        assert len(seen) == min(bins, choice.size)
        sizes = [len(numbers) for numbers in seen.values()]
        assert max(sizes) - min(sizes) <= 1
    else:
        assert len(seen) == choice.size


def coins(subset):
    """How likely a subset of one to three of four is by a coin for each, the last taken where none was yet
    and left where three were."""
    return 1 / 16 if 0 < len(set(subset) & set("abc")) < 3 else 1 / 8


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("choice", "chances", "wrong"),
    [
        (OneOf("q", ("a", "b", "c"), weights=(3.0, 2.0, 1.0)), [3, 2, 1], [1, 1, 1]),
        # Four ranges of a number, one of which has a single number, are not alike.
        (Integer("q", 3, 9), [1] * 7, [1, 1 / 2, 1 / 2, 1 / 2, 1 / 2, 1 / 2, 1 / 2]),
        (chosen := SomeOf("q", ("a", "b", "c", "d"), 1, 3), [1] * 14, [coins(s) for s in chosen.answers()]),
    ],
)
def test_weights_are_the_spaces_own_measure(choice, chances, wrong):
    """Decided by weight, answers are as frequent as drawn: equally, or by the choice's weights, and not by
    those of a walk whose steps are even."""
    rng = stream(0, "measure")
    counts = Counter(decide(choice, by_weight(rng), {}, rng, 4) for _ in range(4000))
    assert_drawn([counts[a] for a in choice.answers()], chances, unlike=[wrong])


def test_an_option_of_weight_0_is_legal_but_rare():
    """It has a millionth of the weight; what a subset may not hold has none."""
    space = Asks(OneOf("q", ("a", "b"), weights=(1.0, 0.0)))
    ((decision, _),) = walk_of(space, {"q": "b"}, 4)
    assert decision.weights == (1.0, 1e-6)
    walk = walk_of(Asks(SomeOf("q", ("a", "b", "c"), 2, 2)), {"q": ("a", "b")}, 4)
    assert [decision.weights for decision, _ in walk] == [(1.0, 2.0), (1.0, 1.0), (1.0, 0.0)]


@pytest.mark.statistical
def test_reals_are_uniform_within_their_bin():
    """On the question's own scale, not on that of its numbers; and a number is in the bin it was drawn
    for."""
    choice, rng = Real("q", 0.001, 1.0, log=True), stream(0, "real")
    numbers = [decide(choice, lambda decision, before: 2, {}, rng, 5) for _ in range(1500)]
    fractions = np.array([choice.fraction(x) for x in numbers])
    assert 0.4 <= fractions.min() < fractions.max() <= 0.6
    low, high = 1000**0.4, 1000**0.6
    assert_spread(fractions, uniform(0.4, 0.2).cdf, unlike=[lambda f: (1000**f - low) / (high - low)])
    assert all(walk_of(Asks(choice), {"q": x}, 5)[0][1] == 2 for x in numbers)
    assert walk_of(Asks(choice), {"q": 1.0}, 5)[0][1] == 4


def test_before_are_the_answers_to_earlier_questions():
    """In sampling as in retracing."""
    space, rng, seen = Kinds(real=True), stream(0, "before"), []

    def choose(decision, before):
        seen.append((decision, dict(before)))
        return by_weight(rng)(decision, before)

    for _ in range(20):
        architecture = sample_by(space, lambda: seen.clear() or choose, rng, 4)
        assert [(d, dict(b)) for d, _, b in decisions(space, architecture, 4)] == seen
        assert list(seen[-1][1]) == list(architecture)[:-1]


def test_rejected_walks_are_taken_again_and_at_last_drawn():
    """A chooser that only walks into the wall gets an architecture from the space's own measure."""
    walks, wall = [], {"kind": 0, "width": 3}  # narrow, from 10 to 12 wide
    rng = stream(0, "wall")
    found = sample_by(Kinds(), lambda: walks.append(1) or (lambda d, _: wall[d.path]), rng, 4, tries=7)
    assert len(walks) == 7
    assert found == sample(Kinds(), _after_seven_numbers())


def _after_seven_numbers():
    """The generator as it is when seven walks have each drawn a number of the last range."""
    rng = stream(0, "wall")
    for _ in range(7):
        rng.integers(10, 13)
    return rng


def test_failures_are_worth_the_worst_value_known():
    """Nothing as long as there is none."""
    rewards, found = Rewards(), []
    for n, outcome in enumerate([Crashed("x"), Done(0.5), Infeasible("nan"), Done(-2.0), Crashed("x")]):
        trial = Trial(n, sample(Kinds(), stream(n, "t")), Fidelity(), outcome=outcome)
        rewards = rewards.learn(trial)
        found.append(rewards.read(trial))
    assert found == [None, 0.5, 0.5, -2.0, -2.0]
