"""The child's tensors as they are written, and what of the parent is lost by it."""

from __future__ import annotations

import torch
from torch import Tensor

from cambrian.networks.morphisms.following import Carried, Network
from cambrian.networks.morphisms.transfers import Transfer


class Writer:
    """Gives the child tensors; `carried` is all that it has so far."""

    def __init__(self, parent: Network, child: Network) -> None:
        self.parent, self.child = parent, child
        self.carried = Carried()

    def lose(self, n: int, weight: str) -> None:
        self.carried.lost.append(weight)
        self.carried.failed.append(n)

    def write(self, n: int, name: str, transfer: Transfer) -> None:
        own, parents = self.child.tensors[name], self.parent.tensors[transfer.source]
        self.put(n, name, transfer.carry(parents, own), transfer.source)
        self.carried.transfers.setdefault(name, transfer)

    def put(self, n: int, name: str, tensor: Tensor, source: str = "") -> None:
        """Give the child a tensor for its call n. Of a module that is called several times the first call
        decides, and what another would need in its place is lost."""
        known = self.carried.tensors.setdefault(name, tensor)
        if known is not tensor and not torch.equal(known.cpu(), tensor.cpu()):
            transfer = self.carried.transfers.get(name)
            self.lose(n, source or (transfer.source if transfer else name))
