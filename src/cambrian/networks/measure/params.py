"""Trainable parameters of a network at inference: an auxiliary head, which runs only in training, does not
count."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from cambrian.networks.measure.counted import Count
from cambrian.networks.skeletons.cell_network import AuxiliaryHead


def params(network: nn.Module) -> int:
    """The number of trainable parameters; a parameter that two modules share counts once."""
    heads = [m for m in network.modules() if isinstance(m, AuxiliaryHead)]
    unused = {p for head in heads for p in head.parameters()}
    return sum(p.numel() for p in network.parameters() if p.requires_grad and p not in unused)


@dataclass(frozen=True)
class Params(Count):
    """The measure `params`: trainable parameters."""

    def protocol(self, device: str) -> str:
        return "trainable ones, counted without building any"

    def __call__(self, network: nn.Module, batch: Tensor, device: str) -> float:
        return float(params(network))
