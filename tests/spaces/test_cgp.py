"""Cartesian genetic programs: genotypes counted, active graphs against brute force, a forward by hand."""

from __future__ import annotations

from math import prod

import pytest
import torch
from branch_graphs import least_text
from torch.nn import functional as F

from cambrian.architecture import Architecture, completions, questions, replay, sample
from cambrian.errors import IllegalArchitecture, SpaceError, UnknownName, UsageError
from cambrian.randomness import stream
from cambrian.spaces.chains.cgp.space import CGP
from cambrian.spaces.program.function_space import Shape

SHAPE = Shape(2, 8, 8, 3)


def test_the_papers_table():
    """3 x 2 blocks, two poolings, sum and concatenation on a grid of 5 x 30; 10 to 50 active nodes."""
    space = CGP.paper()
    assert len(space.functions) == 10
    assert len(questions(space, sample(space, stream(0)))) == 5 * 30 * 3 + 1
    assert space.sources(0) == (0,)
    assert space.sources(9) == tuple(range(46))
    assert space.sources(10) == tuple(range(1, 51))
    assert space.sources(30) == tuple(range(101, 151))
    for n in range(5):
        assert 10 <= len(space.active(sample(space, stream(n)))) <= 50


@pytest.mark.parametrize(("rows", "columns", "back"), [(1, 1, 1), (1, 2, 1), (1, 2, 2), (2, 1, 3)])
def test_genotypes_are_counted(rows, columns, back):
    """(functions x inputs squared) per node, times the output's inputs, the image aside."""
    space = CGP(rows, columns, back)
    inputs = [1 * (c < back) + rows * min(c, back) for c in range(columns + 1)]  # the image, and the columns
    nodes = prod((10 * n * n) ** rows for n in inputs[:-1])
    found = sum(1 for _ in completions(space, {}))
    assert found == nodes * (inputs[-1] - (columns < back))


def test_equal_programs_are_those_of_some_numbering():
    """800 genotypes of two nodes and 200 random ones of six, with sums and concatenations: the same by
    canonical text exactly where brute force over all numberings says so."""
    space = CGP(2, 3, 3, most=5)
    few = ("ConvBlock(32,3)", "sum", "concat")
    drawn = []
    for n in range(200):
        free = sample(space, stream(n, "cgp"))
        swap = {p: few[int(stream(n, p).integers(3))] for p in free if p.endswith("function")}
        try:
            drawn.append((space, replay(space, {**free, **swap})))
        except IllegalArchitecture:  # more nodes are active now than are allowed
            continue
    small = CGP(1, 2, 2)
    pairs = set()
    for where, architecture in [*((small, a) for a in completions(small, {})), *drawn]:
        nodes = where.active(architecture)
        labels, inputs = ["input", *(f for f, _ in nodes)], [(), *(i for _, i in nodes)]
        text = least_text(labels, inputs, [label == "concat" for label in labels])
        pairs.add((where.canonical(architecture), text))
    assert len(drawn) > 100
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) < 800 + len(drawn)


def genotype(space, nodes, output):
    """These (function, input, input), whatever is left being poolings of the first source."""
    answers = {"output": output}
    for n in range(1, space.rows * space.columns + 1):
        source = space.sources((n - 1) // space.rows)[0]
        function, one, two = nodes.get(n, ("max-pool", source, source))
        answers |= {f"node{n}/function": function, f"node{n}/input1": one, f"node{n}/input2": two}
    return replay(space, answers)


def test_a_network_written_by_hand():
    """A large image joined with a small one, a residual block that widens, a sum of unequal channels."""
    space = CGP(1, 6, 6, blocks="res")
    torch.manual_seed(0)
    nodes = {
        1: ("ResBlock(32,3)", 0, 0),
        2: ("avg-pool", 1, 1),
        3: ("concat", 2, 1),
        4: ("ResBlock(32,5)", 3, 0),
        5: ("sum", 4, 1),
    }
    network = space.build(genotype(space, nodes, 5), SHAPE, width=0.25).eval()
    one, _, _, four, _ = network[0].nodes
    x = torch.randn(2, 2, 8, 8)
    first = F.relu(one.path(x) + torch.cat([x, torch.zeros(2, 6, 8, 8)], 1))
    third = torch.cat([F.avg_pool2d(first, 2), F.max_pool2d(first, 2)], 1)
    fourth = F.relu(torch.cat([four.path(third), torch.zeros(2, 8, 4, 4)], 1) + third)
    fifth = fourth + torch.cat([F.max_pool2d(first, 2), torch.zeros(2, 8, 4, 4)], 1)
    torch.testing.assert_close(network(x), network[-1](fifth.flatten(1)))


def test_inactive_nodes_are_no_part_of_the_network():
    """Other genes of theirs change neither text nor tokens, graph or weights; a one-pixel image fits."""
    space = CGP(1, 4, 4)
    live = {1: ("ConvBlock(32,3)", 0, 0), 4: ("sum", 1, 1)}
    one = genotype(space, live, 4)
    other = genotype(space, live | {2: ("ConvBlock(128,5)", 1, 1), 3: ("concat", 2, 0)}, 4)
    assert one != other
    assert space.canonical(one) == space.canonical(other)
    assert space.graph(one) == space.graph(other)
    assert space.graph(one).labels == ("input", "ConvBlock(32,3)", "sum twice", "output")
    assert (space.tokens([one]) == space.tokens([other])).all()
    assert str(space.build(one, SHAPE)) == str(space.build(other, SHAPE))
    pooled = genotype(space, {1: ("avg-pool", 0, 0)}, 1)
    assert space.build(pooled, Shape(2, 1, 1, 3))(torch.zeros(2, 2, 1, 1)).shape == (2, 3)


def test_mutations_are_forced_or_neutral():
    """One kind always changes the active graph, the other never; where all is active nothing is neutral."""
    space = CGP()
    moved = 0
    for n in range(20):
        before = sample(space, stream(n, "before"))
        forced, neutral = (space.move(kind, before, stream(n, kind)) for kind in space.moves)
        assert space.active(forced) != space.active(before)
        assert replay(space, forced) == forced
        if neutral is not None:
            assert neutral != before
            assert space.active(neutral) == space.active(before)
            moved += 1
    assert moved > 10
    full = CGP(1, 1, 1)
    summed = Architecture({"node1/function": "sum", "node1/input1": 0, "node1/input2": 0, "output": 1})
    assert full.move("neutral", summed, stream(0)) is None


def test_mistakes_are_named():
    """Settings and skeletons."""
    with pytest.raises(SpaceError, match="levels_back is 1 to 50, got 0"):
        CGP(levels_back=0)
    with pytest.raises(SpaceError, match="least is 1 to 2, got 3"):
        CGP(1, 2, least=3)
    with pytest.raises(UnknownName, match="did you mean 'conv'"):
        CGP(blocks="convset")
    some = sample(CGP(), stream(0))
    with pytest.raises(UsageError, match="above 0"):
        CGP().build(some, SHAPE, width=0)
    with pytest.raises(UnknownName, match="did you mean 'width'"):
        CGP().build(some, SHAPE, widht=2)
