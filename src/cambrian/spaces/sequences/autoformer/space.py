"""The transformer encoders of AutoFormer (Chen et al., ICCV 2021, arXiv 2107.00651, Sec. 3.1, Table 1).

The questions are the width of the tokens, which all layers share, the number of layers, and for each layer
its attention heads and the ratio of its hidden layer to the tokens. A head has a fixed
width, so that queries, keys and values together grow with the heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture
from cambrian.choices import Scalar, read_whole
from cambrian.errors import SpaceError
from cambrian.options import shorten
from cambrian.paths import at
from cambrian.spaces.bounds import check_bounds
from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.growth.depth_growth import DepthGrowth
from cambrian.spaces.program.function_space import is_causal
from cambrian.spaces.space import Graph, Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.sharing.reading import Reading
    from cambrian.spaces.sequences.autoformer.network import Widths

LAYERS, HEADS, WIDTH, RATIO = 50, 64, 4096, 16  # at most
SETTINGS = ("patch", "relative")


@dataclass(frozen=True)
class AutoFormer(Space):
    """The options: `embeddings` (width of the tokens), `heads` and `ratios` of each layer, and
    between `depths` layers. The default is for images of 8 to 32 pixels on a CPU; the paper's three
    spaces are `tiny()`, `small()` and `base()`.

    All questions are shared, by the paper's weight entanglement (Sec. 3.2): a network has the first slices of
    the weights of the largest, and its first layers."""

    skeleton = SETTINGS
    causal = True
    shared = ("embedding", "depth", "layer#/heads", "layer#/ratio")

    embeddings: tuple[int, ...] = (32, 48, 64)
    heads: tuple[int, ...] = (2, 3, 4)
    ratios: tuple[float, ...] = (2.0, 3.0, 4.0)
    depths: tuple[int, int] = (2, 6)
    head_width: int = 16

    @staticmethod
    def tiny() -> AutoFormer:
        return AutoFormer((192, 216, 240), (3, 4), (3.5, 4.0), (12, 14), 64)

    @staticmethod
    def small() -> AutoFormer:
        return AutoFormer((320, 384, 448), (5, 6, 7), (3.0, 3.5, 4.0), (12, 14), 64)

    @staticmethod
    def base() -> AutoFormer:
        return AutoFormer((528, 576, 624), (8, 9, 10), (3.0, 3.5, 4.0), (14, 16), 64)

    def __post_init__(self) -> None:
        check_bounds("autoformer", WIDTH, embeddings=self.embeddings, head_width=self.head_width)
        check_bounds("autoformer", HEADS, heads=self.heads)
        check_bounds("autoformer", LAYERS, depths=self.depths)
        if not all(0 < ratio <= RATIO for ratio in self.ratios):
            raise SpaceError(
                f"space 'autoformer': ratios are above 0 and at most {RATIO}, got {shorten(self.ratios)}"
            )
        for name in ("embeddings", "heads", "ratios"):
            if not getattr(self, name):
                raise SpaceError(f"space 'autoformer': {name} are at least one, got none")
        if len(self.depths) != 2 or self.depths[0] > self.depths[1]:
            raise SpaceError(
                f"space 'autoformer': depths are the least and the greatest number of layers, "
                f"got {self.depths}"
            )

    def size(self, level: int) -> int:
        """How many architectures have `level` layers.

        >>> sum(AutoFormer.tiny().size(level) for level in (12, 13, 14))
        1056964608
        """
        count: int = len(self.embeddings) * (len(self.heads) * len(self.ratios)) ** level
        return count

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (DepthGrowth(self),)

    def program(self, pick: Pick) -> None:
        pick("embedding", self.embeddings)
        for i in range(1, pick.depth("depth", *self.depths) + 1):
            pick(at("layer", i, "/heads"), self.heads)
            pick(at("layer", i, "/ratio"), self.ratios)

    def plan(self, architecture: Architecture) -> Widths:
        """The width of the tokens, and (heads, width of the hidden layer) of each layer."""
        embedding, layers = self.widths(architecture)
        return embedding, tuple(layers)

    def make(self, read: Reading[Widths], task: Signature, **skeleton: Any) -> nn.Module:
        """The skeleton has `patch`, the side of a patch in pixels (chosen to fit the image), and
        `relative`: relative positions beside the absolute ones (True). Any shapes fit, by construction. Of
        a causal task, a row is a patch, and attends to those before it alone."""
        from cambrian.spaces.sequences.autoformer.network import network

        embedding = max(self.embeddings)
        # The largest network has the most of everything, whether or not an architecture combines them.
        layer = max(self.heads), int(embedding * max(self.ratios))
        most = embedding, (layer,) * self.depths[1]
        shape = (task.channels, task.height, task.width, task.classes)
        return network(read, most, *shape, head_width=self.head_width, causal=is_causal(task), **skeleton)

    def widths(self, architecture: Architecture) -> tuple[int, list[tuple[int, int]]]:
        """The width of the tokens, and (heads, width of the hidden layer) of each layer."""
        embedding = int(architecture["embedding"])  # type: ignore[arg-type]
        answers = [
            (architecture[f"layer{i}/heads"], architecture[f"layer{i}/ratio"])
            for i in range(1, read_whole(architecture["depth"]) + 1)
        ]
        return embedding, [(int(h), int(embedding * float(r))) for h, r in answers]  # type: ignore[arg-type]

    def architecture(self, embedding: int, layers: Sequence[tuple[int, float]]) -> Architecture:
        """The architecture of layers given as (heads, ratio)."""
        answers: dict[str, Scalar] = {"embedding": embedding, "depth": len(layers)}
        for i, (heads, ratio) in enumerate(layers, 1):
            answers |= {f"layer{i}/heads": heads, f"layer{i}/ratio": float(ratio)}
        return Architecture(answers)

    def canonical(self, architecture: Architecture) -> str:
        """Equal only for architectures whose ratios round to the same widths."""
        embedding, layers = self.widths(architecture)
        return " ".join([str(embedding), *(f"{heads}h{hidden}" for heads, hidden in layers)])

    def graph(self, architecture: Architecture) -> Graph:
        """Patches; in each layer "attention" and "perceptron", each added to its input; the head."""
        labels, groups = ["input", f"patches {architecture['embedding']}"], ["input", "patches"]
        edges = [(0, 1)]
        for i in range(1, read_whole(architecture["depth"]) + 1):
            heads, ratio = architecture[f"layer{i}/heads"], architecture[f"layer{i}/ratio"]
            for part in (f"attention {heads}", f"perceptron x{ratio:g}"):
                at = len(labels)
                labels += [part, "add"]
                groups += [f"layer {i}"] * 2
                # The branch, and the identity around it.
                edges += [(at - 1, at), (at - 1, at + 1), (at, at + 1)]
        edges.append((len(labels) - 1, len(labels)))
        return build_graph((*labels, "output"), tuple(edges), (*groups, "output"))
