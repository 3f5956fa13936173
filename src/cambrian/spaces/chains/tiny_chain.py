"""A chain of one to D layers: the smallest space with a complexity order, and an example of one.

Growth and tokens come from its `pick.depth` (`DepthGrowth`); its canonical form
and its graphs are its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture
from cambrian.choices import read_whole
from cambrian.paths import at
from cambrian.spaces.bounds import FILTERS, check_bounds
from cambrian.spaces.budgets import list_sizes
from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.growth.answer_morphs import AnswerMorphs
from cambrian.spaces.growth.depth_growth import DepthGrowth
from cambrian.spaces.space import Graph, Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.sharing.reading import Reading

MOST = 50  # layers
CONVOLUTIONS = ("conv3x3", "conv5x5")

MORPHS = {"layers": "deepen", "layer#/width": "widen", "layer#/operation": "kernel"}


@dataclass(frozen=True)
class TinyChain(Space):
    """Each of up to `layers` layers is a convolution of one or two times `filters` channels, a max
    pooling that halves the image, or nothing at all ("skip").

    All questions are shared: a narrow convolution has the first filters of a wide one, as does the one after
    it, and the classifier."""

    skeleton = ("filters",)
    sizes = list_sizes(filters=(8, 16, 32))
    shared = ("layers", "layer#/operation", "layer#/width")
    layers: int = 3
    filters: int = 8

    def __post_init__(self) -> None:
        check_bounds("tiny-chain", MOST, layers=self.layers)
        check_bounds("tiny-chain", FILTERS, filters=self.filters)

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (DepthGrowth(self), AnswerMorphs(self, MORPHS))

    def program(self, pick: Pick) -> None:
        for i in range(1, pick.depth("layers", 1, self.layers) + 1):
            if pick(at("layer", i, "/operation"), (*CONVOLUTIONS, "max3x3", "skip")) in CONVOLUTIONS:
                pick(at("layer", i, "/width"), (1, 2))

    def plan(self, architecture: Architecture) -> list[tuple[str, int]]:
        """(operation, width) of every layer, the width of one that has none being 0; layers that there are
        not are "skip"."""
        layers = list(self._layers(architecture))
        return layers + [("skip", 0)] * (self.layers - len(layers))

    def make(self, read: Reading[Any], task: Signature, **skeleton: Any) -> nn.Module:
        """The skeleton has one setting, `filters`."""
        from cambrian.spaces.chains.tiny_network import network

        filters = skeleton.get("filters", self.filters)
        return network(read, self.layers, task.channels, task.classes, filters)

    def _layers(self, architecture: Architecture) -> Iterator[tuple[str, int]]:
        """(operation, width) of every layer, the width of one that has none being 0."""
        for i in range(1, read_whole(architecture["layers"]) + 1):
            operation = str(architecture[f"layer{i}/operation"])
            yield operation, int(architecture.get(f"layer{i}/width", 0))  # type: ignore[arg-type]

    def canonical(self, architecture: Architecture) -> str:
        """Layers that do nothing do not tell chains apart."""
        return " ".join(f"{op}*{width}" for op, width in self._layers(architecture) if op != "skip")

    def graph(self, architecture: Architecture) -> Graph:
        layers = [f"{op} x{width}" if width else op for op, width in self._layers(architecture)]
        labels = ("input", *layers, "output")
        groups = ("input", *(f"layer {i + 1}" for i in range(len(layers))), "output")
        return build_graph(labels, tuple((i, i + 1) for i in range(len(layers) + 1)), groups)
