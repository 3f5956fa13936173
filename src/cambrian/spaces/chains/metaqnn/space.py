"""MetaQNN's chains (Baker et al., ICLR 2017, arXiv 1611.02167, Sec. 4 and Table 1): convolutions, poolings
and dense layers, where the legal types depend on the layers before and on how small the image has become.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture, replay
from cambrian.choices import Answer, read_whole
from cambrian.spaces.bounds import check_bounds
from cambrian.spaces.budgets import list_sizes
from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.growth.answer_morphs import AnswerMorphs
from cambrian.spaces.growth.depth_growth import DepthGrowth
from cambrian.spaces.small_images import small
from cambrian.spaces.space import Graph, Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.sharing.reading import Reading
    from cambrian.spaces.chains.metaqnn.network import Layer

KERNELS = (1, 3, 5)
FILTERS = (64, 128, 256, 512)
POOLS = ((5, 3), (3, 2), (2, 2))  # window and stride
UNITS = (512, 256, 128)
DENSE = 2  # dense layers at most, the last one to the classes not counted
SMALL = 8  # a dense layer needs an image smaller than that
MOST = 50  # layers: the paper has 18
PIXELS = 4096
SETTINGS = ("width", "normalise", "dropout")

MORPHS = {"layers": "deepen", "layer#/kernel": "kernel", "layer#/filters": "widen", "layer#/units": "widen"}


@dataclass(frozen=True)
class MetaQNN(Space):
    """Chains of 1 to `layers` layers for images of `image` pixels a side. One without a dense layer ends in
    global pooling.

    No pooling comes first or after a pooling, windows and kernels are no larger than the image, dense
    layers come last, at most two, not growing.

    Shared are sizes: kernels, each with weights of its own, and filters and units, of which a narrow layer
    has the first ones. How many layers there are, of which types, and the poolings are outer: they say how
    many pixels a dense layer reads."""

    skeleton = SETTINGS
    sizes = list_sizes(width=(0.125, 0.25, 0.5, 1.0))
    shared = ("layer#/kernel", "layer#/filters", "layer#/units")

    layers: int = 6
    image: int = 32

    measure = "uniform over the number of layers, then over answers"

    def __post_init__(self) -> None:
        check_bounds("metaqnn", MOST, layers=self.layers)
        check_bounds("metaqnn", PIXELS, image=self.image)

    @staticmethod
    def paper() -> MetaQNN:
        """18 layers at most, on CIFAR-10 and SVHN."""
        return MetaQNN(layers=18)

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (DepthGrowth(self), AnswerMorphs(self, MORPHS))

    def program(self, pick: Pick) -> None:
        # "pool" before the first layer: no pooling may come first.
        image, dense, units, kind = self.image, 0, UNITS[0], "pool"
        depth = pick.depth("layers", 1, self.layers)
        for n in range(1, depth + 1):
            inside = pick.inside("layer", n)
            kind = inside("type", self._types(kind, image, dense, left=depth - n))
            if kind == "conv":
                inside("kernel", _kernels(image))
                inside("filters", FILTERS)
            elif kind == "pool":
                window, stride = _pool(inside("pool", _pools(image)))
                image = _pool_side(image, window, stride)
            else:
                dense, units = dense + 1, inside("units", tuple(u for u in UNITS if u <= units))

    def _types(self, before: str, image: int, dense: int, left: int) -> tuple[str, ...]:
        """The types of a layer after `before` and `dense` dense layers, with `left` layers to come: only
        those after which the chain can be completed."""
        # After a dense layer only dense ones may follow, of which there are two at most.
        types = ["dense"] if image < SMALL and left < DENSE - dense else []
        if not dense:
            types = ["conv", *(["pool"] if before == "conv" and _pools(image) else []), *types]
        return tuple(types)

    def plan(self, architecture: Architecture) -> list[Layer]:
        """The layers."""
        from cambrian.spaces.chains.metaqnn.network import Layer

        image, layers = self.image, list[Layer]()
        for kind, size, other in self.rows(architecture):
            options = _kernels(image) if kind == "conv" else ()
            # The kernels on offer depend on the image left, so that the poolings are followed here, too.
            image = _pool_side(image, size, other) if kind == "pool" else image
            layers.append(Layer(kind, size, other, options))
        return layers

    def make(self, read: Reading[Sequence[Layer]], task: Signature, **skeleton: Any) -> nn.Module:
        """The skeleton has `width`, which multiplies all filters and units (1.0; 0.25 for small images),
        `normalise` (True: batch normalisation after each convolution, which the paper does without) and
        `dropout`: after every second layer, growing up to this probability (0.0; the paper's is 0.5). A
        pooling whose window is larger than the task's image is left out."""
        from cambrian.spaces.chains.metaqnn.network import network

        settings = small(task, skeleton, width=0.25)
        image = (task.channels, task.height, task.width)
        return network(read, image, task.classes, widest=max(*FILTERS, *UNITS), **settings)

    def rows(self, architecture: Architecture) -> Iterator[tuple[str, int, int]]:
        """("conv", kernel, filters), ("pool", window, stride) or ("dense", units, 0) of every layer."""
        for n in range(1, read_whole(architecture["layers"]) + 1):
            kind, at = str(architecture[f"layer{n}/type"]), f"layer{n}/"
            if kind == "pool":
                yield kind, *_pool(architecture[at + "pool"])
            else:
                size = "kernel" if kind == "conv" else "units"
                yield kind, int(architecture[at + size]), int(architecture.get(at + "filters", 0))  # type: ignore[arg-type]

    def architecture(self, rows: Sequence[tuple[str, int, int]]) -> Architecture:
        """The inverse of `rows`."""
        answers: dict[str, Answer] = {"layers": len(rows)}
        for n, (kind, size, other) in enumerate(rows, 1):
            named: dict[str, dict[str, Answer]] = {
                "conv": {"kernel": size, "filters": other},
                "pool": {"pool": f"{size}/{other}"},
                "dense": {"units": size},
            }
            answers |= {f"layer{n}/{k}": v for k, v in {"type": kind, **named[kind]}.items()}
        return replay(self, answers)

    @staticmethod
    def paper_network() -> Architecture:
        """The best network of the paper on CIFAR-10 (Table A1): 6.92 % error, 11.18 million parameters."""
        convolutions = [("conv", k, f) for k, f in ((5, 512), (3, 256), (5, 256), (3, 256))]
        late = [("conv", 3, 512), ("conv", 5, 512), ("pool", 2, 2)]
        return MetaQNN(layers=8).architecture([*convolutions, ("pool", 5, 3), *late])

    def canonical(self, architecture: Architecture) -> str:
        """Every chain is a function of its own: its layers as the paper writes them."""
        return " ".join(_label(*row) for row in self.rows(architecture))

    def graph(self, architecture: Architecture) -> Graph:
        labels = ("input", *(_label(*row) for row in self.rows(architecture)), "output")
        groups = ("input", *(f"layer {n}" for n in range(1, len(labels) - 1)), "output")
        return build_graph(labels, tuple((i, i + 1) for i in range(len(labels) - 1)), groups)


def _kernels(image: int) -> tuple[int, ...]:
    return tuple(kernel for kernel in KERNELS if kernel <= image)


def _pool_side(image: int, window: int, stride: int) -> int:
    """Pixels of a side after a pooling."""
    return -(-(image - window + 1) // stride)


def _pools(image: int) -> tuple[str, ...]:
    return tuple(f"{window}/{stride}" for window, stride in POOLS if window <= image)


def _pool(answer: Answer) -> tuple[int, int]:
    """
    >>> _pool("5/3")
    (5, 3)
    """
    window, stride = str(answer).split("/")
    return int(window), int(stride)


def _label(kind: str, size: int, other: int) -> str:
    """C(filters, kernel, stride), P(window, stride), FC(units)."""
    return {"conv": f"C({other},{size},1)", "pool": f"P({size},{other})", "dense": f"FC({size})"}[kind]
