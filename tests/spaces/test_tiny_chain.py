"""The tiny chain: growth, tokens and sameness of a space that has nothing to do with cells."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from cambrian.architecture import completions, replay
from cambrian.errors import SpaceError, UnknownName
from cambrian.spaces import SPACES
from cambrian.spaces.chains.tiny_chain import TinyChain
from cambrian.spaces.space import Canonical, Encodes, Graphs, Grows

LAYERS = ["conv3x3*1", "conv3x3*2", "conv5x5*1", "conv5x5*2", "max3x3*0", ""]


def grown(space):
    """The pool of every level, grown from all of the one below."""
    parents = []
    for _ in space.know(Grows).levels:
        pool = space.know(Grows).grow(parents, np.random.default_rng(0))
        yield parents, pool
        parents = [pool.architecture(i) for i in range(len(pool))]


def test_it_fulfils_the_protocols_progressive_search_asks_for():
    """Registered by name, it grows, encodes, knows sameness and draws itself."""
    space = SPACES.make({"name": "tiny-chain", "arguments": {"layers": 2}})
    assert all(space.know(protocol) is not None for protocol in (Grows, Canonical, Encodes, Graphs))
    assert space.know(Grows).levels == (1, 2)


def test_levels_hold_every_chain_once():
    """Chains of six kinds of layer, one of which is nothing, counted by brute force."""
    space = TinyChain(layers=3)
    for level, (_, pool) in enumerate(grown(space), 1):
        chains = {" ".join(filter(None, c)) for c in itertools.product(LAYERS, repeat=level)}
        found = [space.canonical(pool.architecture(i)) for i in range(len(pool))]
        assert len(found) == len(set(found))
        assert set(found) == chains
    assert len(list(completions(space, {}))) == 6 + 6**2 + 6**3


def test_children_agree_with_their_parents():
    """On all but the level; their tokens are their parent's and the step."""
    space = TinyChain(layers=3)
    for level, (parents, pool) in enumerate(grown(space), 1):
        for i in range(0, len(pool), 7):
            child = pool.architecture(i)
            assert replay(space, child) == child
            tokens = space.know(Encodes).tokens([child])[0]
            assert tokens.shape == (level, len(space.know(Encodes).slots))
            assert tokens[-1].tolist() == pool.step[i].tolist()
            if parents:
                parent = parents[pool.parent[i]]
                assert {**parent, "layers": level} == {path: child[path] for path in parent}
                assert (tokens[:-1] == space.know(Encodes).tokens([parent])[0]).all()


def test_tokens_tell_every_chain_apart():
    """As many rows of tokens as architectures, all within their vocabularies."""
    space = TinyChain(layers=2)
    every = list(completions(space, {}))
    tokens = space.know(Encodes).tokens(every)
    assert len(np.unique(tokens.reshape(len(every), -1), axis=0)) == len(every)
    assert (
        tokens.max(axis=(0, 1)) < [space.know(Encodes).vocabulary[slot] for slot in space.know(Encodes).slots]
    ).all()


def test_the_graph_is_a_chain():
    """Input, a node a layer, output."""
    space = TinyChain(layers=2)
    graph = space.graph(
        replay(
            space,
            {"layers": 2, "layer1/operation": "conv5x5", "layer1/width": 2, "layer2/operation": "max3x3"},
        )
    )
    assert graph.labels == ("input", "conv5x5 x2", "max3x3", "output")
    assert graph.edges == ((0, 1), (1, 2), (2, 3))


@pytest.mark.parametrize("size", [(1, 1), (8, 5)])
def test_networks_of_every_chain(size):
    """Every chain of two layers builds, with the weights its widths imply, and gives logits."""
    import torch

    task = SimpleNamespace(channels=3, height=size[0], width=size[1], classes=4)
    space = TinyChain(layers=2)
    for architecture in completions(space, {}):
        network = space.build(architecture, task, filters=2).eval()
        assert network(torch.zeros(2, 3, *size)).shape == (2, 4)
        channels, weights = 3, 0
        for word in space.canonical(architecture).split():
            operation, width = word.split("*")
            if operation != "max3x3":
                kernel, out = int(operation[4]), 2 * int(width)
                weights += channels * out * kernel**2 + 2 * out
                channels = out
        assert sum(p.numel() for p in network.parameters()) == weights + channels * 4 + 4


def test_mistakes_are_named():
    """No layers, or a skeleton setting that does not exist."""
    with pytest.raises(SpaceError, match="is 1 to"):
        TinyChain(layers=0)
    space = TinyChain(layers=1)
    some = next(completions(space, {}))
    with pytest.raises(UnknownName, match="did you mean 'filters'"):
        space.build(some, SimpleNamespace(channels=3, height=8, width=8, classes=4), filter=2)
