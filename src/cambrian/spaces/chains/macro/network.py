"""The network of NAS-Bench-Macro (Su et al., CVPR 2021): inverted residual blocks (Sandler et al. 2018)
with ReLU, in stages that halve the image and double the channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from operator import itemgetter

from torch import Tensor, nn

from cambrian.networks.operations import conv_bn
from cambrian.networks.sharing.reading import Reading
from cambrian.settings import COUNT, check_numbers

FEATURES = 1280
BLOCKS = {1: (3, 3), 2: (6, 5)}  # expansion and kernel


def network(
    read: Reading[tuple[int, ...]], stages: Sequence[int], channels: int, classes: int, *, filters: int = 32
) -> nn.Module:
    """The network of the code of every layer, 0 being nothing (a strided 1x1 convolution in a stage's
    first layer). Takes float[n, channels, h, w], gives float[n, classes]."""
    check_numbers(COUNT, filters=filters)
    layers: list[nn.Module] = [*conv_bn(channels, filters, 3, padding=1), nn.ReLU()]
    width, at = filters, 0
    for stage in stages:
        for n in range(stage):
            out, stride = width if n else 2 * width, 1 if n else 2
            makers = {c: partial(InvertedResidual, width, out, stride, *BLOCKS[c]) for c in BLOCKS}
            path, code = f"layer{at + 1}", itemgetter(at)
            # Only inside a stage is nothing an identity: the first layer changes the shape.
            if n:
                layers += read.layers(code, makers, path, {0: nn.Identity})
            else:
                layers.append(read.fork(code, {0: partial(conv_bn, width, out, stride=2), **makers}, path))
            width, at = out, at + 1
    layers += [*conv_bn(width, FEATURES), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(FEATURES, classes))


class InvertedResidual(nn.Module):
    """1x1 convolution to `expansion` times the channels, depthwise kxk, 1x1 back; beside an identity
    where shapes allow."""

    def __init__(self, channels: int, out: int, stride: int, expansion: int, kernel: int) -> None:
        super().__init__()
        wide = channels * expansion
        depthwise = nn.Conv2d(wide, wide, kernel, stride, kernel // 2, groups=wide, bias=False)
        self.path = nn.Sequential(
            *conv_bn(channels, wide),
            nn.ReLU(),
            depthwise,
            nn.BatchNorm2d(wide),
            nn.ReLU(),
            *conv_bn(wide, out),
        )
        self.residual = channels == out and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, out, ceil(h / stride), ceil(w / stride))."""
        out: Tensor = self.path(x)
        return out + x if self.residual else out
