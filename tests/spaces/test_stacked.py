"""Cells and how they are stacked, searched at once."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from cambrian.architecture import Architecture, replay, sample
from cambrian.errors import SpaceError, UnknownName
from cambrian.networks.measure.sizes import params
from cambrian.randomness import stream
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.spaces.cells.pnas import PNAS
from cambrian.spaces.hierarchies.stacked.space import Stacked
from cambrian.spaces.knowledge import Graphs, Grows
from cambrian.spaces.program.function_space import Shape
from cambrian.spaces.published import find_published

EDGES, BLOCKS = Stacked(), Stacked(cell="pnas")


def stacked(cell, *stages):
    """An architecture of a cell's answers, and (cells, widen, halve) per stage."""
    answers = {f"cell/{path}": answer for path, answer in cell.items()} | {"stages": len(stages)}
    for s, stage in enumerate(stages, 1):
        answers |= {f"stage{s}/{q}": a for q, a in zip(("cells", "widen", "halve"), stage, strict=True)}
    return Architecture(answers)


def convolutions(operation="nor_conv_3x3"):
    space = NASBench201()
    return space.architecture((space.operations.index(operation),) * 6)


@pytest.mark.parametrize("space", [EDGES, BLOCKS], ids=["nasbench201", "pnas"])
def test_the_cell_is_one_of_its_own_space(space):
    """Its questions are those of that space, and nothing else is asked under its name."""
    for n in range(10):
        architecture = sample(space, stream(n, "stacked"))
        cell = space.cell_of(architecture)
        assert replay(space.micro, cell) == cell
        rest = [p for p in architecture if not p.startswith("cell/")]
        assert len(rest) == 1 + 3 * architecture["stages"]


@pytest.mark.parametrize("cells", [1, 2, 3])
def test_parameters_by_hand(cells):
    """Of six 3x3 convolutions per cell: a stage of f channels has 6 (9 f^2 + 2 f) per cell; a convolution
    between widths f and g has 9 f g + 2 g."""
    architecture = stacked(convolutions(), (cells, 1.0, False), (2, 1.5, True))
    network = EDGES.build(architecture, Shape(3, 8, 8, 5), filters=4)
    wanted = (9 * 3 * 4 + 2 * 4) + cells * 6 * (9 * 16 + 8)
    wanted += (9 * 4 * 6 + 2 * 6) + 2 * 6 * (9 * 36 + 12) + 2 * 6 + (6 * 5 + 5)
    assert params(network) == wanted


def test_a_pnas_cell_gives_all_its_blocks():
    """PNASNet-5's: five times as many channels as filters at the end; the second cell of a stage reads two
    states, the first one state twice."""
    cell = find_published("pnasnet-5").architecture
    network = BLOCKS.build(stacked(cell, (2, 2.0, True)), Shape(1, 8, 8, 3), filters=4).eval()
    sizes = []
    pool = next(m for m in network.modules() if isinstance(m, torch.nn.AdaptiveAvgPool2d))
    pool.register_forward_hook(lambda module, inputs, output: sizes.append(tuple(inputs[0].shape)))
    assert network(torch.zeros(2, 1, 8, 8)).shape == (2, 3)
    assert sizes == [(2, 40, 4, 4)]
    fits = [{i: fit[1].in_channels for i, fit in c.fit.items()} for c in network.cells]
    assert fits == [{"0": 8, "1": 8}, {"0": 8, "1": 40}]


@pytest.mark.parametrize("side", [1, 2, 8, 28])
def test_images_are_halved_where_that_is_answered(side):
    """In the first and the third stage, and never below one pixel."""
    architecture = stacked(convolutions(), (1, 1.0, True), (1, 2.0, False), (1, 1.0, True))
    network = EDGES.build(architecture, Shape(1, side, side, 3), filters=4).eval()
    assert [start[1].stride[0] for start in network.starts.values()] == [
        1 + (side > 1),
        1,
        1 + (side > 2),
    ]
    assert network(torch.zeros(2, 1, side, side)).shape == (2, 3)


def test_stages_with_nothing_between_them_are_one():
    """Of all stackings of up to three stages, those of one text have the same network, others have not."""
    cell, texts = convolutions("nor_conv_1x1"), {}
    kinds = [(c, w, h) for c in (1, 2) for w in (1.0, 2.0) for h in (False, True)]
    small = Stacked(cells=2)
    for stages in (*product(kinds, repeat=1), *product(kinds, repeat=2)):
        architecture = stacked(cell, *stages)
        with torch.device("meta"):
            shown = str(small.build(architecture, Shape(1, 8, 8, 2), filters=2))
        assert texts.setdefault(small.canonical(architecture), shown) == shown
    assert len(set(texts.values())) == len(texts)


@pytest.mark.parametrize("space", [EDGES, BLOCKS], ids=["nasbench201", "pnas"])
def test_graphs_repeat_the_cell(space):
    """As often as there are cells; the output is reached from the input, through each cell in turn."""
    architecture = sample(space, stream(4, "stacked"))  # of NAS-Bench-201's cells some are none
    graph, cell = space.graph(architecture), space.micro.know(Graphs).graph(space.cell_of(architecture))
    cells = sum(stage[0] for stage in space.stacking(architecture))
    starts = sum(label.startswith("conv3x3 x") for label in graph.labels)
    inputs = 2 if space is BLOCKS else 1
    assert len(graph.labels) == 2 + starts + cells * (len(cell.labels) - inputs)
    reached = {0}
    for a, b in sorted(graph.edges):
        reached |= {b} if a in reached else set()
    assert len(graph.labels) - 1 in reached


def test_a_level_is_a_stage():
    """Growing keeps the cell and the stages there are."""
    first = EDGES.know(Grows).grow((), stream(0, "grow"), cap=5)
    parent = first.architecture(0)
    pool = EDGES.know(Grows).grow([parent], stream(0, "grow"))
    assert (len(pool), pool.complete) == (3 * 3 * 2, True)
    for n in range(len(pool)):
        child = pool.architecture(n)
        assert all(child[path] == parent[path] for path in parent if path != "stages")


def test_mistakes_are_told():
    """In a sentence each."""
    with pytest.raises(UnknownName, match="did you mean 'pnas'"):
        Stacked(cell="pnass")
    with pytest.raises(SpaceError, match="is 1 to 30, got 0"):
        Stacked(stages=0)
    with pytest.raises(UnknownName, match="did you mean 'filters'"):
        EDGES.build(sample(EDGES, stream(0)), Shape(), filter=4)
    assert isinstance(BLOCKS.micro, PNAS)
