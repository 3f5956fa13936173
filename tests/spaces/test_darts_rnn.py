"""DARTS's recurrent cells."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
import torch

from cambrian.architecture import completions, replay, sample
from cambrian.errors import SpaceError, UnknownName, UsageError
from cambrian.networks.sharing.reading import Own
from cambrian.randomness import stream
from cambrian.spaces.knowledge import Grows
from cambrian.spaces.program.function_space import Shape
from cambrian.spaces.sequences.recurrent.darts_rnn import DARTS_V1, DARTS_V2, DARTSRNN, ENAS
from cambrian.spaces.sequences.recurrent.network import Highway, HighwayCell

ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "identity": lambda x: x,
}
SHAPE = Shape(2, 5, 6, 3)


def test_spaces_have_the_papers_size():
    """N! orders of predecessors times 4^N activations (Pham et al. 2018, Sec. 2.1: about 10^15 for ENAS's
    twelve nodes, the first of which has no choice here but tanh); a small one by walking it."""
    assert DARTSRNN().size(8) == math.factorial(8) * 4**8
    assert 1e14 < DARTSRNN.enas().size(11) < math.factorial(12) * 4**12
    few = DARTSRNN(nodes=3)
    assert len(set(completions(few, {}))) == sum(few.size(n) for n in (1, 2, 3)) == 4 + 32 + 384


def test_the_published_language_model_has_23_million_parameters():
    """Liu et al. 2019, Table 3: 850 units, tied embeddings of the 10,000 words of Penn Treebank. That is
    the words and a bias each, one matrix of the input and the last output together, one per node."""
    space = DARTSRNN()
    network = space.language_model(space.architecture(DARTS_V2), 10_000, hidden=850)
    counted = sum(p.numel() for p in network.parameters())
    assert counted == 10_000 * 850 + 10_000 + (850 + 850) * 1700 + 8 * 850 * 1700 == 22_960_000
    for cell in (DARTS_V1, DARTS_V2):
        assert space.cell(replay(space, space.architecture(cell))) == cell


def by_hand(cell, outputs, weights, rows):
    """The equations of the paper in numpy, for one image's rows: the last output."""
    hidden = weights["recurrent.weight"].shape[1]
    last = np.zeros(hidden)

    def towards(state, computed, activation):
        gate, new = ACTIVATIONS["sigmoid"](computed[:hidden]), ACTIVATIONS[activation](computed[hidden:])
        return gate * new + (1 - gate) * state

    for row in rows:
        first = weights["input.weight"] @ row + weights["recurrent.weight"] @ last
        states = [towards(last, first, "tanh")]
        for n, (activation, source) in enumerate(cell):
            states.append(
                towards(states[source], weights[f"weights.{n}.weight"] @ states[source], activation)
            )
        last = sum(states[n] for n in outputs) / len(outputs)
    return last


@pytest.mark.parametrize(
    ("space", "cell"), [(DARTSRNN(), DARTS_V1), (DARTSRNN(), DARTS_V2), (DARTSRNN.enas(), ENAS)]
)
def test_published_cells_follow_the_equations(space, cell):
    """An image is read row by row as the equations say; ENAS's output are its published loose ends."""
    torch.manual_seed(0)
    outputs = {DARTS_V1: range(1, 9), DARTS_V2: range(1, 9), ENAS: (2, 5, 6, 9, 10, 11)}[cell]
    network = space.build(space.architecture(cell), SHAPE, hidden=7)
    images = torch.randn(3, 2, 5, 6)
    weights = {k: v.numpy() for k, v in network.layers.cells[0].state_dict().items()}
    read = [by_hand(cell, outputs, weights, np.moveaxis(i, 1, 0).reshape(5, 12)) for i in images.numpy()]
    logits = network.head(torch.tensor(np.array(read), dtype=torch.float32))
    torch.testing.assert_close(network(images), logits, rtol=1e-5, atol=1e-6)


def test_a_gated_recurrent_unit_is_a_cell():
    """torch.nn.GRUCell whose reset gate is open: DARTS's first node, and one more that changes nothing."""
    torch.manual_seed(0)
    gru = torch.nn.GRUCell(3, 4)
    cell = HighwayCell(Own(Highway([("identity", 0)], [1])), 1, 3, 4)
    with torch.no_grad():
        gru.bias_ih.zero_()
        gru.bias_hh.zero_()
        gru.bias_ih[:4] = 100.0  # reset: sigmoid(100) is 1
        for ours, theirs in ((cell.input, gru.weight_ih), (cell.recurrent, gru.weight_hh)):
            ours.weight.copy_(torch.cat([-theirs[4:8], theirs[8:]]))  # its update gate keeps, ours moves
        cell.weights[0].weight[4:] = torch.eye(4)
    x, state = torch.randn(2, 3), torch.randn(2, 4)
    torch.testing.assert_close(cell(cell.input(x), state[None])[0], gru(x, state))


def forests(nodes):
    """How many ways there are to hang `nodes` nodes of four colours below a root (Euler transform)."""
    trees, counts = [0], [1]
    for n in range(1, nodes + 1):
        trees.append(4 * counts[n - 1])
        weights = [sum(d * trees[d] for d in range(1, k + 1) if k % d == 0) for k in range(n + 1)]
        counts.append(sum(weights[k] * counts[n - k] for k in range(1, n + 1)) // n)
    return counts


def test_cells_are_the_same_as_trees_are():
    """Canonical texts of all cells of up to four nodes are as many as rooted trees of labelled nodes, and
    growing from all cells of one size gives each of the next once."""
    assert forests(2)[2] == 16 + 10  # a chain, or two nodes in either order
    parents = []
    for level, expected in zip((1, 2, 3, 4), forests(4)[1:], strict=True):
        space = DARTSRNN(nodes=4)
        every = {space.canonical(a) for a in completions(space, {"nodes": level})}
        pool = space.know(Grows).grow(parents, stream(0))
        parents = [pool.architecture(i) for i in range(len(pool))]
        assert len(every) == len(parents) == expected
        assert {space.canonical(a) for a in parents} == every


def test_the_order_of_nodes_is_no_matter():
    """Every order of a cell's nodes in which each follows what it reads has its text and, with the weights
    in that order, its outputs."""
    space = DARTSRNN(nodes=4)
    cell = (("tanh", 0), ("relu", 1), ("relu", 0), ("sigmoid", 1))
    torch.manual_seed(0)
    network = space.build(space.architecture(cell), SHAPE, hidden=5)
    images, orders = torch.randn(2, 2, 5, 6), 0
    for order in permutations(range(1, 5)):
        place = {0: 0} | {old: new for new, old in enumerate(order, 1)}
        if any(place[cell[old - 1][1]] >= place[old] for old in order):
            continue
        turned = space.architecture([(cell[old - 1][0], place[cell[old - 1][1]]) for old in order])
        other = space.build(turned, SHAPE, hidden=5)
        other.load_state_dict(network.state_dict())
        for new, old in enumerate(order):
            other.layers.cells[0].weights[new] = network.layers.cells[0].weights[old - 1]
        torch.testing.assert_close(other(images), network(images))
        assert space.canonical(turned) == space.canonical(space.architecture(cell))
        orders += 1
    assert orders == 8


def test_layers_and_state():
    """Two layers, read in two parts: the state carries over."""
    space = DARTSRNN()
    torch.manual_seed(0)
    network = space.language_model(sample(space, stream(0)), 11, hidden=6, layers=2, tied=False)
    text = torch.randint(11, (3, 8))
    logits, end = network(text)
    first, state = network(text[:, :5])
    second, same = network(text[:, 5:], state)
    assert logits.shape == (3, 8, 11)
    assert end.shape == (2, 1, 3, 6)
    torch.testing.assert_close(torch.cat([first, second], 1), logits)
    torch.testing.assert_close(same, end)


def test_the_graph_is_the_papers_picture():
    """Of ENAS's cell: two inputs, a node each, and the mean of what nobody reads."""
    space = DARTSRNN.enas()
    graph = space.graph(space.architecture(ENAS))
    assert graph.labels[:4] == ("input", "last output", "tanh", "tanh")
    assert graph.labels[-1] == "mean"
    assert [a - 2 for a, b in graph.edges if b == 14] == [2, 5, 6, 9, 10, 11]
    assert [(a - 2, b - 2) for a, b in graph.edges if 2 <= a < b < 14] == [
        (source, n) for n, (_, source) in enumerate(ENAS, 1)
    ]


def test_mistakes_are_named():
    """Settings of the space, of the skeleton and of the language model."""
    with pytest.raises(SpaceError, match="nodes is 1 to 30, got 0"):
        DARTSRNN(nodes=0)
    with pytest.raises(UnknownName, match="did you mean 'unused'"):
        DARTSRNN(output="unusd")
    space = DARTSRNN()
    architecture = space.architecture(DARTS_V1)
    with pytest.raises(UnknownName, match="did you mean 'hidden'"):
        space.build(architecture, SHAPE, hiden=3)
    with pytest.raises(UsageError, match="hidden is at least 1, got 0"):
        space.build(architecture, SHAPE, hidden=0)
    with pytest.raises(UsageError, match="vocabulary is at least 1, got 0"):
        space.language_model(architecture, 0)
