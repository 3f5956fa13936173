"""ENAS's macro space: its size, and its networks against weights counted by hand."""

from __future__ import annotations

import pytest
import torch
from branch_graphs import parameters

from cambrian.architecture import completions, questions, replay, sample
from cambrian.errors import SpaceError, UnknownName, UsageError
from cambrian.randomness import stream
from cambrian.spaces.branches.enas_macro.space import OPERATIONS, ENASMacro
from cambrian.spaces.knowledge import Moves
from cambrian.spaces.program.function_space import Shape


def test_the_papers_space_has_its_size():
    """6^12 x 2^66, "1.6 x 10^29 possible networks" (Sec. 2.3)."""
    space, size = ENASMacro.paper(), 1
    for choice in questions(space, sample(space, stream(0))):
        size *= choice.size
    assert size == 6**12 * 2**66
    assert f"{size:.1e}" == "1.6e+29"


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_small_spaces_are_counted(layers):
    """6^L x 2^(L(L-1)/2), each another function."""
    space = ENASMacro(layers, layers)
    found = {space.canonical(a) for a in completions(space, {})}
    assert len(found) == 6**layers * 2 ** (layers * (layers - 1) // 2)


def by_hand(rows, halves, filters, channels, classes):
    """Weights, counted layer by layer; an output is halved only for stages in which it is read."""
    total, out, stage = channels * filters * 9 + 2 * filters, filters, 0
    reduced = {}  # output -> the stage it is held in
    for n, (name, skips) in enumerate(rows, 1):
        stage = sum(n > h for h in halves)
        out = filters << stage
        for source in {n - 1, *skips}:
            for step in range(reduced.setdefault(source, 0) + 1, stage + 1):
                total += (out >> (stage - step + 1)) * (filters << step) + 2 * (filters << step)
            reduced[source] = max(reduced[source], stage)
        reduced[n] = stage
        kernel = int(name[-1])
        total += out * out + 2 * out
        if name.startswith("conv"):
            total += out * out * kernel**2 + 2 * out
        elif name.startswith("sep"):
            total += out * kernel**2 + out * out + 2 * out
        if skips:
            total += (len(skips) + 1) * out * out + 2 * out
    return total + (out + 1) * classes


def test_networks_have_the_weights_counted_by_hand():
    """Of thirty networks of up to nine layers, halved after three and six."""
    space = ENASMacro(layers=9)
    for n in range(30):
        architecture = sample(space, stream(n, "enas"))
        network = space.build(architecture, Shape(2, 8, 8, 3), filters=4)
        assert parameters(network) == by_hand(space.rows(architecture), (3, 6), 4, 2, 3)


def test_images_are_halved_twice():
    """32 pixels become 16 after the first third and 8 after the second, the channels double."""
    space = ENASMacro(layers=6)
    rows = [("conv3x3", ()), *(("sep5x5", (0,)) for _ in range(5))]
    network = space.build(space.architecture(rows), Shape(3, 32, 32, 10), filters=4)
    sizes = []
    for node in network[0].nodes:
        node.register_forward_hook(lambda module, inputs, output: sizes.append(tuple(output.shape[1:])))
    network(torch.zeros(2, 3, 32, 32))
    assert sizes[0] == (4, 32, 32)
    assert (8, 16, 16) in sizes
    assert sizes[-1] == (16, 8, 8)
    pixel = space.build(space.architecture(rows), Shape(3, 1, 1, 10), filters=4)
    assert pixel(torch.zeros(2, 3, 1, 1)).shape == (2, 10)


def test_skips_follow_their_layers():
    """A deleted layer's readers read what it read; the layer before, which every layer reads, is no skip."""
    space = ENASMacro(layers=5)
    a, b, c, d, e, _ = OPERATIONS
    before = space.architecture([(a, ()), (b, (0,)), (c, (1,)), (d, (0, 2)), (e, (1, 3))])
    found = {space.canonical(space.know(Moves).move("delete", before, stream(n, "move"))) for n in range(100)}
    expected = [
        [(b, ()), (c, (0,)), (d, (0, 1)), (e, (0, 2))],
        [(a, ()), (c, ()), (d, (0, 1)), (e, (1, 2))],
        [(a, ()), (b, (0,)), (d, (0,)), (e, (1, 2))],
        [(a, ()), (b, (0,)), (c, (1,)), (e, (1,))],
        [(a, ()), (b, (0,)), (c, (1,)), (d, (0, 2))],
    ]
    assert found == {space.canonical(space.architecture(rows)) for rows in expected}
    smaller = replay(space, {"layers": 2, "layer1/operation": a, "layer2/operation": b, "layer2/skips": (0,)})
    doubled = {
        space.canonical(space.know(Moves).move("duplicate", smaller, stream(n, "move"))) for n in range(20)
    }
    assert doubled == {f"{a}+ {a}+ {b}+0", f"{a}+ {b}+0 {b}+0"}


def test_mistakes_are_named():
    """No layers, no filters, an unknown setting."""
    with pytest.raises(SpaceError, match="layers is 1 to 30, got 0"):
        ENASMacro(layers=0)
    some = ENASMacro().architecture([("conv3x3", ())])
    with pytest.raises(UsageError, match="at least 2"):
        ENASMacro().build(some, Shape(), filters=1)
    with pytest.raises(UnknownName, match="did you mean 'filters'"):
        ENASMacro().build(some, Shape(), filter=4)
