"""The network of a MetaQNN chain (Baker et al., ICLR 2017, Sec. 4-5): padded convolutions, max pooling,
dense layers, each with ReLU.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import nn

from cambrian.networks.operations import Make
from cambrian.settings import POSITIVE, SHARE, check_numbers, check_truths

Row = tuple[str, int, int]


def network(
    layers: Sequence[Row],
    image: tuple[int, int, int],
    classes: int,
    *,
    width: float = 1.0,
    normalise: bool = True,
    dropout: float = 0.0,
    make: Make | None = None,
) -> nn.Module:
    """`layers` are ("conv", kernel, filters), ("pool", window, stride), ("dense", units, 0). Takes
    float[n, *image], gives float[n, classes]."""
    check_numbers(POSITIVE, width=width)
    check_numbers(SHARE, dropout=dropout)
    check_truths(normalise=normalise)
    make = make or partial(operation, normalise=normalise)
    (channels, *pixels), found, flat = image, list[nn.Module](), False
    for n, (kind, size, other) in enumerate(layers):
        path = f"layer{n + 1}"
        if kind == "conv":
            out = _scale(other, width)
            found.append(make(path, f"conv{size}x{size}", channels, out, 1))
            channels = out
        elif kind == "pool" and size <= min(pixels):
            found.append(make(path, f"max{size}x{size}", channels, channels, other))
            pixels = [-(-(p - size + 1) // other) for p in pixels]
        elif kind == "dense":
            features = channels if flat else channels * pixels[0] * pixels[1]
            found += [] if flat else [nn.Flatten()]
            channels, flat = _scale(size, width), True
            found += [nn.Linear(features, channels), nn.ReLU()]
        if dropout and n % 2:
            found.append(nn.Dropout(dropout * (n + 1) / len(layers)))
    found += [] if flat else [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*found, nn.Linear(channels, classes))


def operation(
    path: str, name: str, channels: int, out: int, stride: int, normalise: bool = True
) -> nn.Module:
    """ "conv3x3" keeps height and width; "max3x3" gives ceil((n - 2) / stride) of them."""
    kernel = int(name[-1])
    if name.startswith("max"):
        return nn.MaxPool2d(kernel, stride)
    conv = nn.Conv2d(channels, out, kernel, 1, kernel // 2, bias=not normalise)
    return nn.Sequential(conv, *([nn.BatchNorm2d(out)] if normalise else []), nn.ReLU())


def _scale(size: int, width: float) -> int:
    return max(1, round(size * width))
