"""Convolutional neural fabrics (Saxena & Verbeek, "Convolutional Neural Fabrics", NIPS 2016, arXiv
1606.02492): a trellis of layers, scales and channels in which every chain of convolutions and poolings, every
U-net and every network of several resolutions of at most so many layers is a sub-network. Here an
architecture is such a sub-network: each node reads some of its inputs. The fabric itself, in which all of
them read all, is one more architecture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture, replay
from cambrian.errors import UsageError
from cambrian.spaces.bounds import check_bounds
from cambrian.spaces.branches.fabric.trellis import IMAGE, Node, Trellis
from cambrian.spaces.budgets import list_sizes
from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.small_images import small
from cambrian.spaces.space import Graph, Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.sharing.reading import Reading

LAYERS, SCALES = 32, 12
LABELS = {"finer": "down", "same": "conv", "coarser": "up", "within": "down"}

Wiring = dict[Node, tuple[str, ...]]


@dataclass(frozen=True)
class Fabric(Space):
    """`layers` layers after that of the image, each of `scales` scales, of which the first has the image's
    resolution. Channels read those of all numbers (`dense`), or the same and the two next to it.

    Only nodes on which the output depends ask for their inputs, so that no two architectures are the same
    network. All questions are shared."""

    skeleton = ("filters",)
    sizes = list_sizes(filters=(4, 8, 16, 32, 64))
    shared = ("layer#/scale#/inputs",)

    layers: int = 4
    scales: int = 3
    dense: bool = True

    measure = "uniform over the inputs of each node, from the output on"

    def __post_init__(self) -> None:
        check_bounds("fabric", LAYERS, layers=self.layers)
        check_bounds("fabric", SCALES, scales=self.scales)
        if not isinstance(self.dense, bool):
            raise UsageError(f"space 'fabric': dense is true or false, got {self.dense!r}")

    @staticmethod
    def paper() -> Fabric:
        """The sparse fabric of CIFAR-10, of 16 layers and six scales, from 32 pixels to 1 (Sec. 4.1)."""
        return Fabric(layers=16, scales=6, dense=False)

    @property
    def trellis(self) -> Trellis:
        return Trellis(self.layers, self.scales)

    def program(self, pick: Pick) -> None:
        trellis, asked = self.trellis, set[Node]()
        todo = [trellis.last]
        # From the output on: what nobody reads is not asked for.
        while todo:
            node = todo.pop(0)
            if node in asked:
                continue
            asked.add(node)
            inputs = trellis.list_inputs(node)
            path = trellis.name_question(node)
            chosen = pick.some(path, tuple(inputs), 1, len(inputs)) if path else tuple(inputs)
            todo += [n for n in map(inputs.__getitem__, chosen) if isinstance(n, Node)]

    def plan(self, architecture: Architecture) -> Wiring:
        """The inputs of every node that the output depends on."""
        return self.trellis.find_live(self._read(architecture))

    def make(self, read: Reading[Wiring], task: Signature, **skeleton: Any) -> nn.Module:
        """The skeleton has one setting, `filters` of each node (64; 16 for small images)."""
        from cambrian.spaces.branches.fabric.network import network

        settings = small(task, skeleton, filters=16)
        return network(read, self.trellis, self.dense, task.channels, task.classes, **settings)

    def find_all(self) -> Architecture:
        """The fabric itself."""
        return self.cut({})

    def cut(self, inputs: Mapping[str, tuple[str, ...]]) -> Architecture:
        """The sub-network with these inputs, by question; nodes whose question is not named read all."""
        return replay(self, inputs, lambda choice: tuple(choice.options))  # type: ignore[union-attr]

    def graph(self, architecture: Architecture) -> Graph:
        """A node for each convolution, and one for each sum of several of them."""
        wiring, places = self.plan(architecture), dict[Node | str, int]({IMAGE: 0})
        labels, groups, edges = ["input"], ["input"], list[tuple[int, int]]()
        for node in (n for n in self.trellis.list_nodes() if n in wiring):
            inputs, group = self.trellis.list_inputs(node), f"layer {node.layer}"
            ends = []
            for name in (n for n in inputs if n in wiring[node]):
                edges.append((places[inputs[name]], len(labels)))
                ends.append(len(labels))
                labels.append(LABELS[name])
                groups.append(group)
            if len(ends) > 1:
                edges += [(end, len(labels)) for end in ends]
                labels.append("add")
                groups.append(group)
            places[node] = len(labels) - 1
        edges.append((places[self.trellis.last], len(labels)))
        return build_graph((*labels, "output"), edges, (*groups, "output"))

    def _read(self, architecture: Architecture) -> Wiring:
        """The answers by node."""
        questions = {self.trellis.name_question(node): node for node in self.trellis.list_nodes()}
        return {questions[path]: tuple(map(str, answer)) for path, answer in architecture.items()}  # type: ignore[arg-type]
