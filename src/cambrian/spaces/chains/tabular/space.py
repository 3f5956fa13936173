"""Networks for tables: multilayer perceptrons, residual and gated networks, and attention among features, as
one space (Gorishniy et al. 2021, arXiv 2106.11959; the embeddings and blocks are in `network`). It is the
space of a search for a table for which nobody names one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture
from cambrian.choices import read_whole
from cambrian.errors import UnknownName
from cambrian.paths import at
from cambrian.spaces.bounds import check_bounds
from cambrian.spaces.budgets import list_sizes
from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.growth.depth_growth import DepthGrowth
from cambrian.spaces.space import Graph, Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.sharing.reading import Reading
    from cambrian.spaces.chains.tabular.network import Plan

EMBEDDINGS = ("plain", "periodic", "attention")
KINDS = ("plain", "residual", "gated")
WIDTHS = (0.5, 1.0, 2.0)
ACTIVATIONS = ("relu", "gelu")
DROPOUTS = (0.0, 0.1, 0.25)
RATES, DECAYS, LENGTHS = (1e-3, 3e-3), (0.02, 0.3, 1.0, 3.0), (0.125, 0.25, 0.5, 1.0)
"""Learning rates, weight decays, and shares of the longest training."""
MOST = 12
"""Blocks of a network."""


@dataclass(frozen=True)
class TabularNetworks(Space):
    """One to `blocks` blocks behind an embedding of the features. A level is the number of blocks. `begun`
    are the networks that a search begins with, by their names in the portfolio, and their widths.

    The training is searched with the network, since on tables it decides as much: few rows are learned by
    heart within few passes (Kadra et al. 2021, arXiv 2106.11189, "Well-tuned Simple Nets Excel on Tabular
    Datasets"). In a supernet, the embedding and the kinds of the blocks are shared; all else is outer."""

    blocks: int = 4
    begun: tuple[tuple[str, float], ...] = field(
        default=(("ft-transformer", 1.0), ("resnet", 1.0)), metadata={"later": True}
    )

    skeleton = ("filters",)
    sizes = list_sizes(filters=(8, 16, 24, 32))
    shared = ("embedding", "block#")

    def __post_init__(self) -> None:
        check_bounds("tabular", MOST, blocks=self.blocks)
        for name, width in self.begun:
            if name not in BEGINS:
                raise UnknownName("network to begin with", name, BEGINS)
            if width not in WIDTHS:
                raise UnknownName("width", str(width), map(str, WIDTHS))

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (DepthGrowth(self),)

    def program(self, pick: Pick) -> None:
        pick("embedding", EMBEDDINGS)
        pick("width", WIDTHS)
        pick("activation", ACTIVATIONS)
        pick("dropout", DROPOUTS)
        pick("train.learning_rate", RATES)
        pick("train.weight_decay", DECAYS)
        pick("train.length", LENGTHS)
        for n in range(1, pick.depth("blocks", 1, self.blocks) + 1):
            pick(at("block", n), KINDS)

    @property
    def portfolio(self) -> Mapping[str, Architecture]:
        """Published networks, fitted to this space, the favourites first."""
        return {
            name: _read_network(embedding, blocks)
            for name, (embedding, blocks) in PORTFOLIO.items()
            if len(blocks) <= self.blocks
        }

    @property
    def begins(self) -> Mapping[str, Architecture]:
        """The networks that every search trains first, each with the length of training that suits it: where
        features act together attention is ahead of the others, and on a few hundred rows a short training is
        (`benchmarks/tables.py --portfolio`)."""
        known = self.portfolio
        return {
            name: Architecture({**known[name], "train.length": BEGINS[name], "width": width})
            for name, width in self.begun
            if name in known
        }

    def narrow(self, keeps: Callable[[Architecture], bool]) -> TabularNetworks:
        """See `cambrian.spaces.knowledge.Narrows`; none is wider than in `begun`."""
        widest: dict[str, float] = {}
        for name, architecture in self.begins.items():
            widths = [w for w in reversed(WIDTHS) if w <= architecture["width"]]  # type: ignore[operator]
            fitting = (w for w in widths if keeps(Architecture({**architecture, "width": w})))
            if (width := next(fitting, None)) is not None:
                widest[name] = width
        return replace(self, begun=tuple(widest.items()))

    def read_size(self, task: Signature) -> dict[str, Any]:
        return {}

    def plan(self, architecture: Architecture) -> Plan:
        from cambrian.spaces.chains.tabular.network import Plan

        settings = (architecture[name] for name in ("width", "activation", "dropout"))
        embedding, blocks = str(architecture["embedding"]), self._list_blocks(architecture)
        return Plan(embedding, blocks, *settings)  # type: ignore[arg-type]

    def make(self, read: Reading[Plan], task: Signature, **skeleton: Any) -> nn.Module:
        """`filters` (16) are an eighth of the units of a block of width 1. Of an image, every pixel is a
        feature."""
        from cambrian.spaces.chains.tabular.network import network

        return network(read, task.channels * task.height * task.width, task.classes, **skeleton)

    def graph(self, architecture: Architecture) -> Graph:
        """The embedding and a chain of blocks."""
        blocks = self._list_blocks(architecture)
        labels = ("input", str(architecture["embedding"]), *blocks, "output")
        groups = ("input", "embedding", *(f"block {n}" for n in range(1, len(blocks) + 1)), "output")
        return build_graph(labels, tuple((i, i + 1) for i in range(len(labels) - 1)), groups)

    def _list_blocks(self, architecture: Architecture) -> tuple[str, ...]:
        count = read_whole(architecture["blocks"])
        return tuple(str(architecture[f"block{n}"]) for n in range(1, count + 1))


PORTFOLIO: dict[str, tuple[str, tuple[str, ...]]] = {
    "resnet": ("plain", ("residual",) * 2),
    "mlp": ("plain", ("plain",) * 2),
    "mlp-plr": ("periodic", ("plain",) * 2),
    "ft-transformer": ("attention", ("residual",)),
    "gated": ("plain", ("gated",) * 3),
}
"""The embedding and the blocks of each."""
BEGINS = {"ft-transformer": 1.0, "resnet": 0.25}
"""Names of the portfolio, and the shares of the longest training."""


def _read_network(embedding: str, blocks: tuple[str, ...]) -> Architecture:
    settings: dict[str, Any] = {"embedding": embedding, "width": 1.0, "activation": "relu", "dropout": 0.1}
    settings |= {"train.learning_rate": 3e-3, "train.weight_decay": 0.3, "train.length": 0.25}
    kinds = {f"block{n}": kind for n, kind in enumerate(blocks, 1)}
    return Architecture({**settings, "blocks": len(blocks), **kinds})
