"""Memory banks: residual and dense networks as patterns of reading and writing; counts; sameness."""

from __future__ import annotations

import pytest
import torch
from branch_graphs import least_text
from torch.nn import functional as F

from cambrian.architecture import completions, replay, sample
from cambrian.errors import IllegalArchitecture, SpaceError, UnknownName, UsageError
from cambrian.randomness import stream
from cambrian.spaces.branches.layered import together
from cambrian.spaces.branches.memory_banks.space import OPERATIONS, MemoryBanks
from cambrian.spaces.program.function_space import Shape

SHAPE = Shape(2, 8, 8, 3)
ONE = {f"layer{n}/operation": "conv3x3" for n in range(1, 4)}


def test_a_residual_network_has_one_bank():
    """x becomes x + layer(x), halved after a third and two thirds."""
    space = MemoryBanks(layers=6)
    torch.manual_seed(0)
    network = space.build(space.resnet(6), SHAPE, filters=4).eval()
    images = torch.randn(2, 2, 8, 8)
    x = network[0].stem(images)
    for n, layer in enumerate(network[0].layers):
        x = F.avg_pool2d(x, 2) if n in (2, 4) else x
        x = x + layer(x)
    assert x.shape == (2, 4, 2, 2)
    torch.testing.assert_close(network(images), network[-1](x.mean((2, 3))))


def test_a_densely_connected_network_writes_each_bank_once():
    """x becomes [x, layer(x)]."""
    space = MemoryBanks(layers=3, banks=4)
    torch.manual_seed(0)
    network = space.build(space.densenet(), SHAPE, filters=4).eval()
    images = torch.randn(2, 2, 8, 8)
    x = network[0].stem(images)
    for n, layer in enumerate(network[0].layers):
        x = F.avg_pool2d(x, 2) if n in (1, 2) else x
        x = torch.cat([x, layer(x)], 1)
    assert x.shape == (2, 16, 2, 2)
    torch.testing.assert_close(network(images), network[-1](x.mean((2, 3))))


def patterns(layers, banks, written=frozenset({1})):
    """Ways to read some of what is written and to write some banks, layer after layer."""
    if not layers:
        return 1
    total = 0
    for mask in range(1, 2**banks):
        writes = {b + 1 for b in range(banks) if mask >> b & 1}
        total += (2 ** len(written) - 1) * patterns(layers - 1, banks, written | writes)
    return total


@pytest.mark.parametrize(("layers", "banks"), [(1, 4), (2, 3), (3, 2)])
def test_patterns_are_counted(layers, banks):
    """As many as a count of sets that knows nothing of the space's program."""
    space = MemoryBanks(layers, banks)
    found = sum(1 for _ in completions(space, {"layers": layers, **ONE}))
    assert found == patterns(layers, banks)


def test_equal_networks_are_those_of_some_numbering():
    """One layer over three banks and two over two: the same by canonical text exactly where brute force over
    all numberings says so; banks change their names."""
    pairs, found = set(), 0
    for space, depth in ((MemoryBanks(1, 3), 1), (MemoryBanks(2, 3), 2)):
        for architecture in completions(space, {"layers": depth, "layer1/operation": "conv3x3"}):
            graph = space.graph(architecture)
            if len(graph.labels) > 9:
                continue
            inputs = [[a for a, b in graph.edges if b == node] for node in range(len(graph.labels))]
            pairs.add((space.canonical(architecture), least_text(graph.labels, inputs)))
            found += 1
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
    assert found > len(pairs) > 50


def test_banks_have_no_names_but_layers_have_stages():
    """Banks two and three exchanged are one network; layers exchanged over a halving are two."""
    space = MemoryBanks(layers=3, banks=3)

    def built(*rows):
        layers = [{"operation": o, "reads": r, "writes": w} for o, r, w in rows]
        return replay(space, together(layers))

    a, b = OPERATIONS[:2]
    two = built((a, (1,), (2,)), (b, (1, 2), (3,)))
    three = built((a, (1,), (3,)), (b, (1, 3), (2,)))
    assert two != three
    assert space.canonical(two) == space.canonical(three)
    early, late = built((a, (1,), (2,)), (b, (1,), (3,))), built((b, (1,), (2,)), (a, (1,), (3,)))
    assert space.canonical(early) != space.canonical(late)


def test_mistakes_are_named():
    """What nobody has written cannot be read; settings and skeletons."""
    with pytest.raises(IllegalArchitecture, match="layer1/reads"):
        replay(MemoryBanks(), {"layers": 1, "layer1/operation": "conv3x3", "layer1/reads": (2,)})
    with pytest.raises(SpaceError, match="banks is 1 to 16, got 0"):
        MemoryBanks(banks=0)
    some = sample(MemoryBanks(), stream(0))
    with pytest.raises(UsageError, match="at least 1"):
        MemoryBanks().build(some, SHAPE, filters=0)
    with pytest.raises(UnknownName, match="did you mean 'filters'"):
        MemoryBanks().build(some, SHAPE, filter=2)
