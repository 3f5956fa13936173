"""Zoph & Le's recurrent cells."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from cambrian.architecture import completions, replay, sample
from cambrian.errors import SpaceError, UnknownName
from cambrian.networks.sharing.reading import Own
from cambrian.randomness import stream
from cambrian.spaces.knowledge import Grows
from cambrian.spaces.program.function_space import Shape
from cambrian.spaces.sequences.recurrent.nascell import PUBLISHED, NASCell, Tree, node_names, pairs_of
from cambrian.spaces.sequences.recurrent.network import Joined, TreeCell

SHAPE = Shape(2, 5, 6, 3)

INJECTION = {"injection/combination": "add", "injection/activation": "tanh"}
EXAMPLE = Tree(  # the paper's own, of base 2
    steps=(("add", "tanh"), ("multiply", "relu"), ("multiply", "sigmoid")),
    inject=0,
    injection=("add", "relu"),
    keep=1,
)


def test_the_space_has_the_papers_size():
    """About 6 x 10^16 for base 8: eight labels each for 15 nodes and the injection, 15 x 15 places of the
    memory. Small bases by walking them, the injection's eight labels aside."""
    assert NASCell().size(8) == 8**16 * 15**2
    assert f"{NASCell().size(8):.0e}" == "6e+16"
    space = NASCell(base=2)
    for leaves in (1, 2):
        trees = {space.tree(a) for a in completions(space, {"leaves": leaves, **INJECTION})}
        assert len(trees) == space.size(leaves) / 8 == 8 ** (2 * leaves - 1) * (2 * leaves - 1) ** 2


def test_trees_of_the_papers_bases_are_complete():
    """Numbered as the paper does: the joins of two leaves each, then of four, then of eight."""
    assert pairs_of(8) == ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 11), (12, 13))
    assert pairs_of(2) == ((0, 1),)
    assert pairs_of(1) == ()


def test_every_tree_has_every_leaf_once():
    """Of any number of leaves: each node but the last is taken by one later join, in the leaves' order,
    and a tree of one leaf less is what remains without the last leaf and its join."""
    for leaves in range(1, 20):
        below = [[n] for n in range(leaves)]
        for left, right in pairs_of(leaves):
            below.append(below[left] + below[right])
        assert below[-1] == list(range(leaves))
        assert sorted(n for pair in pairs_of(leaves) for n in pair) == list(range(2 * leaves - 2))
        names = node_names(leaves)
        assert set(names) - set(node_names(leaves - 1)) == {f"leaf{leaves}", f"join{leaves}"} & set(names)


def test_the_published_cell_is_nascell():
    """The equations of TensorFlow's NASCell in numpy, over the rows of an image; its two matrices hold
    eight maps of the input and of the last output."""
    torch.manual_seed(0)
    space = NASCell()
    architecture = space.architecture(PUBLISHED)
    network = space.build(architecture, SHAPE, hidden=4)
    cell = network.layers.cells[0]
    assert sum(p.numel() for p in cell.parameters()) == 8 * 4 * (12 + 4)
    images = torch.randn(3, 2, 5, 6)
    of_input, of_output = cell.input.weight.detach().numpy().T, cell.recurrent.weight.detach().numpy().T
    m = c = np.zeros((3, 4))
    tanh, relu = np.tanh, lambda x: np.maximum(x, 0)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    for row in np.moveaxis(images.numpy(), 2, 0):
        i = np.split(row.reshape(3, 12) @ of_input, 8, axis=1)
        h = np.split(m @ of_output, 8, axis=1)
        one = tanh(sigmoid(i[0] + h[0]) * relu(i[1] + h[1]))
        two = tanh(sigmoid(i[2] + h[2]) + relu(i[3] * h[3]))
        three = tanh(tanh(i[4] + h[4]) * sigmoid(i[5] + h[5]))
        four = sigmoid(tanh(i[6] + h[6]) + sigmoid(i[7] + h[7]))
        c = tanh(one + c) * two
        m = tanh(c * tanh(three + four))
    logits = network.head(torch.tensor(m, dtype=torch.float32))
    torch.testing.assert_close(network(images), logits, rtol=1e-5, atol=1e-6)


def test_the_papers_example_is_computed_as_printed():
    """Sec. 3.4, base 2: a0 = relu(tanh(W1 x + W2 h) + c), a1 = relu((W3 x) * (W4 h)), output
    sigmoid(a0 * a1), and the next memory is a1 before its activation."""
    torch.manual_seed(0)
    tree = Joined(EXAMPLE.steps, pairs_of(2), EXAMPLE.inject, EXAMPLE.injection, EXAMPLE.keep)
    cell = TreeCell(Own(tree), 2, 3, 4)
    x, h, c = torch.randn(2, 3), torch.randn(2, 4), torch.randn(2, 4)
    (w1, w3), (w2, w4) = cell.input.weight.chunk(2), cell.recurrent.weight.chunk(2)
    a0 = torch.relu(torch.tanh(x @ w1.T + h @ w2.T) + c)
    memory = (x @ w3.T) * (h @ w4.T)
    expected = torch.stack([torch.sigmoid(a0 * torch.relu(memory)), memory])
    torch.testing.assert_close(cell(cell.input(x), torch.stack([h, c])), expected)


def test_one_leaf_is_the_plain_recurrent_cell():
    """While its memory is empty: torch.nn.RNNCell."""
    torch.manual_seed(0)
    rnn = torch.nn.RNNCell(3, 4, bias=False)
    leaf = Joined([("add", "tanh")], joins=(), inject=0, injection=("add", "identity"), keep=0)
    cell = TreeCell(Own(leaf), 1, 3, 4)
    cell.load_state_dict({"input.weight": rnn.weight_ih, "recurrent.weight": rnn.weight_hh})
    x, h = torch.randn(2, 3), torch.randn(2, 4)
    torch.testing.assert_close(cell(cell.input(x), torch.stack([h, h * 0]))[0], rnn(x, h))


def test_branches_can_be_swapped():
    """Of base 2 and one injection there are (8^3 * 9 + 8 * 8) / 2 cells: of all trees half, and half of
    those that are their own mirror image, by Burnside's lemma."""
    space = NASCell(base=2)
    texts = Counter(space.canonical(a) for a in completions(space, {"leaves": 2, **INJECTION}))
    mirrored = 8 * 8  # both leaves alike, the memory at the join
    assert len(texts) == (8**3 * 9 + mirrored) // 2 == 2336
    assert set(texts.values()) == {1, 2}


def test_a_swapped_tree_is_the_same_function():
    """With the leaves' weights swapped, too: the published cell with its halves exchanged."""
    space, swap = NASCell(), (4, 5, 6, 7, 0, 1, 2, 3, 10, 11, 8, 9, 13, 12, 14)
    tree = Tree(
        steps=tuple(PUBLISHED.steps[k] for k in swap),
        inject=swap.index(PUBLISHED.inject),
        injection=PUBLISHED.injection,
        keep=swap.index(PUBLISHED.keep),
    )
    one, other = space.architecture(PUBLISHED), space.architecture(tree)
    assert one != other
    assert space.canonical(one) == space.canonical(other)
    torch.manual_seed(0)
    network, mirror = (space.build(a, SHAPE, hidden=4) for a in (one, other))
    mirror.load_state_dict(network.state_dict())
    with torch.no_grad():
        for layer in ("input", "recurrent"):
            weight = getattr(mirror.layers.cells[0], layer).weight
            weight.copy_(torch.cat(list(reversed(weight.chunk(2)))))
    images = torch.randn(3, 2, 5, 6)
    torch.testing.assert_close(mirror(images), network(images))


def test_trees_are_answers():
    """`architecture` and `tree` are inverse, but for claims that later ones overrule."""
    space = NASCell()
    for n in range(50):
        architecture = sample(space, stream(0, n))
        tree = space.tree(architecture)
        assert space.tree(replay(space, space.architecture(tree))) == tree
        assert space.canonical(space.architecture(tree)) == space.canonical(architecture)


def test_the_memory_is_anywhere_with_equal_probability():
    """Of 3,000 trees with three leaves, each of the five nodes has about a fifth (4.5 standard errors)."""
    space = NASCell(base=3)
    rng = stream(0, "memory")
    trees = [space.tree(sample(space, rng)) for _ in range(3000)]
    trees = [t for t in trees if t.leaves == 3]
    for use in ("inject", "keep"):
        counts = np.bincount([getattr(t, use) for t in trees], minlength=5)
        assert np.abs(counts - len(trees) / 5).max() < 4.5 * np.sqrt(len(trees) * 0.2 * 0.8)


def test_growth_adds_a_leaf_and_its_join():
    """Of one cell of one leaf: 7 other leaves times 8 joins times 9 places of the memory; and with the same
    leaf again, where 8 of the places are 4 pairs of mirror images, 8 joins times 5."""
    space = NASCell(base=2)
    ones = space.know(Grows).grow([], stream(0))
    twos = space.know(Grows).grow([ones.architecture(0)], stream(0))
    assert len(ones) == 64
    assert (twos.before, len(twos)) == (8 * 8 * 9, 7 * 8 * 9 + 8 * 5)


def test_the_graph_shows_the_memory():
    """Of the paper's example: it enters behind tanh, and leaves before relu."""
    graph = NASCell(base=2).graph(NASCell(base=2).architecture(EXAMPLE))
    edges = {(graph.labels[a], graph.labels[b]) for a, b in graph.edges}
    assert {("memory", "add"), ("tanh", "add"), ("multiply", "next memory"), ("sigmoid", "output")} <= edges
    assert graph.labels[:5] == ("input", "last output", "memory", "add", "tanh")
    assert len(graph.labels) == 3 + 2 * 3 + 2 + 2


def test_mistakes_are_named():
    """Settings of the space and of the skeleton."""
    with pytest.raises(SpaceError, match="base is 1 to 30, got 0"):
        NASCell(base=0)
    space = NASCell()
    with pytest.raises(UnknownName, match="did you mean 'layers'"):
        space.build(space.architecture(PUBLISHED), SHAPE, layer=3)
