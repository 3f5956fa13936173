"""A chain of one to D layers: the smallest space with a complexity order, and an example of one.

Growth and tokens come from its `pick.depth` (`DepthGrowth`); which chains are one function and what
they look like as graphs it says itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cambrian.architecture import Architecture, replay
from cambrian.choices import Scalar, read_whole
from cambrian.paths import at
from cambrian.spaces.bounds import FILTERS, check_bounds
from cambrian.spaces.graphs.sized import sized_graph
from cambrian.spaces.growth.depth_growth import DepthGrowth
from cambrian.spaces.space import Graph, Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn

MOST = 50  # layers
KERNELS = {"conv3x3": 3, "conv5x5": 5}


@dataclass(frozen=True)
class TinyChain(Space):
    """Each of up to `layers` layers is a convolution of one or two times `filters` channels, a max
    pooling that halves the image, or nothing at all ("skip")."""

    skeleton = ("filters",)
    layers: int = 3
    filters: int = 8

    def __post_init__(self) -> None:
        check_bounds("tiny-chain", MOST, layers=self.layers)
        check_bounds("tiny-chain", FILTERS, filters=self.filters)

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (DepthGrowth(self),)

    def program(self, pick: Pick) -> None:
        for i in range(1, pick.depth("layers", 1, self.layers) + 1):
            if pick(at("layer", i, "/operation"), (*KERNELS, "max3x3", "skip")) in KERNELS:
                pick(at("layer", i, "/width"), (1, 2))

    def build(self, architecture: Architecture, task: Signature, **skeleton: Scalar) -> nn.Module:
        """The skeleton has one setting, `filters`."""
        from torch import nn

        from cambrian.networks.settings import whole

        filters = self.checked(skeleton).get("filters", self.filters)
        whole(filters=filters)
        channels, layers = task.channels, list[nn.Module]()
        for operation, width in self._layers(replay(self, architecture)):
            if operation in KERNELS:
                out, kernel = width * filters, KERNELS[operation]
                conv = nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False)
                layers += [conv, nn.BatchNorm2d(out), nn.ReLU()]
                channels = out
            elif operation == "max3x3":
                layers.append(nn.MaxPool2d(3, 2, padding=1))
        return nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, task.classes)
        )

    def _layers(self, architecture: Architecture) -> Iterator[tuple[str, int]]:
        """(operation, width) of every layer, the width of what has none being 0."""
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
        return sized_graph(labels, tuple((i, i + 1) for i in range(len(layers) + 1)), groups)
