"""How a tensor of the child is made of one of the parent: rows, columns and kernels are selected, so that the
same choice carries a weight and the optimiser's moments of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Column = tuple[int, int, float]
"""An input channel of the child, the parent's that it has the weights of, and the share of them that it
takes."""


@dataclass(frozen=True)
class Transfer:
    """Row j of the child is the parent's row `rows[j]`, silent where that is None. `columns` say where the
    input channels come from (None: in their order); those in `kept` keep their own weights, since what they
    read is zero. All are multiplied by `share`, that of one of several copies of a layer. Kernels are put in
    the middle of larger ones."""

    source: str
    rows: Sequence[int | None]
    columns: Sequence[Column] | None = None
    kept: Sequence[int] = ()
    share: float = 1.0

    def carry(self, parent: Tensor, own: Tensor, shares: bool = True) -> Tensor:
        """The child's tensor in the shape of `own`, its weights so far. Without `shares`, copies have the
        parent's weights whole, as moments do."""
        rows = torch.tensor([0 if r is None else r for r in self.rows])
        chosen = parent.detach().cpu().float()[rows]
        silent = [j for j, r in enumerate(self.rows) if r is None]
        chosen[silent] = 0.0
        if shares:
            chosen = chosen * self.share
        if self.columns is not None:
            chosen = self._spread(chosen, own.shape[1], shares)
        grown = centre(chosen, own.shape[2:])
        if self.kept:
            grown[:, list(self.kept)] = own.detach().cpu().float()[:, list(self.kept)]
        return grown.to(own)

    def _spread(self, chosen: Tensor, width: int, shares: bool) -> Tensor:
        spread = torch.zeros(len(chosen), width, *chosen.shape[2:])
        if not self.columns:
            return spread
        places, sources, parts = zip(*self.columns, strict=True)
        factors = torch.tensor(parts if shares else [1.0] * len(parts)).reshape(
            1, -1, *[1] * (spread.ndim - 2)
        )
        return spread.index_add_(1, torch.tensor(places), chosen[:, list(sources)] * factors)


def centre(weights: Tensor, kernel: Sequence[int]) -> Tensor:
    """The weights with zeros around them, or cut at the edges, so that their kernel has that size."""
    for axis, size in enumerate(kernel, 2):
        given = weights.shape[axis]
        if size < given:
            weights = weights.narrow(axis, (given - size) // 2, size)
        elif size > given:
            before = (size - given) // 2
            shape = list(weights.shape)
            shape[axis] = size
            grown = weights.new_zeros(shape)
            grown.narrow(axis, before, given).copy_(weights)
            weights = grown
    return weights.clone()


def spread_units(old: int, new: int) -> list[int]:
    """The parent's unit that each of `new` units is: all in their order, then copies of random ones
    (Net2WiderNet, Chen et al. 2016, Sec. 2.3). A function of the two numbers, so that layers whose outputs
    are added copy the same units."""
    generator = torch.Generator().manual_seed(1_000_003 * old + new)
    copies = torch.randint(old, (max(0, new - old),), generator=generator).tolist()
    return [*range(min(old, new)), *copies]


def strongest_units(weight: Tensor, count: int) -> list[int]:
    """The `count` rows of largest L1 norm, in their order (Li et al. 2017, "Pruning Filters for Efficient
    ConvNets", Sec. 3.1)."""
    norms = weight.detach().float().abs().flatten(1).sum(1)
    return sorted(norms.argsort(descending=True, stable=True)[:count].tolist())


def share_columns(
    places: Sequence[int], sources: Sequence[int], generator: torch.Generator, spread: float
) -> list[Column]:
    """The columns of input channels `places`, which all carry what the parent reads in `sources`. Of several
    copies each takes a share, which sum to 1: equal ones but for a random part of up to `spread`, without
    which copies would have equal gradients for ever (Chen et al. 2016, Sec. 2.3, add noise instead, which
    changes the function)."""
    if len(places) < len(sources):
        return [(places[n % len(places)], k, 1.0) for n, k in enumerate(sources)]
    columns: list[Column] = []
    for n, k in enumerate(sources):
        copies = places[n :: len(sources)]
        parts = 1.0 + spread * (2 * torch.rand(len(copies), generator=generator) - 1)
        columns += [(i, k, float(part)) for i, part in zip(copies, parts / parts.sum())]
    return columns
