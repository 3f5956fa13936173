"""Graph convolutions against loops over nodes and edges, and against the table."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cambrian.architecture import sample
from cambrian.predictors import kendall
from cambrian.predictors.gcn import GCN, _forward, _stack
from cambrian.predictors.predictor import make_trials
from cambrian.randomness import stream
from cambrian.spaces import SPACES
from cambrian.spaces.knowledge import Graph
from published_tables import needs_tables

LABELS = {"in": 0, "conv": 1, "pool": 2, "out": 3}
SMALL = Graph(("in", "conv", "out"), ((0, 1), (1, 2)))
LARGE = Graph(("in", "conv", "pool", "conv", "out"), ((0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (0, 4)))


def draw_parameters(rng: np.random.Generator, members: int = 2) -> dict[str, torch.Tensor]:
    shapes = GCN(layers=2, width=5, head=3).shapes(len(LABELS))
    return {name: torch.from_numpy(rng.normal(size=(members, *shape))) for name, shape in shapes.items()}


def run(p: dict[str, torch.Tensor], graphs: list[Graph]) -> np.ndarray:
    stacked = [torch.from_numpy(array.astype(float))[None] for array in _stack(graphs, LABELS)]
    return _forward(p, *stacked).numpy()


def compute_plainly(p: dict[str, np.ndarray], graph: Graph) -> float:
    """One member's output, node by node: the mean over a node and those before it, and over a node and those
    after it, each through weights of its own."""
    x = [np.eye(len(LABELS))[LABELS[label]] if label in LABELS else np.zeros(4) for label in graph.labels]
    for n in range(2):
        before = [[i, *(a for a, b in graph.edges if b == i)] for i in range(len(x))]
        after = [[i, *(b for a, b in graph.edges if a == i)] for i in range(len(x))]
        one = [np.maximum(np.mean([x[j] for j in near], 0) @ p[f"along{n}"], 0) for near in before]
        other = [np.maximum(np.mean([x[j] for j in near], 0) @ p[f"against{n}"], 0) for near in after]
        x = [(a + b) / 2 for a, b in zip(one, other)]
    hidden = np.maximum(np.mean(x, 0) @ p["hidden"] + p["b hidden"][0], 0)
    return float(hidden @ p["value"][:, 0])


def test_it_is_the_papers_sum_over_neighbours() -> None:
    """For graphs of unequal sizes in one call, and a label that was not seen."""
    p = draw_parameters(np.random.default_rng(0))
    graphs = [SMALL, LARGE, Graph(("in", "new", "out"), ((0, 1), (1, 2), (0, 2)))]
    outputs = run(p, graphs)
    for member in range(2):
        plain = {name: tensor[member].numpy() for name, tensor in p.items()}
        expected = [compute_plainly(plain, graph) for graph in graphs]
        assert outputs[member] == pytest.approx(expected, rel=1e-6)


def test_the_order_of_nodes_is_nothing_and_the_direction_of_edges_something() -> None:
    p = draw_parameters(np.random.default_rng(1))
    turned = Graph(LARGE.labels, tuple((b, a) for a, b in LARGE.edges))
    swapped = Graph(("in", "pool", "conv", "conv", "out"), LARGE.edges)
    one, other, same = run(p, [LARGE, turned, swapped])[0]
    assert one == pytest.approx(same, rel=1e-6)
    assert one != pytest.approx(other, rel=1e-3)


@needs_tables
def test_cells_of_nas_bench_201_are_ranked() -> None:
    """From 100 test accuracies, 300 unseen cells: Kendall's tau above .5."""
    from cambrian.benchmarks import benchmark

    space, table = SPACES.make("nasbench201"), benchmark("nb201-cifar10")
    cells = list(dict.fromkeys(sample(space, stream(0, "gcn", n)) for n in range(420)))[:400]
    truth = [table.test(cell) for cell in cells]
    fitted = GCN(members=3, width=32, head=32).start(space, 0).fit(make_trials(cells[:100], truth[:100]))
    assert kendall(fitted.predict(cells[100:]).mean, np.array(truth[100:])) > 0.5
