"""The network of ENAS's macro space (Pham et al., ICML 2018, Sec. 2.3 and 3.2): a 3x3 stem, layers of a 1x1
convolution and an operation each, and at the end of the first two thirds a factorized reduction of all
outputs still to be read, which halves the image and doubles the filters.

A layer with skips ends in a 1x1 convolution of its own output and those, concatenated.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cache, lru_cache, partial

from torch import nn

from cambrian.networks.operations import FactorizedReduce, conv_bn, relu_conv_bn
from cambrian.networks.sharing.reading import Maker, Reading
from cambrian.networks.skeletons.branch import Drawing, Size, branch_network, node_of
from cambrian.settings import Span, check_numbers

OPERATIONS = ("conv3x3", "sep3x3", "conv5x5", "sep5x5", "avg3x3", "max3x3")

Rows = tuple[tuple[str, tuple[int, ...]], ...]  # operation and skips of every layer, 0 being the stem
STEM = ("layer", 0)


def network(
    read: Reading[Rows],
    most: int,
    halves: Sequence[int],
    image: tuple[int, int, int],
    classes: int,
    *,
    filters: int = 36,
) -> nn.Module:
    """`most`: layers of the networks that one supernet holds. After those of `halves` the image is halved.
    Takes float[n, *image], gives float[n, classes].

    Shared, a layer has weights for each operation, the projection of its skips for each output it may read,
    as in ENAS (Sec. 2.3)."""
    check_numbers(Span(2, whole=True), filters=filters)
    stages = _Stages(halves, filters)
    drawn = read.within(lru_cache(maxsize=64)(lambda rows: _draw(rows, Size(*image), stages)))
    count = read.count(len, most)
    makers: dict[Hashable, Maker] = {STEM: partial(conv_bn, image[0], filters, 3, padding=1)}
    # Cached by the layer: readers of one output share the weights of its reduction.
    reduce = cache(lambda layer, stage: FactorizedReduce(stages.width(stage - 1), stages.width(stage)))
    for n in range(1, count + 1):
        for source in (n - 1, *range(n - 1)):
            # The first reader of an output in a stage brings its reduction; it differs between plans.
            for stage in range(stages.of(source) + 1, stages.of(n) + 1):
                makers["reduce", source, stage, n] = partial(reduce, source, stage)
        makers["layer", n] = partial(_layer, read, n, stages.width(stages.of(n)))
        makers["join", n] = partial(_join, drawn, n, stages.width(stages.of(n)))
    return branch_network(drawn, makers, classes, stages.width(stages.of(count)))


def _layer(read: Reading[Rows], n: int, width: int) -> nn.Module:
    makers = {name: partial(operation, name, width) for name in OPERATIONS}
    return read.fork(lambda rows: rows[n - 1][0] if n <= len(rows) else None, makers, f"layer{n}/operation")


def _join(read: Reading[_Drawing], n: int, width: int) -> nn.Module:
    """The projection of the skips and the layer's own output: each has input channels of its own."""

    def columns(drawing: _Drawing) -> list[int]:
        return [source * width + c for source in (*drawing.skips[n], n - 1) for c in range(width)]

    return read.elastic(
        node_of(("join", n), lambda node: node.given.channels),
        lambda channels: relu_conv_bn(channels, width),
        n * width,
        columns,
    )


class _Stages:
    """The stages between halvings of the image, each with twice the filters of the one before."""

    def __init__(self, halves: Sequence[int], filters: int) -> None:
        self._halves, self._filters = halves, filters

    def of(self, layer: int) -> int:
        return sum(layer > half for half in self._halves if half)

    def width(self, stage: int) -> int:
        return self._filters << stage


class _Drawing(Drawing):
    """Every layer's output, and its reduction at each halving of the image."""

    def __init__(self, image: Size, stages: _Stages) -> None:
        super().__init__(image)
        self._stages = stages
        self._outputs: dict[tuple[int, int], int] = {}  # (layer, stage) -> number
        self.skips: dict[int, Sequence[int]] = {}

    def add_layer(self, n: int, skips: Sequence[int]) -> None:
        """Add layer n, and the projection of its output and its skips."""
        stage = self._stages.of(n)
        read = [self._at(source, stage, n) for source in (n - 1, *skips)]
        own = self._outputs[n, stage] = self._add(("layer", n), read[:1], stage)
        self.skips[n] = skips
        if skips:
            self._outputs[n, stage] = self._add(("join", n), [*read[1:], own], stage, combine="concat")

    def add_stem(self) -> None:
        self._outputs[0, 0] = self._add(STEM, [0], 0)

    def _add(
        self, key: Hashable, reads: Sequence[int], stage: int, stride: int = 1, combine: str = "sum"
    ) -> int:
        width = self._stages.width(stage)
        return self.add(key, reads, lambda size: size.apply_stride(width, stride), combine)

    def _at(self, layer: int, stage: int, reader: int) -> int:
        """The number of the layer's output as that stage reads it, `reader` perhaps being the first."""
        # Reductions are chained, one halving each, and are shared by all later readers.
        if (layer, stage) not in self._outputs:
            before = self._at(layer, stage - 1, reader)
            self._outputs[layer, stage] = self._add(("reduce", layer, stage, reader), [before], stage, 2)
        return self._outputs[layer, stage]


def _draw(rows: Rows, image: Size, stages: _Stages) -> _Drawing:
    drawing = _Drawing(image, stages)
    drawing.add_stem()
    for n, (_, skips) in enumerate(rows, 1):
        drawing.add_layer(n, skips)
    return drawing


def operation(name: str, out: int) -> nn.Module:
    """A 1x1 convolution, then "conv3x3", "sep5x5", "avg3x3", ...: (n, out, h, w) -> the same."""
    first, kernel = relu_conv_bn(out, out), int(name[-1])
    if name.startswith("avg"):
        return nn.Sequential(*first, nn.AvgPool2d(kernel, 1, kernel // 2, count_include_pad=False))
    if name.startswith("max"):
        return nn.Sequential(*first, nn.MaxPool2d(kernel, 1, kernel // 2))
    if name.startswith("sep"):
        depthwise = nn.Conv2d(out, out, kernel, 1, kernel // 2, groups=out, bias=False)
        return nn.Sequential(*first, nn.ReLU(), depthwise, *conv_bn(out, out))
    return nn.Sequential(*first, nn.ReLU(), *conv_bn(out, out, kernel, 1, kernel // 2))
