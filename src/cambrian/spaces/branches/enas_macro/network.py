"""The network of ENAS's macro space (Pham et al., ICML 2018, Sec. 2.3 and 3.2): a 3x3 stem, layers of a 1x1
convolution and an operation each, and at the end of the first two thirds a factorized reduction of all
outputs still to be read, which halves the image and doubles the filters.

A layer with skips ends in a 1x1 convolution of its own output and those, concatenated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from torch import nn

from cambrian.networks.operations import FactorizedReduce, Make, conv_bn, relu_conv_bn
from cambrian.networks.skeletons.branch import Plan, Size
from cambrian.settings import Span, check_numbers


def network(
    layers: Sequence[tuple[str, Sequence[int]]],
    halves: Sequence[int],
    image: tuple[int, int, int],
    classes: int,
    *,
    filters: int = 36,
    make: Make | None = None,
) -> nn.Module:
    """`layers` are (operation, skips), 0 being the stem; after those of `halves` the image is halved. Takes
    float[n, *image], gives float[n, classes]."""
    check_numbers(Span(2, whole=True), filters=filters)
    outputs = _Outputs(Plan(Size(*image)), filters)
    outputs.append(0, [0], partial(conv_bn, kernel=3, padding=1))
    for n, (name, skips) in enumerate(layers, 1):
        stage = sum(n > h for h in halves if h)
        read = [outputs.at(source, stage) for source in (n - 1, *skips)]
        outputs.append(stage, read[:1], partial(_layer, make or operation, f"layer{n}", name))
        if skips:
            outputs.extend(read[1:])
    return outputs.plan.network(classes)


def _layer(make: Make, path: str, name: str, channels: int, out: int) -> nn.Module:
    return make(path, name, channels, out, 1)


class _Outputs:
    """Every layer's output, and what becomes of it at each halving of the image."""

    def __init__(self, plan: Plan, filters: int) -> None:
        self.plan, self.filters = plan, filters
        self._stage: list[int] = []
        self._nodes: dict[tuple[int, int], int] = {}  # (layer, stage) -> node

    def append(self, stage: int, reads: Sequence[int], make: Callable[..., nn.Module]) -> None:
        out = self.filters << stage
        node = self.plan.add(reads, lambda size: (make(size.channels, out), size.strided(out)))
        self._nodes[len(self._stage), stage] = node
        self._stage.append(stage)

    def extend(self, reads: Sequence[int]) -> None:
        """The last output becomes a projection of itself and what it reads."""
        layer, stage = len(self._stage) - 1, self._stage[-1]
        out, own = self.filters << stage, self._nodes[layer, stage]
        self._nodes[layer, stage] = self.plan.add(
            [*reads, own], lambda size: (relu_conv_bn(size.channels, out), size.strided(out)), "concat"
        )

    def at(self, layer: int, stage: int) -> int:
        """The node that holds the layer's output as it is read in that stage."""
        if (layer, stage) not in self._nodes:
            before, out = self.at(layer, stage - 1), self.filters << stage
            self._nodes[layer, stage] = self.plan.add(
                [before], lambda size: (FactorizedReduce(size.channels, out), size.strided(out, 2))
            )
        return self._nodes[layer, stage]


def operation(path: str, name: str, channels: int, out: int, stride: int) -> nn.Module:
    """A 1x1 convolution, then "conv3x3", "sep5x5", "avg3x3", ...: (n, channels, h, w) -> (n, out, h, w)."""
    first, kernel = relu_conv_bn(channels, out), int(name[-1])
    if name.startswith("avg"):
        return nn.Sequential(*first, nn.AvgPool2d(kernel, stride, kernel // 2, count_include_pad=False))
    if name.startswith("max"):
        return nn.Sequential(*first, nn.MaxPool2d(kernel, stride, kernel // 2))
    if name.startswith("sep"):
        depthwise = nn.Conv2d(out, out, kernel, stride, kernel // 2, groups=out, bias=False)
        return nn.Sequential(*first, nn.ReLU(), depthwise, *conv_bn(out, out))
    return nn.Sequential(*first, nn.ReLU(), *conv_bn(out, out, kernel, stride, kernel // 2))
