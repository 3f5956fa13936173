"""Chains of mobile inverted bottlenecks: MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381, Sec. 3.3), with
the squeeze-and-excitation and the other operations of MnasNet (Tan et al. 2019, arXiv 1807.11626, Sec. 4.1)
and the kernels of ProxylessNAS (Cai et al. 2019, arXiv 1812.00332, Sec. 3.1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple

from torch import Tensor, nn

from cambrian.errors import UnknownName
from cambrian.networks.operations import conv_bn
from cambrian.networks.sharing.reading import Reading
from cambrian.settings import COUNT, POSITIVE, SHARE, check_numbers

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "relu6": nn.ReLU6}
NOTHING = "skip"
SMALLEST = 4  # pixels: an image is not halved below so many


class Skeleton(NamedTuple):
    """The multiple of the channels, and the number of features before the classifier."""

    width: float
    features: int


SKELETONS = {"imagenet": Skeleton(1.0, 1280), "small": Skeleton(0.25, 256)}


@dataclass(frozen=True)
class Layer:
    """`operation` is a name as `body` and `beside` below read it, or "skip"; `path` is the question that
    chose it, and `options` are the names it chose from."""

    path: str
    operation: str
    out: int
    stride: int = 1
    options: tuple[str, ...] = ()


def network(
    read: Reading[Sequence[Layer]],
    task: tuple[int, int, int],
    *,
    skeleton: str = "imagenet",
    stem: int = 32,
    features: int | None = None,
    width: float = 1.0,
    dropout: float = 0.0,
    activation: str = "relu6",
) -> nn.Module:
    """The network for `task` (channels, pixels of the shorter side, classes): float[n, channels, h, w] to
    float[n, classes]. A stem of stride 2, the layers, a 1x1 convolution to `features`, a linear layer.
    Channels are `width` times those given (`features` at least once), rounded to eights; the skeleton has
    a width of its own and default features. Of the strides
    (the stem's is the first) the earliest are dropped where the image is too small for all of them."""
    if activation not in ACTIVATIONS:
        raise UnknownName("activation", activation, ACTIVATIONS)
    if skeleton not in SKELETONS:
        raise UnknownName("skeleton", skeleton, SKELETONS)
    own = SKELETONS[skeleton]
    features = own.features if features is None else features
    check_numbers(POSITIVE, width=width)
    check_numbers(COUNT, stem=stem, features=features)
    check_numbers(SHARE, dropout=dropout)
    width *= own.width
    act, channels = ACTIVATIONS[activation], scale_channels(stem, width)
    shapes = read.value(lambda layers: [(layer.out, layer.stride) for layer in layers])
    strides = fitting([2, *(stride for _, stride in shapes)], task[1])
    modules: list[nn.Module] = [*conv_bn(task[0], channels, 3, strides[0], padding=1), act()]
    for n, ((channels_out, _), stride) in enumerate(zip(shapes, strides[1:], strict=True)):
        out = scale_channels(channels_out, width)
        modules += _layer(read, n, channels, out, stride, act)
        channels = out
    # Narrower networks keep the full number of features (Sandler et al., Sec. 4).
    features = scale_channels(features, max(width, 1.0))
    modules += [
        *conv_bn(channels, features),
        act(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(dropout),
    ]
    return nn.Sequential(*modules, nn.Linear(features, task[2]))


def _layer(
    read: Reading[Sequence[Layer]], n: int, channels: int, out: int, stride: int, act: type[nn.Module]
) -> list[nn.Module]:
    """Layer n, or nothing where it is "skip". A body has one set of weights, whichever its shortcut."""
    path, options = read.value(lambda layers: (layers[n].path, layers[n].options or (layers[n].operation,)))
    shorts = tuple(dict.fromkeys(split(name)[1] for name in options))

    def make(kind: str) -> nn.Module:
        # Cached, so that all shortcuts lie beside one and the same body.
        one_body = cache(lambda: body(kind, channels, out, stride, act))
        makers = {short: partial(put_beside, short, one_body, channels == out, stride) for short in shorts}
        return read.fork(lambda layers: split(layers[n].operation)[1], makers)

    kinds = {kind: partial(make, kind) for kind, _ in map(split, options) if kind != NOTHING}
    nothing = {NOTHING: nn.Identity} if NOTHING in options else {}
    # With shortcuts the question is answered by two forks, neither of which has its path alone.
    named = path if shorts == ("",) else ""
    return read.layers(lambda layers: split(layers[n].operation)[0], kinds, named, nothing)


def scale_channels(channels: int, width: float) -> int:
    """`width` times the channels, to the nearest eight but not more than a tenth below; as they are at 1.

    >>> [scale_channels(24, w) for w in (1.0, 1.35, 0.75, 0.1)]
    [24, 32, 24, 8]
    """
    if width == 1:
        return channels
    wanted = channels * width
    rounded = max(8, int(wanted + 4) // 8 * 8)
    # The rule of the released MobileNet code: never more than 10 % below.
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def fitting(strides: Sequence[int], side: int) -> list[int]:
    """The strides, of which the last ones are kept, as many as leave a side of 4 pixels.

    >>> fitting([2, 1, 2, 2], 8), fitting([2, 1, 2, 2], 28), fitting([2, 1, 2, 2], 3)
    ([1, 1, 1, 2], [2, 1, 2, 2], [1, 1, 1, 1])
    """
    kept = 0
    while -(-side // 2 ** (kept + 1)) >= SMALLEST:
        kept += 1
    strided = [n for n, stride in enumerate(strides) if stride > 1]
    dropped = set(strided[: max(len(strided) - kept, 0)])
    return [1 if n in dropped else stride for n, stride in enumerate(strides)]


def split(name: str) -> tuple[str, str]:
    """The names of a layer's body and of the shortcut beside it.

    >>> split("mb6_k5_se_pool"), split("sep_k3"), split("skip")
    (('mb6_k5_se', 'pool'), ('sep_k3', ''), ('skip', ''))
    """
    kind, _, last = name.rpartition("_")
    return (kind, last) if last in ("pool", "plain") else (name, "")


def body(name: str, channels: int, out: int, stride: int, act: type[nn.Module]) -> nn.Module:
    """KIND_kKERNEL[_se], such as "mb6_k5_se": a mobile inverted bottleneck that expands to six times the
    channels ("mb3" to three), a separable convolution ("sep"), or a convolution ("conv")."""
    kind, kernel, *rest = name.split("_")
    # A quarter of the block's input, not of its expansion, as in the released MnasNet.
    squeeze = max(1, channels // 4) if "se" in rest else 0
    if kind == "conv":
        return convolution(channels, out, int(kernel[1:]), stride, squeeze, act)
    wide = channels * {"sep": 1, "mb3": 3, "mb6": 6}[kind]
    return bottleneck(channels, wide, out, int(kernel[1:]), stride, squeeze, act)


def put_beside(name: str, made: Callable[[], nn.Module], same: bool, stride: int) -> nn.Module:
    """The body beside an identity (""), where shapes allow, or an average pooling ("pool"), where channels
    are the same; or beside nothing ("plain")."""
    if name == "plain" or not same:
        return made()
    if name == "pool":
        return Residual(made(), nn.AvgPool2d(3, stride, padding=1, count_include_pad=False))
    return Residual(made(), nn.Identity()) if stride == 1 else made()


def bottleneck(
    channels: int, wide: int, out: int, kernel: int, stride: int, squeeze: int, act: type[nn.Module]
) -> nn.Sequential:
    """1x1 convolution to `wide` channels (none where these are as many), depthwise kxk, a squeeze and
    excitation, and 1x1 to `out` without activation."""
    expand = [*conv_bn(channels, wide), act()] if wide != channels else []
    depthwise = nn.Conv2d(wide, wide, kernel, stride, kernel // 2, groups=wide, bias=False)
    gate = [SqueezeExcite(wide, squeeze)] if squeeze else []
    return nn.Sequential(*expand, depthwise, nn.BatchNorm2d(wide), act(), *gate, *conv_bn(wide, out))


def convolution(
    channels: int, out: int, kernel: int, stride: int, squeeze: int, act: type[nn.Module]
) -> nn.Sequential:
    """kxk convolution, normalisation, activation, a squeeze and excitation."""
    gate = [SqueezeExcite(out, squeeze)] if squeeze else []
    return nn.Sequential(*conv_bn(channels, out, kernel, stride, kernel // 2), act(), *gate)


class Residual(nn.Module):
    """`path` beside `short`: (n, channels, h, w) -> (n, channels, ceil(h / stride), ceil(w / stride))."""

    def __init__(self, path: nn.Module, short: nn.Module) -> None:
        super().__init__()
        self.path, self.short = path, short

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.path(x) + self.short(x)
        return total


class SqueezeExcite(nn.Module):
    """Scales channels by a function of their means (Hu et al. 2018, arXiv 1709.01507, Sec. 3)."""

    def __init__(self, channels: int, squeeze: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeeze, 1),
            nn.ReLU(),
            nn.Conv2d(squeeze, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) -> the same."""
        scaled: Tensor = x * self.gate(x)
        return scaled
