"""The numbers in a path count where they were given as numbers, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from torch import nn

from cambrian.architecture import Architecture, completions, questions, sample
from cambrian.choices import OneOf, describe_question
from cambrian.errors import SpaceError
from cambrian.paths import at, extend, kind_of, numbers_of, parts_of
from cambrian.randomness import stream
from cambrian.spaces import SPACES
from cambrian.spaces.knowledge import Encodes, Grows, Moves
from cambrian.spaces.program.function_space import space
from cambrian.spaces.space import Pick


def make_space(ask: Callable[[Any, int], None], depth: int = 2) -> Any:
    """The space of a function that asks `ask(pick, layer)` of each of up to `depth` layers."""

    def function(pick: Any, task: Any) -> Any:
        for layer in range(pick.depth("depth", 1, depth)):
            ask(pick, layer)
        return lambda: nn.Flatten()

    return space(function)


def vocabulary(ask: Callable[[Any, int], None], depth: int = 2) -> dict[str, int]:
    return dict(make_space(ask, depth).know(Encodes).vocabulary)


def test_two_names_that_end_in_numbers_have_vocabularies_of_their_own() -> None:
    """v1 in {a, b} and v2 in {p, q} are two questions, of two answers (and "not asked") each."""

    def ask(pick: Any, layer: int) -> None:
        if layer == 0:
            pick("v1", ["a", "b"])
            pick("v2", ["p", "q"])

    assert vocabulary(ask) == {"v1": 3, "v2": 3}


def test_a_number_amid_a_name_is_part_of_the_name() -> None:
    """kernel3_width and kernel5_width, asked of every layer, are two kinds; the layer's index is none."""

    def ask(pick: Any, layer: int) -> None:
        inside = pick.inside("layer", layer)
        inside("kernel3_width", [1, 2])
        inside("kernel5_width", [1, 2, 3])

    assert vocabulary(ask) == {"layer#/kernel3_width": 3, "layer#/kernel5_width": 4}
    known: Any = make_space(ask).know(Encodes)
    assert known.slots == ("layer#/kernel3_width", "layer#/kernel5_width")


@pytest.mark.parametrize(
    "names", [("conv2d", "conv3d"), ("2", "3"), ("a?1", "a?2"), ("x#", "x##"), ("é1", "é2")]
)
def test_whatever_a_name_is_it_is_one_kind(names: tuple[str, str]) -> None:
    """Numbers alone, question marks, and the signs by which kinds are written."""

    def ask(pick: Any, layer: int) -> None:
        if layer == 0:
            pick(names[0], ["a", "b"])
            pick.some(names[1], ["p", "q"], 1)

    assert sorted(vocabulary(ask).values()) == [3, 3]


def test_options_of_several_are_one_kind_of_their_question_alone() -> None:
    """Options are named as they like: v1 and v2 of one question share yes and no, those of another do not."""

    def ask(pick: Any, layer: int) -> None:
        pick.inside("layer", layer).some("reads1", ["v1", "v2"], 0, 2)
        pick.inside("layer", layer).some("reads2", ["v1", "v2"], 1, 2)

    assert vocabulary(ask) == {"layer#/reads1?": 3, "layer#/reads2?": 3}


def test_three_ways_of_saying_which_layer_are_one() -> None:
    """`inside` with an index, `repeat`, and a path made of its parts give the same tokens."""

    def by_path(pick: Any, layer: int) -> None:
        pick(at("layer", layer, "/op"), ["x", "y", "z"])

    def by_index(pick: Any, layer: int) -> None:
        pick.inside("layer", layer)("op", ["x", "y", "z"])

    @space
    def repeated(pick: Any, task: Any) -> Any:
        pick.repeat("layer", 1, 3, lambda pick, i: pick("op", ["x", "y", "z"]))
        return lambda: nn.Flatten()

    made = [make_space(by_path, 3), make_space(by_index, 3), repeated]
    tokens = [m.know(Encodes).tokens(list(completions(m, {}))) for m in made]
    assert [dict(m.know(Encodes).vocabulary) for m in made] == [{"layer#/op": 4}] * 2 + [{"layer/#/op": 4}]
    assert np.array_equal(tokens[0], tokens[1])
    assert np.array_equal(tokens[0], tokens[2])


def test_an_index_is_kept_through_spaces_in_spaces() -> None:
    """Parts of parts, and another space in one of them, know the numbers above them."""

    @space
    def inner(pick: Any, task: Any) -> Any:
        for i in range(2):
            pick.inside("edge", i)("v1", ["a", "b"])
        return lambda: nn.Flatten()

    @space
    def outer(pick: Any, task: Any) -> Any:
        pick.repeat("block", 1, 2, lambda pick, i: inner(pick.inside("cell9"), task))
        return lambda: nn.Flatten()

    asked = [c for c in questions(outer, sample(outer, stream(1, "paths"))) if c.path != "block"]
    assert asked[1].path == "block/0/cell9/edge1/v1"
    assert {kind_of(c.parts) for c in asked} == {"block/#/cell9/edge#/v1"}
    assert numbers_of(asked[1].parts) == (0, 1)


def test_moves_know_layers_by_their_index_and_not_by_names() -> None:
    """Doubling a layer doubles both of its answers, whose names end in numbers that are no layers'."""

    def ask(pick: Any, layer: int) -> None:
        pick.inside("layer", layer)("v2", ["a", "b"])
        pick.inside("layer", layer)("v1", ["p", "q"])

    stack = make_space(ask, 3)
    moves: Any = stack.know(Moves)
    one = Architecture({"depth": 1, "layer0/v2": "b", "layer0/v1": "p"})
    two = {**one, "depth": 2, "layer1/v2": "b", "layer1/v1": "p"}
    assert moves.move("duplicate", one, stream(0, "paths")) == Architecture(two)


def test_plain_names_grow_too() -> None:
    """A loop that numbers its paths itself has an order and tokens that tell its architectures apart."""
    plain = make_space(lambda pick, layer: pick(f"op{layer}", ["x", "y"]), 3)
    everything = list(completions(plain, {}))
    known: Any = plain.know(Encodes)
    assert set(known.vocabulary) == {"op0", "op1", "op2"}
    assert len({t.tobytes() for t in known.tokens(everything)}) == len(everything) == 2 + 4 + 8
    grows: Any = plain.know(Grows)
    pool = grows.grow(list(completions(plain, {"depth": 1})), np.random.default_rng(0))
    assert len(pool) == 4


def test_the_way_a_path_was_put_together_is_no_part_of_a_run() -> None:
    """Questions are written down as they were before: old runs find their questions again."""
    plain = OneOf("layer3/op", ("a", "b"))
    built = OneOf("layer3/op", ("a", "b"), parts=("layer", 3, "/op"))
    assert describe_question(plain) == describe_question(built)
    assert "parts" not in describe_question(built)


def test_answers_are_under_plain_text() -> None:
    """An architecture's paths are ordinary strings, whoever made them."""
    asked = sample(make_space(lambda pick, i: pick(at("op", i), ["a", "b"])), stream(0, "paths"))
    assert all(type(path) is str for path in asked)


@pytest.mark.parametrize("index", [-1, True, 1.0, "1", None])
def test_an_index_is_a_whole_number(index: Any) -> None:
    """Anything else is a mistake, said in a sentence; None is no index."""
    pick = Pick(lambda choice: next(choice.answers()))
    if index is None:
        assert pick.inside("layer", index)("op", ["a"]) == "a"
        return
    with pytest.raises(SpaceError, match=r"question 'layer.*': an index is a whole number from 0 on"):
        pick.inside("layer", index)


def test_parts_are_their_text() -> None:
    """What a path is made of, written one after the other, is the path."""
    path = at("level", 2, "/motif", 10, "/from", 0)
    assert path == "level2/motif10/from0"
    assert "".join(map(str, parts_of(extend(path, "/x1")))) == "level2/motif10/from0/x1"
    assert parts_of("level2/motif1") == ("level2/motif1",)
    assert numbers_of(parts_of(path)) == (2, 10, 0)


BUILT_IN: list[Any] = [
    *SPACES.names(),
    {"name": "stacked", "arguments": {"cell": "pnas"}},
    {"name": "free-graph", "arguments": {"learning_rate": True}},
    {"name": "anchor-points", "arguments": {"combine": "either", "strides": (1, 2)}},
]


@pytest.mark.parametrize("spec", BUILT_IN, ids=str)
def test_every_number_in_a_path_of_ours_is_known(spec: Any) -> None:
    """In spaces of this library a path has no numbers but indices: its kind is the path with all of them left
    out, as it was when names were parsed."""
    place = SPACES.make(spec)
    asked = [c for n in range(20) for c in questions(place, sample(place, stream(n, "numbers")))]
    kinds = {c.path: kind_of(c.parts or (c.path,)) for c in asked}
    assert kinds == {path: re.sub("[0-9]+", "#", path) for path in kinds}
