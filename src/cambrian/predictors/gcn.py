"""Graph convolutions over the architecture's graph: Wen, Liu, Chen, Li, Bender & Kindermans, "Neural
Predictor for Neural Architecture Search" (ECCV 2020, Sec. 3.2).

A node's features pass along the edges and against them, each way by weights of its own; the mean of the nodes
is read by a layer. An ensemble, whose members see bootstraps of the trials, has deviations.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cambrian.architecture import Architecture
from cambrian.one_thread import one_thread
from cambrian.outcome import Trial
from cambrian.outliers import lift_outliers
from cambrian.predictors.features import graph_of
from cambrian.predictors.neural import batches
from cambrian.predictors.predictor import Prediction, Values, chunks, read_lessons
from cambrian.randomness import stream
from cambrian.settings import COUNT, POSITIVE, Span, check_settings

if TYPE_CHECKING:
    from cambrian.spaces.knowledge import Graph
    from cambrian.spaces.space import Space

Array = NDArray[np.float32]
LEAST = 1e-6
"""The least deviation, where the members agree."""
AT_ONCE = 1024
"""Graphs that are predicted together."""


@dataclass(frozen=True)
class GCN:
    """`members` networks of `layers` graph convolutions of `width` units and a layer of `head`, trained for
    `epochs` epochs by Adam, whose `rate` falls along a cosine; the mean is theirs, the deviation how far they
    disagree."""

    members: Annotated[int, Span(2, 100)] = 5
    layers: Annotated[int, Span(1, 20)] = 3
    width: Annotated[int, COUNT] = 64
    head: Annotated[int, COUNT] = 64
    epochs: Annotated[int, COUNT] = 150
    batch: Annotated[int, COUNT] = 16
    rate: Annotated[float, POSITIVE] = 0.003
    decay: Annotated[float, Span(0)] = 1e-3
    needs: ClassVar[tuple[type, ...]] = ()
    deviates: ClassVar[bool] = True

    @staticmethod
    def paper() -> GCN:
        """The paper's sizes, rate, batches and epochs (Sec. 3.2 and App. A); it trains one network."""
        return GCN(width=144, head=128, epochs=300, batch=10, rate=1e-4)

    def __post_init__(self) -> None:
        check_settings(self, "predictor 'gcn'")

    def start(self, space: Space, seed: int, *purpose: int | str) -> Learner:
        return Learner(self, space, seed, purpose)

    def shapes(self, features: int) -> dict[str, tuple[int, ...]]:
        """The shapes of one member's parameters; "b*" are biases."""
        sizes = [features, *[self.width] * self.layers]
        ways = {
            f"{way}{n}": pair
            for n, pair in enumerate(itertools.pairwise(sizes))
            for way in ("along", "against")
        }
        return {
            **ways,
            "hidden": (self.width, self.head),
            "b hidden": (1, self.head),
            "value": (self.head, 1),
        }


@dataclass(frozen=True)
class Learner:
    """The predictor on a space."""

    settings: GCN
    space: Any
    seed: int
    purpose: tuple[int | str, ...]

    def fit(self, trials: Sequence[Trial], former: Any = None) -> Fitted:
        """New networks, independent of the former ones."""
        architectures, values = read_lessons(trials)
        values = lift_outliers(values)
        graphs = [graph_of(self.space, a) for a in architectures]
        labels = {label: n for n, label in enumerate(sorted({x for g in graphs for x in g.labels}))}
        # Equal values have no spread to scale by, and any scale will do.
        center, spread = float(values.mean()), float(values.std()) or 1.0
        rng = stream(self.seed, *self.purpose, "gcn")
        parameters = {
            name: _draw(name, (self.settings.members, *shape), rng)
            for name, shape in self.settings.shapes(len(labels)).items()
        }
        with one_thread():
            trained = _train(
                self.settings, parameters, _stack(graphs, labels), (values - center) / spread, rng
            )
        return Fitted(self.settings, self.space, labels, trained, center, spread)


@dataclass(frozen=True, eq=False)
class Fitted:
    """`labels` number the labels of nodes; values are `center` plus `spread` times the networks' outputs."""

    settings: GCN
    space: Any
    labels: dict[str, int]
    parameters: dict[str, Array]
    center: float
    spread: float

    def predict(self, architectures: Sequence[Architecture]) -> Prediction:
        each = np.zeros((self.settings.members, len(architectures)))
        with one_thread():
            for part in chunks(len(architectures), AT_ONCE):
                graphs = [graph_of(self.space, a) for a in architectures[part]]
                each[:, part] = self._run(_stack(graphs, self.labels))
        values = self.center + self.spread * each
        mean: Values = values.mean(axis=0)
        return Prediction(mean, np.maximum(values.std(axis=0), LEAST))

    def _run(self, stacked: Stacked) -> Values:
        tensors = {name: torch.from_numpy(array) for name, array in self.parameters.items()}
        nodes, edges, present = (torch.from_numpy(array)[None] for array in stacked)
        with torch.no_grad():
            outputs: Values = _forward(tensors, nodes, edges, present).double().numpy()
        return outputs


Stacked = tuple[Array, Array, Array]
"""Nodes float[n, v, labels], 1 for the node's label; edges float[n, v, v], from row to column; present
float[n, v], 1 for nodes and 0 for the rest of the width."""


def _stack(graphs: Sequence[Graph], labels: dict[str, int]) -> Stacked:
    """Graphs of any sizes, filled up to the largest. A label that is unknown has no feature."""
    most = max(len(g.labels) for g in graphs)
    nodes = np.zeros((len(graphs), most, len(labels)), np.float32)
    edges = np.zeros((len(graphs), most, most), np.float32)
    present = np.zeros((len(graphs), most), np.float32)
    for n, graph in enumerate(graphs):
        present[n, : len(graph.labels)] = 1
        for node, label in enumerate(graph.labels):
            if label in labels:
                nodes[n, node, labels[label]] = 1
        for start, end in graph.edges:
            edges[n, start, end] = 1
    return nodes, edges, present


def _forward(p: dict[str, Tensor], nodes: Tensor, edges: Tensor, present: Tensor) -> Tensor:
    """float[members, n] from graphs of each member, [members or 1, n, ...]."""
    # With a loop at each node, the rows averaged: a node keeps what it knows (the paper's Equation 1).
    loops = edges + torch.diag_embed(present)
    against = loops / loops.sum(-1, keepdim=True).clamp(min=1)
    along = loops.mT / loops.mT.sum(-1, keepdim=True).clamp(min=1)
    x = nodes
    for n in itertools.count():
        if f"along{n}" not in p:
            break
        one = torch.relu(along @ (x @ p[f"along{n}"][:, None]))
        other = torch.relu(against @ (x @ p[f"against{n}"][:, None]))
        x = (one + other) / 2
    pooled = (x * present[..., None]).sum(-2) / present.sum(-1, keepdim=True)
    return (torch.relu(pooled @ p["hidden"] + p["b hidden"]) @ p["value"])[..., 0]


def _train(
    settings: GCN, parameters: dict[str, Array], stacked: Stacked, values: Values, rng: np.random.Generator
) -> dict[str, Array]:
    p = {name: torch.from_numpy(array).requires_grad_() for name, array in parameters.items()}
    nodes, edges, present = map(torch.from_numpy, stacked)
    targets = torch.from_numpy(values.astype(np.float32))
    # A bootstrap for each member, so that they disagree where there are few trials.
    seen = rng.integers(len(values), size=(settings.members, len(values)))
    steps = settings.epochs * -(-len(values) // settings.batch)
    adam = torch.optim.AdamW(p.values(), lr=settings.rate, weight_decay=settings.decay)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for rows in batches(seen, settings.batch, settings.epochs, rng):
        error = (_forward(p, nodes[rows], edges[rows], present[rows]) - targets[rows]) ** 2
        adam.zero_grad()
        error.mean(dim=1).sum().backward()  # type: ignore[no-untyped-call]  # members do not mix
        adam.step()
        falling.step()
    return {name: tensor.detach().numpy() for name, tensor in p.items()}


def _draw(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Glorot & Bengio's (2010) uniform weights, and biases of 0."""
    if name.startswith("b "):
        return np.zeros(shape, np.float32)
    bound = (6.0 / (shape[-2] + shape[-1])) ** 0.5
    return rng.uniform(-bound, bound, shape).astype(np.float32)
