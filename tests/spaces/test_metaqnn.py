"""MetaQNN's chains against the paper's rules, counted another way, and its best network's size."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch

from cambrian.architecture import completions, sample
from cambrian.errors import IllegalArchitecture, SpaceError, UnknownName, UsageError
from cambrian.randomness import stream
from cambrian.spaces.chains.metaqnn.space import MetaQNN
from cambrian.spaces.program.function_space import Shape

SHAPE = Shape(3, 32, 32, 10)


def count(layers, image, before="start", dense=0, units=512):
    """Chains of so many more layers: the transitions of Sec. 4.1, with nothing from the space's program."""
    if layers == 0:
        return 1
    total = 0
    if not dense:
        total += 4 * sum(k <= image for k in (1, 3, 5)) * count(layers - 1, image, "conv")
    if before == "conv":
        for window, stride in ((5, 3), (3, 2), (2, 2)):
            if window <= image:
                total += count(layers - 1, math.ceil((image - window + 1) / stride), "pool")
    if dense < 2 and image < 8:
        for u in (512, 256, 128):
            if u <= units:
                total += count(layers - 1, image, "dense", dense + 1, u)
    return total


@pytest.mark.parametrize(
    ("depth", "image"), [(1, 32), (2, 32), (2, 8), (1, 7), (2, 7), (3, 5), (3, 2), (4, 1)]
)
def test_chains_are_those_of_the_papers_rules(depth, image):
    """As many as a count of the transitions gives, with dense layers in reach and without."""
    space = MetaQNN(depth, image)
    found = {space.canonical(a) for a in completions(space, {"layers": depth})}
    assert len(found) == count(depth, image)


def test_every_sample_keeps_the_rules():
    """Of the paper's 18 layers: no pooling first or twice running, dense layers last, at most two, not
    growing, on small images only."""
    space = MetaQNN.paper()
    depths = set()
    for n in range(200):
        rows = list(space.rows(sample(space, stream(n, "chain"))))
        kinds = [kind for kind, _, _ in rows]
        depths.add(len(rows))
        assert kinds[0] == "conv"
        assert ("pool", "pool") not in set(pairwise(kinds))
        dense = [size for kind, size, _ in rows if kind == "dense"]
        assert len(dense) <= 2
        assert kinds[len(kinds) - len(dense) :] == ["dense"] * len(dense)
        assert dense == sorted(dense, reverse=True)
        image = 32
        for kind, size, stride in rows:
            image = math.ceil((image - size + 1) / stride) if kind == "pool" else image
        assert image < 8 or not dense
    assert depths == set(range(1, 19))


def test_the_papers_best_network_has_its_size():
    """11.18 million parameters (Table A1), written as the paper writes it."""
    space = MetaQNN.paper()
    best = MetaQNN.paper_network()
    text = "C(512,5,1) C(256,3,1) C(256,5,1) C(256,3,1) P(5,3) C(512,3,1) C(512,5,1) P(2,2)"
    assert space.canonical(best) == text
    with torch.device("meta"):
        network = space.build(best, SHAPE, normalise=False)
    found = sum(p.numel() for p in network[:-1].parameters())
    assert round(found / 1e6, 2) == 11.18


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (8, 8), (28, 28)])
def test_networks_fit_any_image(size):
    """Poolings that do not fit are left out; dense layers are as wide as what they get."""
    space = MetaQNN(layers=8)
    rows = [("conv", 5, 64), ("pool", 5, 3), ("conv", 3, 64), ("pool", 3, 2), ("dense", 256, 0)]
    chain = space.architecture([*rows, ("dense", 128, 0)])
    network = space.build(chain, Shape(2, *size, 3), width=0.1, dropout=0.5).eval()
    assert network(torch.zeros(2, 2, *size)).shape == (2, 3)
    dropped = [m.p for m in network.modules() if isinstance(m, torch.nn.Dropout)]
    assert dropped == [0.5 * k / 3 for k in (1, 2, 3)]


def test_the_last_dropout_has_the_whole_rate():
    """The i-th of n has i / 2n (Sec. 5; string_to_model.py of the released code), also where one more layer
    follows the last of them."""
    chain = MetaQNN(layers=5).architecture([("conv", 3, 64)] * 5)
    network = MetaQNN(layers=5).build(chain, SHAPE, width=0.1, dropout=0.5)
    dropped = [m.p for m in network.modules() if isinstance(m, torch.nn.Dropout)]
    assert dropped == [1 / 4, 1 / 2]


def test_mistakes_are_named():
    """Settings and chains that the rules forbid."""
    with pytest.raises(SpaceError, match="layers is 1 to 50"):
        MetaQNN(layers=0)
    with pytest.raises(UnknownName, match="did you mean 'width'"):
        MetaQNN().build(MetaQNN(8).architecture([("conv", 3, 64)]), SHAPE, widht=1)
    with pytest.raises(UsageError, match="width is above 0, got 0"):
        MetaQNN().build(MetaQNN(8).architecture([("conv", 3, 64)]), SHAPE, width=0)
    with pytest.raises(IllegalArchitecture, match="layer2/type"):
        MetaQNN().architecture([("conv", 3, 64), ("dense", 512, 0)])
