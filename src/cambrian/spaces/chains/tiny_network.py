"""The network of a tiny chain: convolutions of few widths, poolings, a linear classifier on pooled
features.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import nn

from cambrian.networks.sharing.reading import Maker, Reading
from cambrian.settings import COUNT, check_numbers

KERNELS = {"conv3x3": 3, "conv5x5": 5}
WIDEST = 2  # times the filters

Rows = Sequence[tuple[str, int]]  # operation and width of every layer


def network(read: Reading[Rows], layers: int, channels: int, classes: int, filters: int) -> nn.Module:
    """Takes float[n, channels, h, w], gives float[n, classes]."""
    check_numbers(COUNT, filters=filters)
    widest = [channels] + [max(channels, WIDEST * filters)] * layers  # before each layer, and the last

    def width_before(rows: Rows, n: int) -> int:
        widths = [width * filters for operation, width in rows[:n] if operation in KERNELS]
        return widths[-1] if widths else channels

    def convolve(n: int, name: str) -> nn.Module:
        return read.elastic(
            lambda rows: (width_before(rows, n), width_before(rows, n + 1)),
            lambda size: convolution(*size, KERNELS[name]),
            (widest[n], WIDEST * filters),
        )

    def layer(n: int) -> list[nn.Module]:
        makers: dict[str, Maker] = {name: partial(convolve, n, name) for name in KERNELS}
        makers["max3x3"] = partial(nn.MaxPool2d, 3, 2, padding=1)
        path = f"layer{n + 1}/operation"
        return read.layers(lambda rows: rows[n][0], makers, path, {"skip": nn.Identity})

    body = [module for n in range(layers) for module in layer(n)]
    head = read.elastic(
        lambda rows: width_before(rows, layers), lambda width: nn.Linear(width, classes), widest[-1]
    )
    return nn.Sequential(*_flat(body), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


def convolution(channels: int, out: int, kernel: int) -> nn.Sequential:
    """Convolution, normalisation and ReLU."""
    conv = nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU())


def _flat(modules: Sequence[nn.Module]) -> list[nn.Module]:
    """The modules, each sequence replaced by its parts, so that those have the names of a flat network."""
    return [part for m in modules for part in (m if isinstance(m, nn.Sequential) else [m])]
