"""Encoders and decoders for the class of each pixel, as one space: the U-Nets (Ronneberger et al., MICCAI
2015, arXiv 1505.04597), residual U-Nets, feature pyramids, LinkNets, mobile and dilated networks that a
practitioner would train by hand. It is the space of a search within a time where labels are masks, whose
portfolio is raced (see `portfolio`). The kinds of blocks and their sources are in `network`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture
from cambrian.choices import read_whole
from cambrian.paths import at
from cambrian.spaces.bounds import check_bounds
from cambrian.spaces.budgets import list_sizes
from cambrian.spaces.chains.stages.widths import FILTERS, choose_stem_stride
from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.growth.depth_growth import DepthGrowth
from cambrian.spaces.program.function_space import is_dense
from cambrian.spaces.space import Graph, Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.sharing.reading import Reading
    from cambrian.spaces.branches.encoder_decoder.network import Scale

BLOCKS = ("plain", "residual", "inverted", "separable", "dilated")
WIDTHS = (0.5, 0.75, 1.0, 1.5, 2.0)
SKIPS = ("concatenate", "add", "none")
CONVOLUTIONS = (0, 1, 2)
"""Of a step of the decoder."""
QUESTIONS = ("block", "depth", "width", "skip", "decoder")
"""The questions of a scale; the first scale has the first three."""
MOST = 6
"""Scales: five halve an image of 128 pixels to four."""
DEEPEST = 12
"""Blocks of a scale."""


@dataclass(frozen=True)
class EncoderDecoder(Space):
    """One to `scales` scales of one to `depth` blocks each. A level is the number of scales.

    Networks end at the image's resolution where each pixel has a class; for other tasks in the mean over the
    pixels. All questions are outer: no supernet is made."""

    scales: int = 4
    depth: int = 3

    skeleton = ("filters", "stem_stride")
    sizes = list_sizes(filters=FILTERS)
    fine = True  # like the fine fabric it has an answer for each pixel
    measure = "uniform over the number of scales, then over answers"

    def __post_init__(self) -> None:
        check_bounds("encoder-decoder", MOST, scales=self.scales)
        check_bounds("encoder-decoder", DEEPEST, depth=self.depth)

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (DepthGrowth(self),)

    def program(self, pick: Pick) -> None:
        count = pick.depth("scales", 1, self.scales)
        for n in range(1, count + 1):
            pick(at("scale", n, "/block"), BLOCKS)
            pick(at("scale", n, "/depth"), tuple(range(1, self.depth + 1)))
            pick(at("scale", n, "/width"), WIDTHS)
            if n > 1:  # the step back to the scale before
                pick(at("scale", n, "/skip"), SKIPS)
                pick(at("scale", n, "/decoder"), CONVOLUTIONS)

    @property
    def portfolio(self) -> Mapping[str, Architecture]:
        """Networks made by hand or published, fitted to this space, the U-Net, which most people would
        try first, before the others. The order is not measured."""
        networks = {name: _read_network(rows) for name, rows in PORTFOLIO.items()}
        return {name: network for name, network in networks.items() if self._holds(network)}

    def plan(self, architecture: Architecture) -> tuple[Scale, ...]:
        from cambrian.spaces.branches.encoder_decoder.network import Scale

        return tuple(Scale(*row) for row in _list_rows(architecture))

    def make(self, read: Reading[tuple[Scale, ...]], task: Signature, **skeleton: Any) -> nn.Module:
        """`filters` (16) are the channels of the first scale, doubled at each later one. `stem_stride`
        reduces the image before it: by default images above 64 pixels by 2, and those of 128 or more by
        4."""
        from cambrian.spaces.branches.encoder_decoder.network import network

        shape = (task.channels, min(task.height, task.width), task.classes)
        settings = {**self.read_size(task), **skeleton}
        return network(read.value(lambda scales: scales), shape, dense=is_dense(task), **settings)

    def read_size(self, task: Signature) -> dict[str, Any]:
        return {"stem_stride": choose_stem_stride(min(task.height, task.width))}

    def graph(self, architecture: Architecture) -> Graph:
        """The scales down, a node each, and the steps up, each of which reads the coarser state and, if it is
        merged with it, that of its scale."""
        rows = _list_rows(architecture)
        labels = ["input", *(f"{block} x{depth}, width {width:g}" for block, depth, width, *_ in rows)]
        groups = ["input", *(f"scale {n}" for n in range(1, len(rows) + 1))]
        edges = [(n, n + 1) for n in range(len(rows))]
        for n in range(len(rows) - 1, 0, -1):
            skip, convolutions = rows[n][3:]
            edges.append((len(labels) - 1, len(labels)))
            edges += [(n, len(labels))] * (skip != "none")
            labels.append(f"up, {skip}, conv x{convolutions}")
            groups.append(f"scale {n}")
        edges.append((len(labels) - 1, len(labels)))
        return build_graph((*labels, "output"), edges, (*groups, "output"))

    def _holds(self, architecture: Architecture) -> bool:
        rows = _list_rows(architecture)
        return len(rows) <= self.scales and all(row[1] <= self.depth for row in rows)


def _list_rows(architecture: Architecture) -> list[tuple[Any, ...]]:
    """The answers of each scale, in the order of QUESTIONS."""
    count = read_whole(architecture["scales"])
    paths = [[f"scale{n}/{name}" for name in QUESTIONS] for n in range(1, count + 1)]
    return [tuple(architecture[path] for path in row if path in architecture) for row in paths]


PORTFOLIO: dict[str, tuple[tuple[Any, ...], ...]] = {
    "unet": (("plain", 2), *[("plain", 2, 1.0, "concatenate", 2)] * 3),
    "resunet": (("residual", 1), *[("residual", 1, 1.0, "concatenate", 1)] * 3),
    "small-unet": (("plain", 1), *[("plain", 1, 1.0, "concatenate", 1)] * 3),
    "linknet": (("residual", 1), *[("residual", 1, 1.0, "add", 1)] * 3),
    "fpn": (("residual", 1), *[("residual", 2, 1.0, "add", 0)] * 3),
    "dilated": (
        ("plain", 1),
        ("residual", 1, 1.0, "concatenate", 1),
        ("dilated", 2, 1.0, "add", 0),
    ),
    "mobile-unet": (("inverted", 1), *[("inverted", 2, 1.0, "concatenate", 1)] * 3),
    "separable-unet": (("separable", 1), *[("separable", 1, 1.0, "concatenate", 1)] * 3),
}
"""The block, the depth and the width of each scale, then the skip and the convolutions of the step back."""


def _read_network(rows: tuple[tuple[Any, ...], ...]) -> Architecture:
    answers: dict[str, Any] = {"scales": len(rows)}
    for n, row in enumerate(rows, 1):
        full = row if n > 1 else (*row, 1.0)
        answers |= {f"scale{n}/{name}": answer for name, answer in zip(QUESTIONS, full, strict=False)}
    return Architecture(answers)
