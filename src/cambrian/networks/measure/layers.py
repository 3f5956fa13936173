"""The number of layers that are trained: the simplest measure of depth, which ranks NAS-Bench-201 as well as
MACs do (Tybl & Neumann, CVPR 2025, Table 1)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from cambrian.networks.measure.counted import Count
from cambrian.networks.skeletons.cell_network import AuxiliaryHead


def count_layers(network: nn.Module) -> int:
    """Modules with trainable parameters of their own, such as convolutions, linear layers and normalisations;
    an auxiliary head does not count."""
    heads = {part for m in network.modules() if isinstance(m, AuxiliaryHead) for part in m.modules()}
    return sum(
        any(p.requires_grad for p in module.parameters(recurse=False))
        for module in network.modules()
        if module not in heads
    )


@dataclass(frozen=True)
class Layers(Count):
    """The measure `layers`: modules with trainable parameters of their own."""

    def protocol(self, device: str) -> str:
        return "modules with trainable parameters of their own"

    def __call__(self, network: nn.Module, batch: Tensor, device: str) -> float:
        return float(count_layers(network))
