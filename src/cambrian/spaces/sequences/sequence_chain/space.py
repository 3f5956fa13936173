"""Chains of layers over sequences: the recurrent, convolutional and attention networks that a practitioner
would train by hand on texts, as one space. It is the space of a search of a running text within a time, whose
portfolio is raced (see `portfolio`).

The chains are those of Karpathy 2015 ("The Unreasonable Effectiveness of Recurrent Neural Networks"),
Kim 2014 (convolutions over a text), Bai et al. 2018 (arXiv 1803.01271, temporal convolutions) and Vaswani et
al. 2017; what each layer computes is in `network`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture
from cambrian.choices import Scalar, read_whole
from cambrian.errors import UnknownName
from cambrian.paths import at
from cambrian.spaces.bounds import check_bounds
from cambrian.spaces.budgets import list_sizes
from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.growth.depth_growth import DepthGrowth
from cambrian.spaces.program.function_space import is_causal
from cambrian.spaces.sequences.recurrent.common import read_units
from cambrian.spaces.space import Graph, Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.sharing.reading import Reading
    from cambrian.spaces.sequences.sequence_chain.network import Plan

Row = tuple[str, float]  # the operation of a layer, and its width
EMBEDDINGS = ("rows", "n-grams")
OPERATIONS = ("gru", "lstm", "conv_3", "conv_7", "dilated_conv_3", "attention", "perceptron")
WIDTHS = (0.5, 0.75, 1.0, 1.5, 2.0)
MOST = 24
"""Layers: twelve of a transformer's."""


@dataclass(frozen=True)
class SequenceChain(Space):
    """An embedding of rows, or of n-grams of them too, and up to `layers` layers, each an operation of a
    width; those after the first that are as wide as the one before are added to it. A level is the number of
    layers. `favourite` is the name of the network that comes first in the portfolio.

    In a supernet the operations are shared; the embedding, the number of layers and their widths are
    outer."""

    layers: int = 8
    favourite: str = "lstm"

    skeleton = ("hidden", "filters", "dropout")
    causal = True
    sizes = list_sizes(hidden=(32, 64, 128, 256))
    shared = ("layer#/operation",)
    measure = "uniform over the number of layers, then over answers"

    def __post_init__(self) -> None:
        check_bounds("sequence-chain", MOST, layers=self.layers)
        if self.favourite not in PORTFOLIO:
            raise UnknownName("favourite", self.favourite, PORTFOLIO)

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (DepthGrowth(self),)

    def program(self, pick: Pick) -> None:
        pick("embedding", EMBEDDINGS)
        for n in range(1, pick.depth("layers", 0, self.layers) + 1):
            pick(at("layer", n, "/operation"), OPERATIONS)
            pick(at("layer", n, "/width"), WIDTHS)

    @property
    def portfolio(self) -> Mapping[str, Architecture]:
        """Networks that a practitioner would take, the favourites first: an order for trainings of minutes on
        a CPU (`benchmarks/portfolio.py` measures it)."""
        chains = {self.favourite: PORTFOLIO[self.favourite], **PORTFOLIO}
        return {n: self.architecture(*chain) for n, chain in chains.items() if len(chain[1]) <= self.layers}

    def read_size(self, task: Signature) -> dict[str, Scalar]:
        return {}

    def plan(self, architecture: Architecture) -> Plan:
        from cambrian.spaces.sequences.sequence_chain.network import Layer, Plan

        layers = tuple(Layer(*row) for row in self.rows(architecture))
        return Plan(str(architecture["embedding"]), layers)

    def make(self, read: Reading[Plan], task: Signature, **skeleton: Any) -> nn.Module:
        """A network that reads images row by row: a row is one step of channels * width numbers, such as a
        character. Of a causal task it answers after each row, by that and those before; of any other once, by
        all. `hidden` (64, or eight for each of the `filters`, where these are given alone) are the
        units of a layer of width 1; all layers have a multiple of 16. `dropout` (0) is before the linear
        layer."""
        from cambrian.spaces.sequences.sequence_chain.network import SequenceNetwork

        shape = (task.channels * task.width, task.height, task.classes)
        return SequenceNetwork(read, shape, causal=is_causal(task), **read_units(skeleton))

    def size(self, level: int) -> int:
        """How many architectures have `level` layers.

        >>> SequenceChain().size(2)
        2450
        """
        count: int = len(EMBEDDINGS) * (len(OPERATIONS) * len(WIDTHS)) ** level
        return count

    def architecture(self, embedding: str, rows: tuple[Row, ...]) -> Architecture:
        """The architecture of an embedding and of layers given as (operation, width)."""
        answers: dict[str, Scalar] = {"embedding": embedding, "layers": len(rows)}
        for n, (operation, width) in enumerate(rows, 1):
            answers |= {f"layer{n}/operation": operation, f"layer{n}/width": width}
        return Architecture(answers)

    def rows(self, architecture: Architecture) -> tuple[Row, ...]:
        """The operation and the width of each layer."""
        paths = [f"layer{n}/" for n in range(1, read_whole(architecture["layers"]) + 1)]
        answers = [(architecture[path + "operation"], architecture[path + "width"]) for path in paths]
        return tuple((str(operation), float(width)) for operation, width in answers)  # type: ignore[arg-type]

    def graph(self, architecture: Architecture) -> Graph:
        """The layers, one after the other; of those as wide as the one before, the sum."""
        rows = self.rows(architecture)
        labels, groups = ["input", f"embedding of {architecture['embedding']}"], ["input", "embedding"]
        edges, wide = [(0, 1)], 0.0
        for n, (operation, width) in enumerate(rows, 1):
            before = len(labels) - 1
            labels.append(f"{operation}, width {width:g}")
            groups.append(f"layer {n}")
            edges.append((before, before + 1))
            if width == wide:
                labels.append("add")
                groups.append(f"layer {n}")
                edges += [(before, before + 2), (before + 1, before + 2)]
            wide = width
        edges.append((len(labels) - 1, len(labels)))
        return build_graph((*labels, "output"), tuple(edges), (*groups, "output"))


PORTFOLIO: dict[str, tuple[str, tuple[Row, ...]]] = {
    "lstm": ("rows", (("lstm", 1.0),)),
    "n-gram-lstm": ("n-grams", (("lstm", 1.0),)),
    "n-grams": ("n-grams", ()),
    "cnn": ("rows", (("conv_7", 1.0),)),
    "gru": ("rows", (("gru", 1.0),)),
    "conv-lstm": ("rows", (("conv_7", 1.0), ("lstm", 1.0))),
    "lstm-2": ("rows", (("lstm", 1.0),) * 2),
    "gated-conv": ("rows", (("conv_7", 1.0), ("conv_3", 1.0))),
    "transformer": ("rows", (("conv_3", 1.0), *(("attention", 1.0), ("perceptron", 1.0)) * 2)),
    "tcn": ("rows", (("dilated_conv_3", 1.0),) * 5),
}
"""The embedding, and the operation and the width of each layer."""
