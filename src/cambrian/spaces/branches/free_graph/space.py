"""Networks grown freely from a linear model (Real et al., "Large-Scale Evolution of Image Classifiers", ICML
2017, arXiv 1703.01041, Sec. 3.1-3.2): a backbone of convolutions and identities, with skip connections
between any of its layers, edited by the paper's mutations.

Left out are the mutations of weights, "identity" (train on) and "reset weights", which are the estimator's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture, replay
from cambrian.choices import Answer, Scalar
from cambrian.spaces.bounds import check_bounds
from cambrian.spaces.branches.backbone import backbone_graph
from cambrian.spaces.branches.layer_moves import LayerMoves
from cambrian.spaces.branches.layered import MOST, Layer, number, numbers, split
from cambrian.spaces.budgets import list_sizes
from cambrian.spaces.growth.depth_growth import DepthGrowth
from cambrian.spaces.small_images import small
from cambrian.spaces.space import Graph, Pick, Signature, Space

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from cambrian.networks.sharing.reading import Reading
    from cambrian.spaces.branches.free_graph.network import Rows

SIZES = (3, 1, 5, 7)  # of a filter's side, the first being an inserted one's
STRIDES = (1, 2, 4)
CHANNELS = (8, 16, 32, 64, 128, 256)
ACTIVATIONS = ("relu", "linear")
RATE = "train.learning_rate"
RATES = (0.1, 0.025, 0.05, 0.2, 0.4)
SETTINGS = ("width",)
NUMBERS = {"alter-stride": "stride", "alter-channels": "channels"}


@dataclass(frozen=True)
class FreeGraph(Space):
    """Backbones of 0 to `layers` layers, the last output going to the classifier. The paper does not
    bound layers or numbers. `learning_rate` adds the question `train.learning_rate`, for estimators that
    read it.

    Shared are all questions but the learning rate: a convolution is the middle of a 7x7 one, of its first
    channels, with weights for each activation."""

    skeleton = SETTINGS
    sizes = list_sizes(width=(0.25, 0.5, 1.0))
    shared = (
        "layers",
        *(f"layer#/{q}" for q in ("type", "height", "width", "stride", "channels", "activation", "skips")),
    )

    layers: int = 6
    learning_rate: bool = False

    measure = "uniform over the number of layers, then over answers"

    def __post_init__(self) -> None:
        check_bounds("free-graph", MOST, layers=self.layers)

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (DepthGrowth(self),)

    @cached_property
    def _layers(self) -> LayerMoves:
        return LayerMoves(self, self.readable, "skips", chained=True)

    def readable(self, layer: int) -> range:
        """The outputs that the layer, counted from 1, may choose to read; 0 is before the first."""
        return range(layer - 1)

    def program(self, pick: Pick) -> None:
        if self.learning_rate:
            pick(RATE, RATES)
        for n in range(1, pick.depth("layers", 0, self.layers) + 1):
            inside = pick.inside("layer", n)
            if inside("type", ("conv", "identity")) == "conv":
                inside("height", SIZES)
                inside("width", SIZES)
                inside("stride", STRIDES)
                inside("channels", CHANNELS)
                inside("activation", ACTIVATIONS)
            if n > 1:
                inside.some("skips", self.readable(n), 0, n - 1)

    def plan(self, architecture: Architecture) -> Rows:
        """The layers."""
        from cambrian.spaces.branches.free_graph.network import Row

        return tuple(
            Row(
                str(layer.get("activation", "identity")),
                number(layer, "height", 1),
                number(layer, "width", 1),
                number(layer, "stride", 1),
                number(layer, "channels"),
                tuple(_skips(layer)),
            )
            for layer in split(architecture)
        )

    def make(self, read: Reading[Rows], task: Signature, **skeleton: Any) -> nn.Module:
        """The skeleton has one setting, `width`, which multiplies all channels (1.0; 0.5 for small
        images)."""
        from cambrian.spaces.branches.free_graph.network import Most, network

        image = (task.channels, task.height, task.width)
        most = Most(self.layers, max(SIZES), max(CHANNELS))
        return network(read, most, image, task.classes, **small(task, skeleton, width=0.5))

    def canonical(self, architecture: Architecture) -> str:
        """The layers without identities that have no skips, which do nothing, numbered by their place."""
        place, words = [0], list[str]()
        for layer in split(architecture):
            skips = sorted(place[s] for s in _skips(layer))
            if layer["type"] == "conv" or skips:
                words.append(f"{_label(layer)}+{','.join(map(str, skips))}")
            place.append(len(words))
        rate = f" at {architecture[RATE]}" if self.learning_rate else ""
        return " ".join(words) + rate

    def graph(self, architecture: Architecture) -> Graph:
        """A layer with skips is two nodes: their sum, and the operation on it."""
        layers = split(architecture)
        skips = [_skips(layer) for layer in layers]
        return backbone_graph(list(map(_label, layers)), ["sum"] * len(layers), skips)

    # Moves

    @property
    def moves(self) -> tuple[str, ...]:
        rate = ("alter-learning-rate",) if self.learning_rate else ()
        backbone = ("insert-convolution", "remove-convolution", "insert-one-to-one")
        return (*backbone, *NUMBERS, "filter-size", "add-skip", "remove-skip", *rate)

    def move(self, kind: str, architecture: Architecture, rng: np.random.Generator) -> Architecture | None:
        """A mutation of the paper's Sec. 3.2. An inserted convolution is 3x3, with stride 1 or 2, as many
        channels as its input, and an activation or none; one-to-one is the identity."""
        layers = split(architecture)
        if kind == "alter-learning-rate":
            return replay(self, {**architecture, RATE: _other(RATES, architecture[RATE], rng)})
        if kind in ("insert-convolution", "insert-one-to-one"):
            return self._insert_layer(architecture, layers, kind == "insert-convolution", rng)
        edit = self._change_skip if kind.endswith("skip") else self._alter_layer
        # Identities do not have numbers to alter.
        convolutions = [n for n, layer in enumerate(layers) if layer["type"] == "conv"]
        if kind == "remove-convolution":
            edited = (
                self._layers.edit_layers("delete", _one(convolutions, rng), layers) if convolutions else None
            )
        else:
            edited = edit(kind, layers, convolutions, rng)
        return None if edited is None else self._layers.replay_layers(architecture, edited, rng)

    def _insert_layer(
        self, architecture: Architecture, layers: Sequence[Layer], conv: bool, rng: np.random.Generator
    ) -> Architecture | None:
        if len(layers) == self.layers:
            return None
        at = int(rng.integers(len(layers) + 1))
        # Identities keep channels: the last convolution before the place decides how many there are.
        channels = [number(layer, "channels") for layer in layers[:at] if "channels" in layer]
        new: Layer = {"type": "identity", "skips": ()}
        if conv:
            kernel: Layer = {"height": 3, "width": 3, "stride": _one((1, 2), rng)}
            filters = channels[-1] if channels else CHANNELS[0]
            new |= {"type": "conv", **kernel, "channels": filters, "activation": _one(ACTIVATIONS, rng)}
        edited = self._layers.edit_layers("insert", at, layers)
        return self._layers.replay_layers(architecture, [*edited[:at], new, *edited[at + 1 :]], rng)

    def _alter_layer(
        self, kind: str, layers: Sequence[Layer], convolutions: Sequence[int], rng: np.random.Generator
    ) -> list[Layer] | None:
        """One number of one convolution, to one that lies next to it."""
        if not convolutions:
            return None
        at = _one(convolutions, rng)
        name = NUMBERS.get(kind) or _one(("height", "width"), rng)
        options = {"stride": STRIDES, "channels": CHANNELS}.get(name, tuple(sorted(SIZES)))
        place = options.index(layers[at][name])
        # The paper draws around the old value, from half to twice (Sec. 3.2): a neighbour in the list.
        near = _one([options[n] for n in (place - 1, place + 1) if 0 <= n < len(options)], rng)
        return [*layers[:at], {**layers[at], name: near}, *layers[at + 1 :]]

    def _change_skip(
        self, kind: str, layers: Sequence[Layer], convolutions: Sequence[int], rng: np.random.Generator
    ) -> list[Layer] | None:
        """One skip connection more or less."""
        there = [(n, s) for n, layer in enumerate(layers) for s in _skips(layer)]
        absent = [(n, s) for n in range(len(layers)) for s in self.readable(n + 1) if (n, s) not in there]
        pairs = absent if kind == "add-skip" else there
        if not pairs:
            return None
        at, source = _one(pairs, rng)
        # The symmetric difference adds an absent skip and removes a present one.
        kept: Answer = tuple(sorted(set(_skips(layers[at])) ^ {source}))
        return [*layers[:at], {**layers[at], "skips": kept}, *layers[at + 1 :]]


def _skips(layer: Layer) -> list[int]:
    return numbers(layer, "skips")


def _operation(layer: Layer) -> str:
    if layer["type"] == "identity":
        return "identity"
    return f"conv{layer['height']}x{layer['width']}-{layer['activation']}"


def _label(layer: Layer) -> str:
    if layer["type"] == "identity":
        return "identity"
    stride = f" /{layer['stride']}" if layer["stride"] != 1 else ""
    return f"{_operation(layer)} x{layer['channels']}{stride}"


def _one(options: Sequence[Any], rng: np.random.Generator) -> Any:
    return options[int(rng.integers(len(options)))]


def _other(options: Sequence[Scalar], answer: Answer, rng: np.random.Generator) -> Scalar:
    chosen: Scalar = _one([o for o in options if o != answer], rng)
    return chosen
