"""ENAS's macro space (Pham et al., ICML 2018, arXiv 1802.03268, Sec. 2.3): whole networks of layers, each
one of six operations on the layer before it, and skip connections from any earlier ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture, replay
from cambrian.paths import at
from cambrian.spaces.bounds import check_bounds
from cambrian.spaces.branches.backbone import backbone_graph
from cambrian.spaces.branches.layer_moves import LayerMoves
from cambrian.spaces.branches.layered import MOST, numbers, split
from cambrian.spaces.budgets import list_sizes
from cambrian.spaces.growth.depth_growth import DepthGrowth
from cambrian.spaces.small_images import small
from cambrian.spaces.space import Graph, Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.sharing.reading import Reading
    from cambrian.spaces.branches.enas_macro.network import Rows

OPERATIONS = ("conv3x3", "sep3x3", "conv5x5", "sep5x5", "avg3x3", "max3x3")
SETTINGS = ("filters",)


@dataclass(frozen=True)
class ENASMacro(Space):
    """Networks of `least` to `layers` layers; the paper's have 12. After each third of `layers` the image
    is halved. Output 0 is the stem's.

    All questions are shared, as in the paper: an operation has weights for every layer, a projection for
    every output that it may read."""

    skeleton = SETTINGS
    sizes = list_sizes(filters=(12, 24, 36))
    shared = ("layers", "layer#/operation", "layer#/skips")

    layers: int = 6
    least: int = 1

    measure = "uniform over the number of layers, then over answers"

    def __post_init__(self) -> None:
        check_bounds("enas-macro", MOST, layers=self.layers)
        check_bounds("enas-macro", self.layers, least=self.least)

    @staticmethod
    def paper() -> ENASMacro:
        """12 layers, always: 1.6e29 networks."""
        return ENASMacro(layers=12, least=12)

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (LayerMoves(self, self.readable, "skips", chained=True), DepthGrowth(self))

    def readable(self, layer: int) -> range:
        """The outputs that the layer, counted from 1, may choose to read; 0 is the stem's."""
        return range(layer - 1)

    def program(self, pick: Pick) -> None:
        for n in range(1, pick.depth("layers", self.least, self.layers) + 1):
            pick(at("layer", n, "/operation"), OPERATIONS)
            # The first layer reads the stem: there is nothing to skip to.
            if n > 1:
                pick.some(at("layer", n, "/skips"), self.readable(n), 0, n - 1)

    def plan(self, architecture: Architecture) -> Rows:
        """(operation, skips) of every layer."""
        return tuple((operation, tuple(skips)) for operation, skips in self.rows(architecture))

    def make(self, read: Reading[Rows], task: Signature, **skeleton: Any) -> nn.Module:
        """The skeleton has one setting, `filters` of the stem (36; 12 for small images)."""
        from cambrian.spaces.branches.enas_macro.network import network

        # Thirds of the most layers: a shorter network halves at the same places, so that it can grow.
        halves = (self.layers // 3, 2 * (self.layers // 3))
        image = (task.channels, task.height, task.width)
        settings = small(task, skeleton, filters=12)
        return network(read, self.layers, halves, image, task.classes, **settings)

    def rows(self, architecture: Architecture) -> list[tuple[str, list[int]]]:
        """(operation, skips) of every layer."""
        return [(str(layer["operation"]), numbers(layer, "skips")) for layer in split(architecture)]

    def architecture(self, rows: Sequence[tuple[str, Sequence[int]]]) -> Architecture:
        """The inverse of `rows`."""
        skips = {f"layer{n}/skips": tuple(s) for n, (_, s) in enumerate(rows, 1) if n > 1}
        operations = {f"layer{n}/operation": operation for n, (operation, _) in enumerate(rows, 1)}
        return replay(self, {"layers": len(rows), **operations, **skips})

    def canonical(self, architecture: Architecture) -> str:
        """Every network is a function of its own: each layer reads the one before, so none can change its
        place."""
        return " ".join(f"{op}+{','.join(map(str, skips))}" for op, skips in self.rows(architecture))

    def graph(self, architecture: Architecture) -> Graph:
        """A layer with skips is two nodes: its operation, and the concatenation after it."""
        rows = self.rows(architecture)
        labels, skips = [operation for operation, _ in rows], [skips for _, skips in rows]
        return backbone_graph(labels, ["concat"] * len(rows), skips, after=True)
