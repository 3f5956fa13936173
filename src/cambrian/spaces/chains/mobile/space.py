"""Chains of mobile inverted bottlenecks.

`ProxylessNAS` (Cai et al., ICLR 2019, arXiv 1812.00332, Sec. 3.1 and 4.2) asks for an operation per layer.
`MnasNet` (Tan et al., CVPR 2019, arXiv 1807.11626, Sec. 4.1) asks six questions per block, and all of its
layers share the answers: a factorised hierarchical space.

In both a level is the number of first layers or blocks that are decided; those after them are as small as
possible, or those of a reference network. So every network is included, some more than once.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, product
from typing import TYPE_CHECKING, Any, ClassVar

from cambrian.architecture import Architecture
from cambrian.choices import Answer, Scalar
from cambrian.errors import SpaceError, UnknownName
from cambrian.options import shorten
from cambrian.paths import at
from cambrian.spaces.bounds import FILTERS, check_bounds
from cambrian.spaces.budgets import list_sizes
from cambrian.spaces.gates import ForkGates
from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.growth.depth_growth import DepthGrowth
from cambrian.spaces.small_images import small
from cambrian.spaces.space import Graph, Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.sharing.reading import Reading
    from cambrian.spaces.chains.mobile.network import Layer

SETTINGS = ("skeleton", "width", "stem", "features", "dropout", "activation")
DEPTH = 20  # layers of a stage
NOTHING = "skip"

Row = tuple[str, str, int, int]  # a layer: path of its question, name of its operation, channels, stride


class MobileChain(Space):
    """Abstract: a chain of layers, of which the network and the graph are made."""

    skeleton = SETTINGS
    sizes = list_sizes(width=(0.25, 0.5, 0.75, 1.0))

    activation: ClassVar[str]

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (DepthGrowth(self),)

    def plan(self, architecture: Architecture) -> list[Layer]:
        """The layers, including those that are nothing."""
        from cambrian.spaces.chains.mobile.network import Layer

        return [Layer(*row, self.choices(row[0])) for row in self.rows(architecture)]

    @abstractmethod
    def rows(self, architecture: Architecture) -> list[Row]:
        """All layers, from the stem to the head."""

    @abstractmethod
    def choices(self, path: str) -> tuple[str, ...]:
        """The operations that a layer of that path may have."""

    def layers(self, architecture: Architecture) -> list[Row]:
        """The layers that compute."""
        return [row for row in self.rows(architecture) if row[1] != NOTHING]

    def make(self, read: Reading[Sequence[Layer]], task: Signature, **skeleton: Any) -> nn.Module:
        """The `skeleton` is "imagenet", the papers' own, or "small", with a quarter of its channels, which is
        the default for small images. It has `width` (1), which multiplies all channels, those of the
        `stem` (32) and the last `features` (1280; 256) included, `dropout` (0) and `activation`. An image
        too small for five strides loses the first ones: 28 to 32 pixels keep three, 8 keep one."""
        from cambrian.spaces.chains.mobile.network import network

        settings = small(task, skeleton, skeleton="small")
        shape = (task.channels, min(task.height, task.width), task.classes)
        return network(read, shape, **{"activation": self.activation, **settings})

    def graph(self, architecture: Architecture) -> Graph:
        """A chain; a shortcut beside a layer is part of its node."""
        layers = self.layers(architecture)
        labels = ("input", *(f"{name} x{out}" for _, name, out, _ in layers), "output")
        groups = ("input", *(path for path, _, _, _ in layers), "output")
        return build_graph(labels, tuple((i, i + 1) for i in range(len(layers) + 1)), groups)


@dataclass(frozen=True)
class ProxylessNAS(MobileChain):
    """Each of `layers` per stage is one of six bottlenecks, or nothing where it is not a stage's first: of
    the default that makes 6^6 * 7^15 networks. `widths` are the stages' channels.

    An undecided layer is nothing, or the smallest bottleneck."""

    operations: ClassVar[tuple[str, ...]] = ("mb3_k3", "mb6_k3", "mb3_k5", "mb6_k5", "mb3_k7", "mb6_k7")
    activation: ClassVar[str] = "relu6"
    shared = ("layers", "layer#")
    strides: ClassVar[tuple[int, ...]] = (2, 2, 2, 1, 2, 1)

    widths: tuple[int, ...] = (24, 40, 80, 96, 192, 320)
    depths: tuple[int, ...] = (4, 4, 4, 4, 4, 1)

    measure = "uniform over chains of all numbers of decided layers together"

    def __post_init__(self) -> None:
        check_bounds("proxylessnas", FILTERS, widths=self.widths)
        check_bounds("proxylessnas", DEPTH, depths=self.depths)
        if not 1 <= len(self.widths) == len(self.depths) <= len(self.strides):
            raise SpaceError(
                f"space 'proxylessnas': expected as many widths as depths, 1 to {len(self.strides)} of them, "
                f"got {shorten(self.widths)} and {shorten(self.depths)}"
            )

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (DepthGrowth(self), ForkGates(self))

    @cached_property
    def firsts(self) -> frozenset[int]:
        """The layers, counted from 1, that begin a stage: they change the shape, and cannot be nothing."""
        return frozenset(1 + before for before in accumulate(self.depths[:-1], initial=0))

    def options(self, layer: int) -> tuple[str, ...]:
        """The operations open to the layer, the least first."""
        return self.operations if layer in self.firsts else (NOTHING, *self.operations)

    def size(self, decided: int | None = None) -> int:
        """The number of networks in which at most the first `decided` layers are decided.

        >>> ProxylessNAS().size() == 6**6 * 7**15
        True
        """
        last = sum(self.depths) if decided is None else decided
        return math.prod(len(self.options(n)) for n in range(1, last + 1))

    @cached_property
    def _weights(self) -> list[float]:
        # By the number of networks of each depth, so that all of them together are uniform.
        return [float(self.size(n)) for n in range(1, sum(self.depths) + 1)]

    def program(self, pick: Pick) -> None:
        for n in range(1, pick.depth("layers", 1, sum(self.depths), self._weights) + 1):
            pick(at("layer", n), self.options(n))

    def stages(self, architecture: Architecture) -> list[list[tuple[str, str]]]:
        """(path, operation) of the layers of every stage."""
        ends = list(accumulate(self.depths))
        paths = [f"layer{n}" for n in range(1, ends[-1] + 1)]
        names = [str(architecture.get(path, self.options(n)[0])) for n, path in enumerate(paths, 1)]
        chosen = list(zip(paths, names, strict=True))
        return [chosen[end - depth : end] for end, depth in zip(ends, self.depths, strict=True)]

    def choices(self, path: str) -> tuple[str, ...]:
        return self.options(int(path.removeprefix("layer"))) if path else ()

    def rows(self, architecture: Architecture) -> list[Row]:
        rows: list[Row] = [("", "sep_k3_plain", 16, 1)]
        for stage, out, stride in zip(
            self.stages(architecture), self.widths, self.strides[: len(self.widths)], strict=True
        ):
            # The stride belongs to the place: the first layer of a stage halves the image, whichever it is.
            rows += [(path, name, out, 1 if n else stride) for n, (path, name) in enumerate(stage)]
        return rows

    def canonical(self, architecture: Architecture) -> str:
        """Where in its stage a layer is nothing makes no difference."""
        return "|".join(
            " ".join(name for _, name in stage if name != NOTHING) for stage in self.stages(architecture)
        )


REFERENCES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "mobilenet-v2": ((1, 16, 1), (2, 24, 2), (3, 32, 2), (4, 64, 2), (3, 96, 1), (3, 160, 2), (1, 320, 1)),
    "mnasnet-a1": ((1, 16, 1), (2, 24, 2), (3, 40, 2), (4, 80, 2), (2, 112, 1), (3, 160, 2), (1, 320, 1)),
    "mnasnet-b1": ((1, 16, 1), (3, 24, 2), (3, 40, 2), (3, 80, 2), (2, 96, 1), (4, 192, 2), (1, 320, 1)),
}
"""Per block: layers, channels, stride of the first layer."""


@dataclass(frozen=True)
class MnasNet(MobileChain):
    """Seven blocks of 4 * 2 * 2 * 3 * 3 * 3 = 432 kinds each, as in the paper (its example of five such
    blocks makes 10^13 networks). Filters and layers are relative to a `reference` network, the paper's being
    MobileNetV2. No multiple of its filters gives the 112 of MnasNet-A1's fifth block or the 192 of
    MnasNet-B1's sixth, so these can be referred to instead.

    A block of one layer less than one is absent, and so is its stride. An "identity" lies beside
    layers that keep the shape, a "pool" beside those that keep the channels. Blocks that are not decided
    (only the `least` first ones must be) are those of the reference: mb6_k3 with identities, but separable
    convolutions in the first block."""

    activation: ClassVar[str] = "relu"
    shared = ("block#/operation", "block#/kernel", "block#/squeeze", "block#/beside")
    questions: ClassVar[dict[str, tuple[Scalar, ...]]] = {
        "operation": ("mb6", "mb3", "sep", "conv"),
        "kernel": (3, 5),
        "squeeze": (0.0, 0.25),
        "beside": ("identity", "pool", "nothing"),
        "filters": (1.0, 0.75, 1.25),
        "layers": (0, 1, -1),
    }

    reference: str = "mobilenet-v2"
    least: int = 1

    measure = "uniform over the number of decided blocks, then over these"

    def __post_init__(self) -> None:
        if self.reference not in REFERENCES:
            raise UnknownName("reference network", self.reference, REFERENCES)
        check_bounds("mnasnet", self.blocks, least=self.least)

    @staticmethod
    def paper() -> MnasNet:
        """All seven blocks are decided: uniform over the whole space."""
        return MnasNet(least=7)

    @property
    def blocks(self) -> int:
        return len(REFERENCES[self.reference])

    def kinds(self) -> int:
        """How many kinds of block there are.

        >>> MnasNet().kinds()
        432
        """
        return math.prod(map(len, self.questions.values()))

    def program(self, pick: Pick) -> None:
        for b in range(1, pick.depth("blocks", self.least, self.blocks) + 1):
            for question, options in self.questions.items():
                pick(at("block", b, f"/{question}"), options)

    def choices(self, path: str) -> tuple[str, ...]:
        parts = product(*(self.questions[q] for q in ("operation", "kernel", "squeeze", "beside")))
        return tuple(_name(*answers) for answers in parts)

    def rows(self, architecture: Architecture) -> list[Row]:
        rows: list[Row] = []
        for b, (depth, filters, stride) in enumerate(REFERENCES[self.reference], 1):
            # Undecided answers are the first options, which make the reference's layers.
            plain = {q: options[0] for q, options in self.questions.items()}
            plain["operation"] = "sep" if b == 1 else "mb6"
            answers = {q: architecture.get(f"block{b}/{q}", plain[q]) for q in self.questions}
            name = _name(*(answers[q] for q in ("operation", "kernel", "squeeze", "beside")))
            out = round(filters * float(answers["filters"]))  # type: ignore[arg-type]
            layers = depth + int(answers["layers"])  # type: ignore[arg-type]
            rows += [(f"block{b}", name, out, 1 if n else stride) for n in range(layers)]
        return rows

    def canonical(self, architecture: Architecture) -> str:
        """The layers: nothing else tells networks apart."""
        return " ".join(f"{name}x{out}/{stride}" for _, name, out, stride in self.layers(architecture))


def _name(operation: Answer, kernel: Answer, squeeze: Answer, beside: Answer) -> str:
    """The name of a layer's operation.

    >>> _name("mb6", 5, 0.25, "pool")
    'mb6_k5_se_pool'
    """
    short = {"identity": "", "pool": "_pool", "nothing": "_plain"}[str(beside)]
    return f"{operation}_k{kernel}{'_se' if squeeze else ''}{short}"
