"""Layers with skip connections through anchor points (Zoph & Le, ICLR 2017, arXiv 1611.01578, Sec. 3.3).

Each layer is a convolution and decides for every earlier layer whether to read it; one that reads none
reads the image, and outputs that nobody reads go to the classifier. The paper concatenates the inputs. So
`combine="concat"` holds DenseNet as one architecture, and `combine="sum"` ResNet (survey, Sec. 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture, replay
from cambrian.errors import SpaceError, UnknownName
from cambrian.spaces.bounds import FILTERS, check_bounds
from cambrian.spaces.branches.layer_moves import LayerMoves
from cambrian.spaces.branches.layered import MOST, Layer, number, numbers, split, together
from cambrian.spaces.budgets import list_sizes
from cambrian.spaces.graphs.canonical import canonical_graph
from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.growth.depth_growth import DepthGrowth
from cambrian.spaces.space import Graph, Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.sharing.reading import Reading
    from cambrian.spaces.branches.anchor_points.network import Rows

COMBINE = ("concat", "sum", "either")
PIXELS = 99  # of a kernel's side, or a stride
SETTINGS = ("width",)


@dataclass(frozen=True)
class AnchorPoints(Space):
    """`layers` at most and `least` at least. `combine` is one function for all layers, or "either": then
    each layer chooses its own. The paper grows its networks from 6 layers by 2 at a time to 15.

    All questions are shared: a layer has weights for every output that it may read, of which a narrow one is
    read as the first channels; a small kernel is the middle of a large one."""

    skeleton = SETTINGS
    sizes = list_sizes(width=(0.25, 0.5, 1.0))
    shared = (
        "layers",
        *(f"layer#/{q}" for q in ("height", "width", "filters", "stride", "reads", "combine")),
    )

    layers: int = 6
    least: int = 1
    combine: str = "concat"
    heights: tuple[int, ...] = (1, 3, 5, 7)
    widths: tuple[int, ...] = (1, 3, 5, 7)
    filters: tuple[int, ...] = (24, 36, 48, 64)
    strides: tuple[int, ...] = (1,)

    measure = "uniform over the number of layers, then over answers"

    def __post_init__(self) -> None:
        check_bounds("anchor-points", MOST, layers=self.layers)
        check_bounds("anchor-points", self.layers, least=self.least)
        if self.combine not in COMBINE:
            raise UnknownName("way to combine", self.combine, COMBINE)
        for name in ("heights", "widths", "filters", "strides"):
            _check(name, getattr(self, name), odd=name in ("heights", "widths"))

    @staticmethod
    def paper(strides: bool = False) -> AnchorPoints:
        """15 layers (Sec. 4.1), with strides predicted too where asked for."""
        return AnchorPoints(layers=15, least=15, strides=(1, 2, 3) if strides else (1,))

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (LayerMoves(self, self.readable), DepthGrowth(self))

    def readable(self, layer: int) -> range:
        """The outputs that the layer, counted from 1, may choose to read."""
        return range(1, layer)

    def program(self, pick: Pick) -> None:
        for n in range(1, pick.depth("layers", self.least, self.layers) + 1):
            inside = pick.inside("layer", n)
            inside("height", self.heights)
            inside("width", self.widths)
            inside("filters", self.filters)
            # The paper searches with and without strides (Sec. 4.1).
            if len(self.strides) > 1:
                inside("stride", self.strides)
            # How to combine is asked only where there is something to combine.
            several = n > 1 and len(inside.some("reads", self.readable(n), 0, n - 1)) > 1
            if several and self.combine == "either":
                inside("combine", ("concat", "sum"))

    def plan(self, architecture: Architecture) -> Rows:
        """The layers, and the inputs of the classifier."""
        from cambrian.spaces.branches.anchor_points.network import Row, Rows

        layers = split(architecture)
        *sources, last = map(tuple, self.sources(layers))
        default = "sum" if self.combine == "sum" else "concat"
        rows = [
            Row(
                number(layer, "height"),
                number(layer, "width"),
                number(layer, "filters"),
                number(layer, "stride", 1),
                reads,
                str(layer.get("combine", default)),
            )
            for layer, reads in zip(layers, sources, strict=True)
        ]
        return Rows(tuple(rows), last, default)

    def make(self, read: Reading[Rows], task: Signature, **skeleton: Any) -> nn.Module:
        """The skeleton has one setting, `width`, which multiplies all filters (1.0)."""
        from cambrian.spaces.branches.anchor_points.network import Most, network

        most = Most(self.layers, max(self.heights), max(self.widths), max(self.filters))
        return network(read, most, (task.channels, task.height, task.width), task.classes, **skeleton)

    def sources(self, layers: Sequence[Layer]) -> list[list[int]]:
        """The inputs of each layer, 0 being the image, and last those of the classifier."""
        inputs = [sorted(numbers(layer, "reads")) or [0] for layer in layers]
        read = {source for sources in inputs for source in sources}
        return [*inputs, [n for n in range(1, len(layers) + 1) if n not in read]]

    def canonical(self, architecture: Architecture) -> str:
        """The order of layers that do not read each other makes no difference."""
        layers = split(architecture)
        sources = self.sources(layers)
        return canonical_graph(self._labels(layers), [[], *sources])

    def graph(self, architecture: Architecture) -> Graph:
        layers = split(architecture)
        sources = self.sources(layers)
        edges = tuple((s, n) for n, read in enumerate(sources, 1) for s in read)
        groups = ("input", *(f"layer {n}" for n in range(1, len(layers) + 1)), "output")
        return build_graph(self._labels(layers), edges, groups)

    def _labels(self, layers: Sequence[Layer]) -> tuple[str, ...]:
        joins = [f" {layer['combine']}" if "combine" in layer else "" for layer in layers]
        return ("input", *(_name(layer) + join for layer, join in zip(layers, joins, strict=True)), "output")

    # The special cases

    def densenet(self, layers: int, filters: int = 24) -> Architecture:
        """A dense block (Huang et al., CVPR 2017): every layer, the last one too, reads all earlier ones.
        `filters` of each is the growth rate."""
        return self._chain_of("concat", filters, [tuple(range(1, n)) for n in range(1, layers + 1)])

    def resnet(self, blocks: int, filters: int = 24) -> Architecture:
        """Residual blocks x + b(a(x)) of two layers after a first one (He et al., CVPR 2016), and a last
        layer: x is the sum of the first layer and all b so far."""
        stream = [tuple(range(1, 2 * k + 2, 2)) for k in range(blocks + 1)]  # (1,), (1, 3), (1, 3, 5) ...
        reads: list[tuple[int, ...]] = [()]
        for k in range(blocks):
            reads += [stream[k], (2 * k + 2,)]
        return self._chain_of("sum", filters, [*reads, stream[blocks]])

    def _chain_of(self, combine: str, filters: int, reads: Sequence[tuple[int, ...]]) -> Architecture:
        if self.combine not in (combine, "either"):
            raise SpaceError(f"space 'anchor-points': that needs combine={combine!r}, got {self.combine!r}")
        layers: list[Layer] = []
        for sources in reads:
            layer: Layer = {"height": 3, "width": 3, "filters": filters}
            layer |= {"stride": 1} if len(self.strides) > 1 else {}
            # The first layer is not asked which layers it reads: there is none before it.
            layer |= {"reads": sources} if layers else {}
            layers.append(
                layer | ({"combine": combine} if self.combine != combine and len(sources) > 1 else {})
            )
        return replay(self, together(layers))


def _check(name: str, options: Sequence[int], odd: bool) -> None:
    check_bounds("anchor-points", FILTERS if name == "filters" else PIXELS, **{name: options})
    kind = "odd numbers" if odd else "numbers"
    if not options or len(set(options)) < len(options) or (odd and not all(n % 2 for n in options)):
        raise SpaceError(
            f"space 'anchor-points': {name} are different {kind} from 1 on, at least one, got {options}"
        )


def _kernel(layer: Layer) -> str:
    return f"conv{layer['height']}x{layer['width']}"


def _name(layer: Layer) -> str:
    stride = f" /{layer['stride']}" if layer.get("stride", 1) != 1 else ""
    return f"{_kernel(layer)} x{layer['filters']}{stride}"
