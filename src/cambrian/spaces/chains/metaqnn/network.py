"""The network of a MetaQNN chain (Baker et al., ICLR 2017, Sec. 4-5): padded convolutions, max pooling,
dense layers, each with ReLU.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from torch import nn

from cambrian.networks.sharing.reading import Reading
from cambrian.settings import POSITIVE, SHARE, check_numbers, check_truths


class Layer(NamedTuple):
    """("conv", kernel, filters), ("pool", window, stride) or ("dense", units, 0); `options` are the kernels
    that a convolution may have."""

    kind: str
    size: int
    other: int
    options: tuple[int, ...]


Chain = Sequence[Layer]


def network(
    read: Reading[Chain],
    image: tuple[int, int, int],
    classes: int,
    *,
    widest: int = 512,
    width: float = 1.0,
    normalise: bool = True,
    dropout: float = 0.0,
) -> nn.Module:
    """`widest`: the most filters or units that a layer of a supernet may have. Takes float[n, *image], gives
    float[n, classes]."""
    check_numbers(POSITIVE, width=width)
    check_numbers(SHARE, dropout=dropout)
    check_truths(normalise=normalise)
    builder = _Network(read, image, widest, width, normalise)
    depth = read.value(len)
    for n in range(depth):
        builder.add(n)
        if dropout and n % 2:
            # After every second layer: of k in all, the i-th has i / k of the rate (Baker et al., Sec. 5).
            builder.modules.append(nn.Dropout(dropout * (n + 1) / (depth - depth % 2)))
    return builder.finish(classes)


class _Network:
    """A network under construction; kinds of layers and sizes after poolings are the same in all plans."""

    def __init__(
        self, read: Reading[Chain], image: tuple[int, int, int], widest: int, width: float, normalise: bool
    ) -> None:
        self.modules: list[nn.Module] = []
        self._read, self._width, self._normalise = read, width, normalise
        self._image, self._pixels = image, list(image[1:])
        self._most, self._widest = image[0], scale(widest, width)  # channels so far, and of any layer
        self._flat = False

    def add(self, n: int) -> None:
        kind, pool, options = self._read.value(
            lambda chain: (
                chain[n].kind,
                chain[n][1:3] if chain[n].kind == "pool" else (0, 1),
                chain[n].options,
            )
        )
        if kind == "conv":
            makers = {kernel: partial(self._convolution, n, kernel) for kernel in options}
            self.modules.append(self._read.fork(lambda chain: chain[n].size, makers, f"layer{n + 1}/kernel"))
            # From here on a supernet may be as wide as any convolution of the space.
            self._most = self._widest
        elif kind == "dense":
            self._add_dense(n)
        elif pool[0] <= min(self._pixels):
            self.modules.append(nn.MaxPool2d(*pool))
            # A window needs its full width: no padding, as in torch's default.
            self._pixels = [-(-(p - pool[0] + 1) // pool[1]) for p in self._pixels]

    def _convolution(self, n: int, kernel: int) -> nn.Module:
        make = partial(convolution, kernel=kernel, normalise=self._normalise)
        return self._read.elastic(
            lambda chain: (self.channels(chain, n), self.channels(chain, n + 1)),
            lambda size: make(*size),
            (self._most, self._widest),
        )

    def _add_dense(self, n: int) -> None:
        # The first dense layer reads every pixel of every channel, later ones the units before.
        pixels = 1 if self._flat else self._pixels[0] * self._pixels[1]
        dense = self._read.elastic(
            lambda chain: (self.channels(chain, n) * pixels, self.channels(chain, n + 1)),
            lambda size: nn.Linear(*size),
            (self._most * pixels, self._widest),
        )
        self.modules += [*([] if self._flat else [nn.Flatten()]), dense, nn.ReLU()]
        self._most, self._flat = self._widest, True

    def channels(self, chain: Chain, n: int) -> int:
        """Channels after the first n layers; features, where a dense layer is among them."""
        sizes = [layer.other or layer.size for layer in chain[:n] if layer.kind != "pool"]
        return scale(sizes[-1], self._width) if sizes else self._image[0]

    def finish(self, classes: int) -> nn.Module:
        pool = [] if self._flat else [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        classifier = self._read.elastic(
            lambda chain: self.channels(chain, len(chain)), lambda size: nn.Linear(size, classes), self._most
        )
        return nn.Sequential(*self.modules, *pool, classifier)


def convolution(channels: int, out: int, kernel: int, normalise: bool) -> nn.Module:
    """It keeps height and width."""
    conv = nn.Conv2d(channels, out, kernel, 1, kernel // 2, bias=not normalise)
    return nn.Sequential(conv, *([nn.BatchNorm2d(out)] if normalise else []), nn.ReLU())


def scale(size: int, width: float) -> int:
    return max(1, round(size * width))
