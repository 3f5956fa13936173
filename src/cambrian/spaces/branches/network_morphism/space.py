"""The space of network morphisms (Elsken, Metzen & Hutter, "Simple and Efficient Architecture Search for
Convolutional Neural Networks", arXiv 1711.04528, Sec. 3-4): a small convolutional network grows by layers,
by widths and by skip connections that add or concatenate.

Its moves only enlarge, as morphisms do: they are the ones after which a network could keep its function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture
from cambrian.choices import Answer
from cambrian.spaces.bounds import check_bounds
from cambrian.spaces.branches.backbone import backbone_graph
from cambrian.spaces.branches.layer_moves import LayerMoves
from cambrian.spaces.branches.layered import MOST, Layer, number, numbers, split
from cambrian.spaces.branches.network_morphism.morphs import LayerMorphs
from cambrian.spaces.budgets import list_sizes
from cambrian.spaces.growth.depth_growth import DepthGrowth
from cambrian.spaces.small_images import small
from cambrian.spaces.space import Graph, Pick, Signature, Space

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from cambrian.networks.sharing.reading import Reading
    from cambrian.spaces.branches.network_morphism.network import Rows

LEAST = 3  # layers of the first network: convolution, pooling, convolution, pooling, convolution
KERNELS = (3, 5)
WIDTHS = (1, 2, 4, 8)
POOLS = 2
COMBINE = ("sum", "concat")
SETTINGS = ("filters",)


@dataclass(frozen=True)
class NetworkMorphism(Space):
    """Chains of 3 to `layers` convolutions of 1 to 8 times the skeleton's filters; a pooling follows two
    of them at most. A layer joins skips to the output of the layer before it.

    All questions are shared: a layer has weights for each kernel, and for every output that it may
    concatenate, of which a narrow one is read as the first channels."""

    skeleton = SETTINGS
    sizes = list_sizes(filters=(8, 16, 32))
    shared = ("layers", *(f"layer#/{q}" for q in ("kernel", "width", "pool", "skips", "combine")))

    layers: int = 6

    measure = "uniform over the number of layers, then over answers"

    def __post_init__(self) -> None:
        check_bounds("network-morphism", MOST, LEAST, layers=self.layers)

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (DepthGrowth(self), LayerMorphs(self))

    @cached_property
    def _layers(self) -> LayerMoves:
        return LayerMoves(self, self.readable, "skips", chained=True)

    def readable(self, layer: int) -> range:
        """The outputs that the layer, counted from 1, may choose to read; 0 is before the first."""
        return range(1, layer - 1)

    def program(self, pick: Pick) -> None:
        pools = 0
        for n in range(1, pick.depth("layers", LEAST, self.layers) + 1):
            inside = pick.inside("layer", n)
            inside("kernel", KERNELS)
            inside("width", WIDTHS)
            # The question is asked until two answers are yes; the first option makes the first network pool.
            pools += pools < POOLS and inside("pool", (True, False))
            if n > 2 and inside.some("skips", self.readable(n), 0, n - 2):
                inside("combine", COMBINE)

    def plan(self, architecture: Architecture) -> Rows:
        """The layers."""
        from cambrian.spaces.branches.network_morphism.network import Row

        return tuple(
            Row(
                number(layer, "kernel"),
                number(layer, "width"),
                bool(layer.get("pool")),
                tuple(_skips(layer)),
                str(layer.get("combine", "sum")),
            )
            for layer in split(architecture)
        )

    def make(self, read: Reading[Rows], task: Signature, **skeleton: Any) -> nn.Module:
        """The skeleton has one setting, `filters` of the narrowest layer (16; 8 for small
        images)."""
        from cambrian.spaces.branches.network_morphism.network import Most, network

        image = (task.channels, task.height, task.width)
        most = Most(self.layers, KERNELS, max(WIDTHS))
        return network(read, most, image, task.classes, **small(task, skeleton, filters=8))

    def canonical(self, architecture: Architecture) -> str:
        """Every network is a function of its own: each layer reads the one before, so none can change its
        place."""
        words = [
            " ".join(filter(None, (_label(layer), str(layer.get("combine", "")), *map(str, _skips(layer)))))
            for layer in split(architecture)
        ]
        return ", ".join(words)

    def graph(self, architecture: Architecture) -> Graph:
        """A layer with skips is two nodes: their join, and the convolution."""
        layers = split(architecture)
        joins = [str(layer.get("combine", "")) for layer in layers]
        return backbone_graph(list(map(_label, layers)), joins, list(map(_skips, layers)))

    # Moves

    @property
    def moves(self) -> tuple[str, ...]:
        return ("deepen", "widen", *(f"skip-{how}" for how in COMBINE))

    def move(self, kind: str, architecture: Architecture, rng: np.random.Generator) -> Architecture | None:
        """A morphism of Sec. 3: a convolution put in behind another, as wide; a layer made twice as wide;
        one skip more, added or concatenated."""
        layers = split(architecture)
        if kind == "deepen":
            edited = self._deepen(layers, rng)
        else:
            edited = self._widen(layers, rng) if kind == "widen" else self._add_skip(layers, rng, kind[5:])
        return None if edited is None else self._layers.replay_layers(architecture, edited, rng)

    def take_out(self, architecture: Architecture, rng: np.random.Generator) -> Architecture | None:
        """The architecture without one of its layers; None where it has the fewest."""
        return self._layers.move("delete", architecture, rng)

    def put_beside(self, architecture: Architecture, rng: np.random.Generator) -> Architecture | None:
        """The architecture with a branch more: a layer like another one, which reads the same outputs, and
        the layer after both joins them, by their sum or their concatenation (Net2Branch; Cai et al. 2018,
        arXiv 1806.02639, Sec. 3.1). None where no layer can have one.

        The new layer also reads the one it is beside, which comes before it, by weights that may be zero."""
        layers = split(architecture)
        places = [
            (at, how) for at in range(len(layers)) for how in COMBINE if self._branches(layers, at, how)
        ]
        if not places or len(layers) == self.layers:
            return None
        at, how = places[int(rng.integers(len(places)))]
        skips: Answer = tuple(sorted([*_skips(layers[at]), at]))
        new: Layer = {**layers[at], "pool": False, "skips": skips, "combine": "concat"}
        edited = self._layers.edit_layers("insert", at + 1, layers)
        last = edited[at + 2]
        joined: Answer = tuple(sorted([*_skips(last), at + 1]))
        edited[at + 1 : at + 3] = [new, {**last, "skips": joined, "combine": how}]
        return self._layers.replay_layers(architecture, edited, rng)

    def _branches(self, layers: Sequence[Layer], at: int, how: str) -> bool:
        """Whether the layer at that index can have a layer beside it, which the next one joins to it."""
        # The image cannot be skipped to, a pooled output is smaller than what the new layer reads, and a sum
        # that it reads cannot be concatenated.
        if not 0 < at < len(layers) - 1 or layers[at].get("pool") or layers[at].get("combine") == "sum":
            return False
        if layers[at + 1].get("combine", how) != how:
            return False
        # Added, the layer has only a part of the sum: another sum that reads it would miss the rest.
        readers = [layer for layer in layers if at + 1 in _skips(layer)]
        return how == "concat" or all(layer["combine"] == "concat" for layer in readers)

    def _deepen(self, layers: Sequence[Layer], rng: np.random.Generator) -> list[Layer] | None:
        if len(layers) == self.layers:
            return None
        at = int(rng.integers(1, len(layers) + 1))
        kernel = KERNELS[int(rng.integers(len(KERNELS)))]
        # As wide as the layer before it: then an identity is among its functions (Sec. 3).
        new: Layer = {"kernel": kernel, "width": layers[at - 1]["width"], "pool": False, "skips": ()}
        edited = self._layers.edit_layers("insert", at, layers)
        return [*edited[:at], new, *edited[at + 1 :]]

    def _widen(self, layers: Sequence[Layer], rng: np.random.Generator) -> list[Layer] | None:
        # Twice the widest is not an option.
        narrow = [n for n, layer in enumerate(layers) if layer["width"] != WIDTHS[-1]]
        if not narrow:
            return None
        at = narrow[int(rng.integers(len(narrow)))]
        return [*layers[:at], {**layers[at], "width": 2 * number(layers[at], "width")}, *layers[at + 1 :]]

    def _add_skip(self, layers: Sequence[Layer], rng: np.random.Generator, how: str) -> list[Layer] | None:
        absent = [
            (n, source)
            for n, layer in enumerate(layers)
            for source in self.readable(n + 1)
            # A layer joins its skips in one way: a second skip has to keep it.
            if source not in _skips(layer) and layer.get("combine", how) == how
        ]
        if not absent:
            return None
        at, source = absent[int(rng.integers(len(absent)))]
        skips: Answer = tuple(sorted([*_skips(layers[at]), source]))
        return [*layers[:at], {**layers[at], "skips": skips, "combine": how}, *layers[at + 1 :]]


def _skips(layer: Layer) -> list[int]:
    return numbers(layer, "skips")


def _label(layer: Layer) -> str:
    return f"conv{layer['kernel']}x{layer['kernel']} x{layer['width']}" + (
        " pool" if layer.get("pool") else ""
    )
