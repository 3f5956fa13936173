"""The state of the optimiser through a morphism: a copied unit has the moments of its original, a new one
none (as the released code of DrNAS, Chen et al. 2021, does when it widens its supernet)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cambrian.networks.morphisms.transfers import Transfer


def carry_moments(
    moments: Mapping[str, Tensor], parent: nn.Module, child: nn.Module, transfers: Mapping[str, Transfer]
) -> dict[str, Tensor]:
    """The child's moments by "index.name", as an optimiser's state has them (see `Descent.state`), of those
    of the parent in the same form."""
    carried: dict[str, Tensor] = {}
    theirs = {name: i for i, name in enumerate(_learned(parent))}
    for i, (name, weight) in enumerate(_learned(child).items()):
        transfer = transfers.get(name)
        if transfer is None or transfer.source not in theirs:
            continue
        prefix = f"{theirs[transfer.source]}."
        for key, moment in moments.items():
            if key.startswith(prefix):
                place = f"{i}.{key.removeprefix(prefix)}"
                # A count of steps has no units to choose among.
                whole = moment.ndim == 0 or weight.ndim == 0
                carried[place] = moment.clone() if whole else _carry(moment, weight, transfer)
    return carried


def _carry(moment: Tensor, weight: Tensor, transfer: Transfer) -> Tensor:
    return transfer.carry(moment, torch.zeros_like(weight, device="cpu"), shares=False)


def _learned(network: nn.Module) -> dict[str, nn.Parameter]:
    return {name: p for name, p in network.named_parameters() if p.requires_grad}
