"""The network of the space of network morphisms (Elsken et al. 2017, arXiv 1711.04528, Sec. 4): layers of
convolution, batch normalisation and ReLU, some followed by a 2x2 max pooling; larger images that a skip
brings are pooled until they fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from torch import nn

from cambrian.networks.operations import Make, conv_bn
from cambrian.networks.skeletons.branch import Plan, Size
from cambrian.settings import COUNT, check_numbers


class Row(NamedTuple):
    """A layer: its kernel, how many times the filters it has, whether a pooling follows, and which layers
    (from 1) it reads, combined how, besides the one before it."""

    kernel: int
    width: int
    pool: bool
    skips: Sequence[int]
    combine: str


def network(
    rows: Sequence[Row],
    image: tuple[int, int, int],
    classes: int,
    *,
    filters: int = 16,
    make: Make | None = None,
) -> nn.Module:
    """Takes float[n, *image], gives float[n, classes]."""
    check_numbers(COUNT, filters=filters)
    plan = Plan(Size(*image))
    for n, row in enumerate(rows):
        made = partial(make or operation, f"layer{n + 1}", f"conv{row.kernel}x{row.kernel}")
        plan.add([n, *row.skips], partial(_node, made, row.width * filters, row.pool), row.combine, "pool")
    return plan.network(classes)


def _node(
    make: Callable[[int, int, int], nn.Module], out: int, pool: bool, size: Size
) -> tuple[nn.Module, Size]:
    conv, given = make(size.channels, out, 1), size.strided(out)
    if not pool:
        return conv, given
    halves = (min(2, given.height), min(2, given.width))
    return nn.Sequential(conv, nn.MaxPool2d(halves)), given.halve()


def operation(path: str, name: str, channels: int, out: int, stride: int) -> nn.Module:
    """ "conv3x3": (n, channels, h, w) -> (n, out, h, w)."""
    kernel = int(name[-1])
    return nn.Sequential(*conv_bn(channels, out, kernel, stride, kernel // 2), nn.ReLU())
