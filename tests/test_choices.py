"""Questions: what is drawn is legal, what is enumerated is everything, what is near is near."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations, islice
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cambrian.choices import Choice, Integer, OneOf, Real, SomeOf
from cambrian.errors import IllegalArchitecture, SpaceError
from chance import assert_drawn, assert_spread
from reseeding import default_rng

modest = settings(max_examples=40, deadline=None)

scalars = st.one_of(st.text(max_size=4), st.integers(-50, 50), st.booleans())
options = st.lists(scalars, min_size=1, max_size=5, unique_by=lambda v: v).map(tuple)


@st.composite
def some_ofs(draw: Any) -> SomeOf:
    chosen = draw(options)
    least = draw(st.integers(0, len(chosen)))
    return SomeOf("q", chosen, least, draw(st.integers(least, len(chosen))))


integers = st.tuples(st.integers(-9, 9), st.integers(0, 12)).map(lambda t: Integer("q", t[0], t[0] + t[1]))
bounds = st.tuples(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3)).map(sorted)
reals = st.builds(lambda b, log: Real("q", b[0], b[1], log), bounds, st.booleans())
countable = st.one_of(options.map(lambda o: OneOf("q", o)), some_ofs(), integers)
choices = st.one_of(countable, reals)


def rng(seed: int = 0) -> np.random.Generator:
    return default_rng(seed)


@modest
@given(choices, st.integers(0, 1000))
def test_what_is_drawn_is_legal(choice: Choice, seed: int) -> None:
    """`check` gives a drawn answer back, of the same type."""
    answer = choice.draw(rng(seed))
    assert choice.check(answer) == answer
    assert type(choice.check(answer)) is type(answer)


@modest
@given(countable)
def test_size_counts_the_answers(choice: Choice) -> None:
    """`size` is the number of answers enumerated, which are legal and distinct."""
    answers = list(choice.answers())
    assert choice.size == len(answers) == len(set(map(repr, answers)))
    assert [choice.check(a) for a in answers] == answers


@modest
@given(some_ofs())
def test_subsets_are_all_subsets(choice: SomeOf) -> None:
    """Brute force over all combinations of the options."""
    brute = {
        c for k in range(len(choice.options) + 1) for c in combinations(choice.options, k)
        if choice.least <= k <= choice.most
    }  # fmt: skip
    assert set(choice.answers()) == brute


@modest
@given(some_ofs(), st.randoms())
def test_subsets_are_answered_in_the_options_order(choice: SomeOf, random: Any) -> None:
    """The order an answer is given in does not matter: equal sets are equal answers."""
    for answer in islice(choice.answers(), 20):
        shuffled = list(answer)
        random.shuffle(shuffled)
        assert choice.check(shuffled) == answer


@modest
@given(countable, st.integers(0, 1000))
def test_near_answers_are_legal_and_other(choice: Choice, seed: int) -> None:
    """Every near answer is legal, none is the answer itself, none comes twice."""
    answer = choice.draw(rng(seed))
    near = list(choice.near(answer, rng(seed)))
    assert answer not in near
    assert len(near) == len(set(near))
    assert [choice.check(a) for a in near] == near


@modest
@given(some_ofs(), st.integers(0, 1000))
def test_near_subsets_differ_by_one_option(choice: SomeOf, seed: int) -> None:
    """Brute force: the legal subsets with one option added, dropped or exchanged."""
    answer = choice.draw(rng(seed))
    assert isinstance(answer, tuple)
    brute = set()
    for other in choice.answers():
        added, dropped = len(set(other) - set(answer)), len(set(answer) - set(other))
        if (added, dropped) in {(1, 0), (0, 1), (1, 1)}:
            brute.add(other)
    assert set(choice.near(answer, rng())) == brute


@modest
@given(reals, st.floats(0, 1))
def test_reals_go_there_and_back(choice: Real, fraction: float) -> None:
    """`fraction` is the inverse of `at`, and `at` keeps the bounds, closed form on either scale."""
    value = choice.at(fraction)
    assert choice.low <= value <= choice.high
    assert choice.at(choice.fraction(value)) == pytest.approx(value, rel=1e-9)
    if choice.log:
        assert value == pytest.approx(choice.low ** (1 - fraction) * choice.high**fraction, rel=1e-9)
    else:
        assert value == pytest.approx((1 - fraction) * choice.low + fraction * choice.high, rel=1e-9)


def test_near_subsets_come_in_the_order_of_the_options() -> None:
    """Added, dropped, exchanged; whatever text hashes to in this process."""
    choice = SomeOf("s", ("red", "green", "blue", "grey"), 1, 3)
    assert list(choice.near(("red", "blue"), rng())) == [
        ("red", "green", "blue"),
        ("red", "blue", "grey"),
        ("blue",),
        ("red",),
        ("green", "blue"),
        ("blue", "grey"),
        ("red", "green"),
        ("red", "grey"),
    ]


def test_near_reals_are_within_the_bounds() -> None:
    """Steps around an answer at the edge of the range stay inside it."""
    choice = Real("lr", 1e-4, 1.0, log=True)
    assert all(choice.check(a) == a for a in choice.near(1.0, rng()))


@pytest.mark.statistical
def test_one_of_is_drawn_uniformly_or_by_weight() -> None:
    """As the shares asked for, and not as the others."""
    even, uneven = (1.0, 1.0, 1.0), (1.0, 2.0, 5.0)
    for weights, shares, others in ((None, even, uneven), (uneven, uneven, even)):
        generator = rng(1)
        drawn = Counter(OneOf("q", ("a", "b", "c"), weights).draw(generator) for _ in range(4000))
        assert_drawn([drawn[o] for o in "abc"], shares, unlike=[others])


@pytest.mark.statistical
def test_subsets_are_drawn_uniformly_not_by_size() -> None:
    """Each of the 1 + 4 + 6 subsets is equally likely, and not each of the three sizes."""
    choice, generator = SomeOf("q", ("a", "b", "c", "d"), 0, 2), rng(1)
    drawn = Counter(choice.draw(generator) for _ in range(11 * 400))
    assert set(drawn) == set(choice.answers())
    sizes = {0: 1, 1: 4, 2: 6}
    assert_drawn(list(drawn.values()), [1] * 11, unlike=[[1 / sizes[len(s)] for s in drawn]])


@pytest.mark.statistical
def test_reals_are_drawn_uniformly_on_their_scale() -> None:
    """The log-uniform distribution, and not the uniform one."""
    generator = rng(1)
    drawn = [float(Real("q", 1e-3, 10.0, log=True).draw(generator)) for _ in range(2000)]  # type: ignore[arg-type]
    assert_spread(drawn, stats.loguniform(1e-3, 10.0).cdf, unlike=[stats.uniform(1e-3, 10.0).cdf])


@pytest.mark.parametrize(
    ("choice", "answer"),
    [
        (OneOf("q", ("a", "b")), "c"),
        (OneOf("q", (1, 2)), True),
        (OneOf("q", (True, False)), 1),
        (OneOf("q", (1, 2)), None),
        (OneOf("q", ("a",)), ["a"]),
        (SomeOf("q", ("a", "b", "c"), 1, 2), ()),
        (SomeOf("q", ("a", "b", "c"), 1, 2), ("a", "a")),
        (SomeOf("q", ("a", "b", "c"), 1, 2), ("a", "b", "c")),
        (SomeOf("q", ("a", "b", "c"), 1, 2), "a"),
        (SomeOf("q", ("a", "b", "c"), 1, 2), ("d",)),
        (Integer("q", 1, 3), 0),
        (Integer("q", 1, 3), 4),
        (Integer("q", 1, 3), 2.0),
        (Integer("q", 0, 3), True),
        (Integer("q", 0, 3), "2"),
        (Real("q", 0.0, 1.0), math.nan),
        (Real("q", 0.0, 1.0), math.inf),
        (Real("q", 0.0, 1.0), -0.1),
        (Real("q", 0.0, 1.0), True),
        (Real("q", 0.0, 1.0), "0.5"),
    ],
)
def test_illegal_answers_are_refused_naming_the_question(choice: Choice, answer: Any) -> None:
    """Whatever is wrong with an answer, the error says where."""
    with pytest.raises(IllegalArchitecture, match="'q'"):
        choice.check(answer)


def test_a_whole_number_answers_a_real_question() -> None:
    """JSON writes 1.0 as 1 in many hands; the answer is a float again."""
    answer = Real("q", 0.0, 1.0).check(1)
    assert answer == 1.0
    assert isinstance(answer, float)


def test_a_wrong_option_names_the_nearest() -> None:
    """A slip of the pen is mended by the message."""
    with pytest.raises(IllegalArchitecture, match="did you mean 'conv3x3'"):
        OneOf("op", ("conv3x3", "max3x3", "identity")).check("conv3x")


@pytest.mark.parametrize(
    "make",
    [
        lambda: OneOf("q", ()),
        lambda: OneOf("q", ("a", "a")),
        lambda: OneOf("q", (1, True)),
        lambda: OneOf("q", ("a", "b"), (1.0,)),
        lambda: OneOf("q", ("a", "b"), (0.0, 0.0)),
        lambda: OneOf("q", ("a", "b"), (2.0, -1.0)),
        lambda: OneOf("q", ("a", "b"), (math.nan, 1.0)),
        lambda: OneOf("q", ("a", "b"), (math.inf, 1.0)),
        lambda: SomeOf("q", ("a", "b"), 2, 1),
        lambda: SomeOf("q", ("a", "b"), 0, 3),
        lambda: SomeOf("q", ("a", "b"), -1, 1),
        lambda: SomeOf("q", (), 0, 0),
        lambda: Integer("q", 2, 1),
        lambda: Real("q", 2.0, 1.0),
        lambda: Real("q", 0.0, math.inf),
        lambda: Real("q", math.nan, 1.0),
        lambda: Real("q", 0.0, 1.0, log=True),
    ],
)
def test_impossible_questions_are_refused(make: Any) -> None:
    """A question nobody could answer is the space's fault, and says which one it is."""
    with pytest.raises(SpaceError, match="'q'"):
        make()


def test_real_answers_cannot_be_counted() -> None:
    """Enumerating a real question is refused, not endless."""
    with pytest.raises(SpaceError, match="'q' is real"):
        list(Real("q", 0.0, 1.0).answers())


@modest
@given(choices)
def test_questions_survive_json(choice: Choice) -> None:
    """A question written as JSON is the same question, of the same kind."""
    back = msgspec.json.decode(msgspec.json.encode(choice), type=Choice)  # type: ignore[arg-type]
    assert back == choice
    assert type(back) is type(choice)


def test_near_whole_numbers_of_a_long_range_are_few() -> None:
    """The next ones and some further off, all legal; at an end of the range too."""
    choice = Integer("n", 0, 2**62)
    for answer in (0, 2**40, 2**62):
        near = list(choice.near(answer, rng()))
        assert {a for a in (answer - 1, answer + 1) if 0 <= a <= 2**62} <= set(near)
        assert [choice.check(a) for a in near] == near
        assert 1 <= len(near) == len(set(near)) <= 6
        assert answer not in near
