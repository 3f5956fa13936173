"""The trellis of a convolutional neural fabric: its nodes, and which of them each may read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from cambrian.paths import Path, at

IMAGE = "image"
STEPS = {"finer": 1, "same": 0, "coarser": -1, "within": 1}
"""By the name of an input, by how many scales it is finer than its reader; "within" is of the same layer."""


class Node(NamedTuple):
    """One scale of one layer. Layer 0 holds the image at all scales; scale 0 is the finest."""

    layer: int
    scale: int

    def __str__(self) -> str:
        return f"layer{self.layer}scale{self.scale}"


@dataclass(frozen=True)
class Trellis:
    """`layers` after that of the image, each of so many `scales`."""

    layers: int
    scales: int

    @property
    def last(self) -> Node:
        """The node that is classified: the coarsest of the last layer."""
        return Node(self.layers, self.scales - 1)

    def list_nodes(self) -> Iterator[Node]:
        """Each after its inputs."""
        return (Node(layer, scale) for layer in range(self.layers + 1) for scale in range(self.scales))

    def list_inputs(self, node: Node) -> dict[str, Node | str]:
        """The nodes that a node may read, by the names of its inputs. Within the first layer the image goes
        down to all scales, and within the last one all scales go down to the output (Sec. 3.1)."""
        layer, scale = node
        if layer == 0:
            return {"within": Node(0, scale - 1)} if scale else {"same": IMAGE}
        inputs: dict[str, Node | str] = {"same": Node(layer - 1, scale)}
        if scale:
            inputs["finer"] = Node(layer - 1, scale - 1)
        if scale < self.scales - 1:
            inputs["coarser"] = Node(layer - 1, scale + 1)
        if scale and layer == self.layers:
            inputs["within"] = Node(layer, scale - 1)
        return inputs

    def name_question(self, node: Node) -> Path | str:
        """The path of the question of a node's inputs; empty where it has no choice."""
        choice = node.layer > 0 and len(self.list_inputs(node)) > 1
        return at("layer", node.layer, "/scale", node.scale, "/inputs") if choice else ""

    def find_live(self, chosen: Mapping[Node, tuple[str, ...]]) -> dict[Node, tuple[str, ...]]:
        """The nodes that the output depends on, with their inputs; those that are not `chosen` read all."""
        live: dict[Node, tuple[str, ...]] = {}
        todo = [self.last]
        while todo:
            node = todo.pop()
            if node in live:
                continue
            inputs = self.list_inputs(node)
            live[node] = chosen.get(node, tuple(inputs))
            todo += [n for n in map(inputs.__getitem__, live[node]) if isinstance(n, Node)]
        return live
