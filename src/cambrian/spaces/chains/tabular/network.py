"""Networks for the rows of tables: an embedding of the features, blocks of one width, a linear layer.

Embeddings, of which each makes one vector of a row:
    plain      the features as they are
    periodic   sines and cosines of each feature, by learned frequencies, and a linear layer of its own with a
               ReLU (Gorishniy et al. 2022, arXiv 2203.05556, Sec. 3.3, "PLR")
    attention  a token for each feature, among which a transformer's layer attends; the vector is a further
               token's (Gorishniy et al. 2021, arXiv 2106.11959, Sec. 3.3, FT-Transformer)
Blocks:
    plain      a linear layer, normalisation, activation, dropout
    residual   normalisation, a linear layer of twice the width, activation, dropout, a linear layer, beside
               an identity (the same, Sec. 3.2, ResNet)
    gated      the same with a gated linear unit (Shazeer 2020, arXiv 2002.05202)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cambrian.networks.sharing.reading import Maker, Reading
from cambrian.settings import COUNT, check_numbers
from cambrian.spaces.chains.stages.network import Beside

UNITS = 8
"""Units of a block for each of the `filters`, which are the common measure of widths."""
FREQUENCIES, SIGMA = 8, 0.5
"""Frequencies of a feature, and the deviation of their first values."""
HEADS = 4


class Plan(NamedTuple):
    """A network: its embedding, the blocks' kinds, their width as a multiple of the usual one, the activation
    and the share of units dropped in training."""

    embedding: str
    blocks: tuple[str, ...]
    width: float
    activation: str
    dropout: float


def network(read: Reading[Plan], features: int, classes: int, *, filters: int = 16) -> nn.Module:
    """Takes float[n, channels, h, w], of `features` numbers each, gives float[n, classes]."""
    check_numbers(COUNT, filters=filters)
    wide, dropout, act = read.value(
        lambda plan: (scale_units(filters, plan.width), plan.dropout, ACTIVATIONS[plan.activation])
    )
    embeddings: dict[str, Maker] = {
        "plain": partial(nn.Linear, features, wide),
        "periodic": partial(Periodic, features, wide),
        "attention": partial(Attention, features, wide, dropout),
    }
    modules: list[nn.Module] = [
        nn.Flatten(),
        read.fork(lambda plan: plan.embedding, embeddings, "embedding"),
    ]
    for place in range(read.value(lambda plan: len(plan.blocks))):
        makers = {kind: partial(make, wide, act, dropout) for kind, make in BLOCKS.items()}
        modules.append(read.fork(partial(_read_block, place), makers, f"block{place + 1}"))
    return nn.Sequential(*modules, nn.BatchNorm1d(wide), act(), nn.Linear(wide, classes))


def scale_units(filters: int, width: float) -> int:
    """The units of a block, in eights: HEADS divide them.

    >>> scale_units(16, 1.0), scale_units(8, 0.5)
    (128, 32)
    """
    return max(8, 8 * round(UNITS * filters * width / 8))


def _read_block(place: int, plan: Plan) -> str:
    return plan.blocks[place]


class Periodic(nn.Module):
    """Float[n, features] -> float[n, out]."""

    def __init__(self, features: int, out: int) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(torch.randn(features, FREQUENCIES) * SIGMA)
        self.weight = nn.Parameter(torch.empty(features, 2 * FREQUENCIES, FREQUENCIES))
        self.bias = nn.Parameter(torch.zeros(features, FREQUENCIES))
        nn.init.uniform_(self.weight, -1 / math.sqrt(2 * FREQUENCIES), 1 / math.sqrt(2 * FREQUENCIES))
        self.mix = nn.Linear(features * FREQUENCIES, out)

    def forward(self, x: Tensor) -> Tensor:
        angles = 2 * math.pi * x[:, :, None] * self.frequencies
        waves = torch.cat([angles.sin(), angles.cos()], -1)  # [n, features, 2 * FREQUENCIES]
        embedded = F.relu(torch.einsum("nfk,fko->nfo", waves, self.weight) + self.bias)
        mixed: Tensor = self.mix(embedded.flatten(1))
        return mixed


class Attention(nn.Module):
    """Float[n, features] -> float[n, out]."""

    def __init__(self, features: int, out: int, dropout: float) -> None:
        super().__init__()
        # A token is narrower than a block: there are as many of them as there are features.
        size = HEADS * max(2, out // (4 * HEADS))
        self.weight = nn.Parameter(torch.randn(features, size) / math.sqrt(size))
        self.bias = nn.Parameter(torch.randn(features, size) / math.sqrt(size))
        self.summary = nn.Parameter(torch.randn(size) / math.sqrt(size))
        self.normalise = nn.LayerNorm(size)
        self.project = nn.Linear(size, 3 * size)
        self.join = nn.Linear(size, size)
        self.feed = nn.Sequential(
            nn.LayerNorm(size), nn.Linear(size, 2 * size), nn.GELU(), nn.Dropout(dropout)
        )
        self.back = nn.Linear(2 * size, size)
        self.out = nn.Linear(size, out)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x[:, :, None] * self.weight + self.bias
        tokens = torch.cat([self.summary.expand(x.shape[0], 1, -1), tokens], 1)
        n, count, size = tokens.shape
        parts = self.project(self.normalise(tokens)).reshape(n, count, 3, HEADS, size // HEADS)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        # Only the summary is read on, so that it alone asks. Written out, since torch's own attention chooses
        # among algorithms that differ in the last bits.
        weights = (query[:, :, :1] @ key.transpose(-1, -2) / math.sqrt(size // HEADS)).softmax(-1)
        seen = weights @ value
        summary = tokens[:, 0] + self.join(seen.reshape(n, size))
        embedded: Tensor = self.out(summary + self.back(self.feed(summary)))
        return embedded


class Gate(nn.Module):
    """A linear layer whose one half, activated, multiplies the other: float[n, units] -> float[n, out]."""

    def __init__(self, units: int, out: int, act: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.linear = nn.Linear(units, 2 * out)
        self.act = act()

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.linear(x).chunk(2, -1)
        gated: Tensor = value * self.act(gate)
        return gated


def _make_plain(units: int, act: Callable[[], nn.Module], dropout: float) -> nn.Module:
    return nn.Sequential(
        nn.BatchNorm1d(units), act(), nn.Dropout(dropout), nn.Linear(units, units, bias=False)
    )


def _make_residual(units: int, act: Callable[[], nn.Module], dropout: float) -> nn.Module:
    wide = nn.Linear(units, 2 * units)
    return Beside(nn.BatchNorm1d(units), wide, act(), nn.Dropout(dropout), nn.Linear(2 * units, units))


def _make_gated(units: int, act: Callable[[], nn.Module], dropout: float) -> nn.Module:
    return Beside(
        nn.BatchNorm1d(units), Gate(units, units, act), nn.Dropout(dropout), nn.Linear(units, units)
    )


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU}
BLOCKS: dict[str, Callable[..., nn.Module]] = {
    "plain": _make_plain,
    "residual": _make_residual,
    "gated": _make_gated,
}
