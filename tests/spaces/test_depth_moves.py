"""Layers inserted, deleted and doubled against the same edits of a Python list."""

from __future__ import annotations

from itertools import islice

import pytest

from cambrian.architecture import completions, replay, sample
from cambrian.paths import at
from cambrian.randomness import stream
from cambrian.spaces.cells.pnas import PNAS
from cambrian.spaces.chains.tiny_chain import TinyChain
from cambrian.spaces.growth.moves import MOVES
from cambrian.spaces.program.function_space import space
from cambrian.spaces.space import Moves

KINDS = [("conv3x3", 1), ("conv3x3", 2), ("conv5x5", 1), ("conv5x5", 2), ("max3x3", 0), ("skip", 0)]


TINY = TinyChain(layers=3)


def chain(architecture):
    """(operation, width) of every layer."""
    return list(TINY._layers(architecture))


def edits(kind, before):
    """Every list the edit can lead to."""
    positions = range(len(before) + (kind == "insert"))
    if kind == "insert":
        return [[*before[:i], new, *before[i:]] for i in positions for new in KINDS]
    if kind == "duplicate":
        return [[*before[: i + 1], *before[i:]] for i in positions]
    return [[*before[:i], *before[i + 1 :]] for i in positions]


@pytest.mark.parametrize("kind", MOVES)
def test_moves_are_edits_of_a_list(kind):
    """From chains of two layers each edit is made sooner or later, and nothing else is."""
    rng = stream(0, "move")
    for architecture in islice(completions(TINY, {"layers": 2}), 0, None, 3):
        found = [chain(TINY.know(Moves).move(kind, architecture, rng)) for _ in range(150)]
        expected = edits(kind, chain(architecture))
        assert all(edit in expected for edit in found)
        assert all(edit in found for edit in expected)


def test_the_depth_has_ends():
    """Nothing is put into the deepest chains, nothing taken from those of one layer."""
    tiny = TinyChain(layers=2)
    for n in range(20):
        deepest = replay(tiny, {"layers": 2}, lambda c: c.draw(stream(n, c.path)))  # noqa: B023
        least = replay(tiny, {"layers": 1}, lambda c: c.draw(stream(n, c.path)))  # noqa: B023
        assert tiny.know(Moves).move("insert", deepest, stream(0)) is None
        assert tiny.know(Moves).move("duplicate", deepest, stream(0)) is None
        assert tiny.know(Moves).move("delete", least, stream(0)) is None


@space
def stacks(pick, task):
    """Two to four layers of two operations each, a question of every layer that some have not, and two
    questions that no layer has."""
    pick("head", ["linear", "mlp"])
    for i in range(1, pick.depth("depth", 2, 4) + 1):
        layer = pick.inside("layer", i)
        if layer(at("op", 1), ["a", "b", "c"]) != "a":
            layer.integer(at("size", 1), 1, 100)
        layer(at("op", 2), ["a", "b", "c"])
    pick.real("rate", 0.0, 1.0)


def read(architecture):
    """(what belongs to no layer, the layers)"""
    names = ("op1", "size1", "op2")
    depth = architecture["depth"]
    rows = [tuple(architecture.get(f"layer{i}/{n}") for n in names) for i in range(1, depth + 1)]
    return (architecture["head"], architecture["rate"]), rows


@pytest.mark.parametrize("kind", MOVES)
def test_moves_of_a_function(kind):
    """Whole layers move, whatever is asked of them and however many there are at least; the rest stays."""
    assert stacks.know(Moves) is not None
    changed = 0
    for n in range(60):
        before = sample(stacks, stream(n, "stacks"))
        after = stacks.know(Moves).move(kind, before, stream(n, "move"))
        if after is None:
            assert before["depth"] == (2 if kind == "delete" else 4)
            continue
        (rest, old), (same, new) = read(before), read(after)
        assert rest == same
        assert replay(stacks, after) == after
        if kind == "insert":
            assert any([*new[:i], *new[i + 1 :]] == old for i in range(len(new)))
        else:
            assert new in edits(kind, old)
        changed += 1
    assert changed >= 20


def test_what_belongs_to_no_layer_is_told_from_what_does():
    """By the paths and the levels at which they are asked."""
    places = stacks.know(Moves)._map.layers
    assert "head" not in places
    assert "rate" not in places
    assert places["layer2/op2"] == ("layer#/op#", 1, 1)
    assert places["layer4/size1"] == ("layer#/size#", 3, 0)


def test_spaces_without_a_depth_have_no_moves():
    """Cells, and functions that ask no depth."""
    assert PNAS().know(Moves) is None
    assert space(lambda pick, task: pick("op", ["a", "b"])).know(Moves) is None
