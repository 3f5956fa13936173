"""Architectures, and the six ways to decide a walk, against brute force over small spaces."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.architecture import (
    Architecture,
    completions,
    crossover,
    mutate,
    next_choice,
    questions,
    replay,
    sample,
    walks,
)
from cambrian.errors import IllegalArchitecture, SpaceError
from cambrian.neighbourhood import neighbours
from cambrian.spaces.space import Pick, Space
from chance import assert_drawn, assert_even, assert_share, draws_to_see
from reseeding import default_rng

modest = settings(max_examples=30, deadline=None)
seeds = st.integers(0, 10_000)


def rng(seed: int = 0) -> np.random.Generator:
    return default_rng(seed)


@dataclass(frozen=True)
class Layers(Space):
    """Up to three layers; a convolution has a size, a join has inputs, no layer equals the next."""

    strict: bool = True

    def program(self, pick: Pick) -> None:
        kinds = []
        for i in range(pick.depth("depth", 1, 3)):
            kinds.append(pick(f"op{i}", ["conv", "pool", "join"]))
            if kinds[-1] == "conv":
                pick.integer(f"size{i}", 1, 2)
            if kinds[-1] == "join":
                pick.some(f"from{i}", list(range(i + 1)), 1)
        if self.strict:
            pick.require(all(a != b for a, b in itertools.pairwise(kinds)), "two equal layers in a row")

    def build(self, architecture: Any, task: Any, **skeleton: Any) -> Any:
        raise NotImplementedError


@dataclass(frozen=True)
class Never(Space):
    """Rejects everything."""

    def program(self, pick: Pick) -> None:
        pick("a", [1, 2])
        pick.require(False, "it is Monday")

    def build(self, architecture: Any, task: Any, **skeleton: Any) -> Any:
        raise NotImplementedError


@dataclass(frozen=True)
class Single(Space):
    """One architecture only."""

    def program(self, pick: Pick) -> None:
        pick("a", [1])

    def build(self, architecture: Any, task: Any, **skeleton: Any) -> Any:
        raise NotImplementedError


@dataclass(frozen=True)
class Tuned(Space):
    """A real question opened by another."""

    def program(self, pick: Pick) -> None:
        if pick("optimiser", ["sgd", "none"]) == "sgd":
            pick.inside("train").real("lr", 1e-3, 1.0, log=True)

    def build(self, architecture: Any, task: Any, **skeleton: Any) -> Any:
        raise NotImplementedError


def brute_force(strict: bool = True) -> set[Architecture]:
    """Every architecture of `Layers`, written out without asking the space."""
    found = set()
    for depth in (1, 2, 3):
        for ops in itertools.product(["conv", "pool", "join"], repeat=depth):
            if strict and any(a == b for a, b in itertools.pairwise(ops)):
                continue
            free: list[list[tuple[str, Any]]] = []
            for i, op in enumerate(ops):
                if op == "conv":
                    free.append([(f"size{i}", n) for n in (1, 2)])
                if op == "join":
                    free.append([(f"from{i}", (n,)) for n in range(i + 1)])
            for answers in itertools.product(*free):
                fixed = {"depth": depth, **{f"op{i}": op for i, op in enumerate(ops)}}
                found.add(Architecture({**fixed, **dict(answers)}))
    return found


SPACE = Layers()
EVERYTHING = brute_force()


@pytest.mark.parametrize("strict", [True, False])
def test_completions_enumerate_the_space(strict: bool) -> None:
    """As many as brute force finds, the same ones, each once."""
    found = list(completions(Layers(strict), {}))
    assert len(found) == len(set(found))
    assert set(found) == brute_force(strict)


@modest
@given(st.sampled_from(sorted(EVERYTHING, key=lambda a: a.key)), st.data())
def test_completions_of_a_part_are_what_agrees_with_it(whole: Architecture, data: Any) -> None:
    """Completing the first k answers gives exactly the architectures that agree with them."""
    k = data.draw(st.integers(0, len(whole)))
    asked = [c.path for c in questions(SPACE, whole)][:k]
    part = {p: whole[p] for p in asked}
    agree = {a for a in EVERYTHING if all(a.get(p) == v for p, v in part.items())}
    assert set(completions(SPACE, part)) == agree


def test_completions_stop_at_their_limit() -> None:
    """A limit bounds how many are given, and takes the first."""
    assert list(completions(SPACE, {}, limit=5)) == list(completions(SPACE, {}))[:5]


def walk_chance(space: Space, architecture: Architecture) -> float:
    """Uniform over the answers, question by question."""
    return 1 / math.prod(c.size for c in questions(space, architecture) if c.size is not None)


@pytest.mark.statistical
def test_samples_are_legal_and_reach_everything() -> None:
    """Samples are among brute force's, and enough of them are all of it: what is rejected is drawn anew, so
    that each is likelier than its walk."""
    generator, rarest = rng(), min(walk_chance(SPACE, a) for a in EVERYTHING)
    draws = draws_to_see(rarest, len(EVERYTHING))
    assert {sample(SPACE, generator) for _ in range(draws)} == EVERYTHING


@pytest.mark.statistical
def test_samples_have_the_measure_stated() -> None:
    """Uniform over the answers, question by question: the closed-form probability of each walk, and not all
    architectures alike."""
    space = Layers(strict=False)
    generator = rng(1)
    drawn = Counter(sample(space, generator) for _ in range(3000))
    chances = {a: walk_chance(space, a) for a in brute_force(strict=False)}
    assert sum(chances.values()) == pytest.approx(1)
    assert set(drawn) <= set(chances)
    assert_drawn([drawn[a] for a in chances], list(chances.values()), unlike=[[1] * len(chances)])


def test_a_space_that_rejects_everything_is_refused() -> None:
    """Sampling ends, and says what the last walk was rejected for."""
    with pytest.raises(SpaceError, match="it is Monday"):
        sample(Never(), rng(), tries=10)
    assert list(completions(Never(), {})) == []


@modest
@given(seeds)
def test_replay_is_the_identity_on_legal_architectures(seed: int) -> None:
    """Strict, or with a fallback that is never needed."""
    architecture = sample(SPACE, rng(seed))
    assert replay(SPACE, architecture) == architecture
    assert replay(SPACE, architecture, lambda c: pytest.fail(c.path)) == architecture


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"depth": 1}, "'op0' has no answer"),
        ({"depth": 4, "op0": "pool"}, "'depth': 4 is not an option"),
        ({"depth": 1, "op0": "pol"}, "did you mean 'pool'"),
        ({"depth": 1, "op0": "pool", "op1": "conv"}, "no question 'op1' is asked; did you mean 'op0'"),
        ({"depth": 1, "op0": "conv", "size0": math.nan}, "'size0'"),
        ({"depth": True, "op0": "pool"}, "'depth': True is not an option"),
        ({"depth": 2, "op0": "pool", "op1": "pool"}, "two equal layers in a row"),
        ({}, "'depth' has no answer"),
    ],
)
def test_strict_replay_says_what_is_wrong(answers: dict[str, Any], message: str) -> None:
    """A missing, illegal, superfluous or rejected answer is one sentence naming its path."""
    with pytest.raises(IllegalArchitecture) as caught:
        replay(SPACE, answers)
    assert message in str(caught.value)


def test_lenient_replay_mends_what_is_wrong() -> None:
    """Illegal and missing answers are the fallback's, superfluous ones drop, legal ones stay."""
    broken = {"depth": 2, "op0": "nonsense", "op1": "pool", "op7": "conv"}
    mended = replay(SPACE, broken, lambda choice: next(iter(choice.answers())))
    assert dict(mended) == {"depth": 2, "op0": "conv", "size0": 1, "op1": "pool"}


@modest
@given(seeds)
def test_next_choice_steps_through_a_walk(seed: int) -> None:
    """Answering one open question after the other arrives at the architecture, and then at None."""
    architecture = sample(SPACE, rng(seed))
    given_so_far: dict[str, Any] = {}
    for asked in questions(SPACE, architecture):
        assert next_choice(SPACE, given_so_far) == asked
        given_so_far[asked.path] = architecture[asked.path]
    assert next_choice(SPACE, given_so_far) is None


def near_by_brute_force(here: Architecture) -> set[Architecture]:
    """All architectures that keep every answer of `here` but one, wherever it is still asked and legal."""
    found = set()
    for other in EVERYTHING - {here}:
        asked = {c.path: c for c in questions(SPACE, other)}
        changed = [p for p in other if p in here and other[p] != here[p]]
        forced = []
        for path in changed:
            try:
                asked[path].check(here[path])
            except IllegalArchitecture:
                forced.append(path)
        if len(changed) - len(forced) == 1:
            found.add(other)
    return found


@modest
@given(seeds)
def test_neighbours_are_all_one_answer_away(seed: int) -> None:
    """Uncapped, the neighbours are exactly those that brute force over the space finds."""
    here = sample(SPACE, rng(seed))
    found = neighbours(SPACE, here, rng(seed), cap=10_000)
    assert len(found) == len(set(found))
    assert set(found) == near_by_brute_force(here)


@modest
@given(seeds, st.integers(1, 4))
def test_capped_neighbours_are_neighbours(seed: int, cap: int) -> None:
    """A cap leaves some out per changed answer, adds none, and is a function of the seed."""
    here = sample(SPACE, rng(seed))
    found = neighbours(SPACE, here, rng(seed), cap=cap)
    assert set(found) <= near_by_brute_force(here)
    changes = sum(len(list(c.near(here[c.path], rng()))) for c in questions(SPACE, here))
    assert len(found) <= cap * changes
    assert found == neighbours(SPACE, here, rng(seed), cap=cap)


def test_neighbours_of_a_real_answer_are_drawn() -> None:
    """Real questions are stepped from, and drawn where another answer opens them."""
    near = neighbours(Tuned(), Architecture({"optimiser": "sgd", "train/lr": 0.1}), rng())
    assert Architecture({"optimiser": "none"}) in near
    assert len([a for a in near if a.get("train/lr", 0.1) != 0.1]) == 4
    opened = neighbours(Tuned(), Architecture({"optimiser": "none"}), rng())
    assert [a["optimiser"] for a in opened] == ["sgd"]


@modest
@given(seeds)
def test_mutants_are_neighbours(seed: int) -> None:
    """One answer drawn anew, and what that opens: among brute force's neighbours."""
    here = sample(SPACE, rng(seed))
    assert mutate(SPACE, here, rng(seed)) in near_by_brute_force(here)


@pytest.mark.statistical
def test_mutation_changes_each_question_equally_often() -> None:
    """Counted over which answer changed, and not as often as it has other answers; questions of one answer
    are never candidates."""
    here = Architecture({"depth": 2, "op0": "conv", "size0": 1, "op1": "pool"})
    space, generator = Layers(strict=False), rng(2)
    changed: Counter[str] = Counter()
    for _ in range(4000):
        mutant = mutate(space, here, generator)
        (path,) = [p for p in here if p in mutant and mutant[p] != here[p]]
        changed[path] += 1
    assert set(changed) == {"depth", "op0", "size0", "op1"}
    assert_even(list(changed.values()))
    others = {c.path: c.size - 1 for c in questions(space, here) if c.size}
    assert_drawn([changed[p] for p in others], [1] * 4, unlike=[list(others.values())])


def test_a_space_of_one_has_no_mutants() -> None:
    """Mutation says so, instead of trying for ever."""
    with pytest.raises(SpaceError, match="no mutation"):
        mutate(Single(), Architecture({"a": 1}), rng())


def test_answers_without_weight_are_no_mutants() -> None:
    """A question whose other answers are never drawn does not keep mutation from ending."""

    class Fixed(Single):
        def program(self, pick: Pick) -> None:
            pick("a", [1, 2], weights=[1, 0])
            pick("b", [1, 2])

    here = Architecture({"a": 1, "b": 1})
    assert {mutate(Fixed(), here, rng(n)) for n in range(10)} == {Architecture({"a": 1, "b": 2})}


@modest
@given(seeds)
def test_crossover_takes_each_answer_from_a_parent(seed: int) -> None:
    """Where a parent has a legal answer the child has one of them; of one parent it is that parent."""
    generator = rng(seed)
    one, other = sample(SPACE, generator), sample(SPACE, generator)
    child = crossover(SPACE, one, other, generator)
    assert child in EVERYTHING
    for choice in questions(SPACE, child):
        inherited = []
        for parent in (one, other):
            try:
                inherited.append(choice.check(parent[choice.path]))
            except (KeyError, IllegalArchitecture):
                continue
        assert not inherited or child[choice.path] in inherited
    assert crossover(SPACE, one, one, generator) == one


@pytest.mark.statistical
def test_crossover_takes_from_both_equally() -> None:
    """One question on which the parents disagree; were it the one's in three of five cases, it would be
    seen."""
    one = Architecture({"depth": 1, "op0": "conv", "size0": 1})
    other = Architecture({"depth": 1, "op0": "conv", "size0": 2})
    generator = rng(3)
    first = sum(crossover(SPACE, one, other, generator) == one for _ in range(4000))
    assert_share(first, 4000, 0.5, unlike=[0.4, 0.6])


@modest
@given(st.permutations(["a", "b", "c", "d"]))
def test_keys_do_not_depend_on_order(order: list[str]) -> None:
    """Equal answers are equal values with equal keys and hashes, in whatever order they were given."""
    answers = {"a": 1, "b": 0.1, "c": "x", "d": (1, 2)}
    turned = Architecture({p: answers[p] for p in order})  # type: ignore[misc]
    plain = Architecture(answers)  # type: ignore[arg-type]
    assert turned == plain
    assert turned.key == plain.key
    assert hash(turned) == hash(plain)


def test_keys_tell_types_apart() -> None:
    """1 and "1" are other answers, and so other keys; so are one answer and a list of one."""
    keys = {Architecture({"a": a}).key for a in (1, "1", (1,), 1.5, True, "True")}
    assert len(keys) == 6


@modest
@given(*(st.dictionaries(st.sampled_from("ab"), st.sampled_from([0, 0.0, -0.0, 1, 1.0, True, "1"])),) * 2)
def test_equal_values_are_those_of_equal_keys(one: dict[str, Any], other: dict[str, Any]) -> None:
    """And of equal hashes, or sets and dictionaries would hold an architecture twice."""
    a, b = Architecture(one), Architecture(other)
    assert (a == b) is (a.key == b.key)
    assert a != b or hash(a) == hash(b)
    assert Architecture({"a": 1}) != Architecture({"a": 1.0})


def test_keys_are_the_same_in_another_process() -> None:
    """With another PYTHONHASHSEED too."""
    answers = {"depth": 2, "op0": "conv", "from": ["a", "b"]}
    code = (
        "import json, sys; from cambrian.architecture import Architecture; "
        "print(Architecture.from_json(json.loads(sys.argv[1])).key)"
    )
    run = [sys.executable, "-c", code, json.dumps(answers)]
    keys = {
        subprocess.run(
            run, env={"PYTHONHASHSEED": s}, capture_output=True, text=True, check=True
        ).stdout.strip()
        for s in ("1", "2")
    }
    assert keys == {Architecture.from_json(answers).key}


@modest
@given(seeds)
def test_json_round_trip(seed: int) -> None:
    """Through JSON text and back: equal, with the same key, and as legal."""
    architecture = sample(SPACE, rng(seed))
    back = Architecture.from_json(json.loads(json.dumps(architecture.to_json())))
    assert back == architecture
    assert back.key == architecture.key
    assert replay(SPACE, back) == architecture


@pytest.mark.parametrize("value", [[1, 2], "text", None, 3])
def test_what_is_no_object_is_no_architecture(value: Any) -> None:
    """The error says what was got."""
    with pytest.raises(IllegalArchitecture, match=type(value).__name__):
        Architecture.from_json(value)


@pytest.mark.parametrize("answer", [None, {"a": 1}, [[1]], [None]])
def test_what_is_no_answer_is_refused(answer: Any) -> None:
    """Nested and empty values are refused with their path."""
    with pytest.raises(IllegalArchitecture, match="'op0'"):
        Architecture.from_json({"op0": answer})


def test_architectures_are_frozen() -> None:
    """No item can be set, and changing the mapping it was made of changes nothing."""
    answers: dict[str, Any] = {"a": 1}
    architecture = Architecture(answers)
    key = architecture.key
    answers["a"] = 2
    assert architecture["a"] == 1
    assert architecture.key == key
    with pytest.raises(TypeError):
        architecture["a"] = 2  # type: ignore[index]


@dataclass(frozen=True)
class Dear(Never):
    """Of 5^12 architectures nearly all are rejected, at the end of the walk."""

    def program(self, pick: Pick) -> None:
        costs = [pick(f"w{i}", [1, 8, 16, 32, 64]) for i in range(pick.depth("depth", 1, 12))]
        pick.require(sum(costs) <= 12, "too dear")


@dataclass(frozen=True)
class Large(Never):
    """Questions with more answers than memory holds, opened by another."""

    def program(self, pick: Pick) -> None:
        if pick("more", [False, True]):
            pick.some("subset", list(range(60)), 0, 60)
            pick.integer("number", 0, 2**40)


@pytest.mark.parametrize(
    ("space", "first"), [(Dear(), {"depth": 1, "w0": 1}), (Large(), {"more": False})], ids=["dear", "large"]
)
def test_neighbours_end_where_what_opens_is_beyond_counting(space: Space, first: Any) -> None:
    """However much is rejected, and however many answers there are."""
    found = neighbours(space, Architecture(first), rng())
    assert found
    assert [replay(space, a) for a in found] == found
    assert neighbours(space, found[-1], rng(), cap=8)
    assert len(list(completions(space, {}, limit=10))) == 10


def test_rejected_walks_are_told_to_who_asks() -> None:
    """Those and the accepted ones are all there are, in the order of `completions`."""
    found = list(walks(SPACE, {}))
    assert [a for a in found if a is not None] == list(completions(SPACE, {}))
    assert len(found) == len(brute_force(strict=False))
