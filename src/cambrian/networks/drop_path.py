"""Networks that drop whole paths in training (stochastic depth, Huang et al. 2016; scheduled as in Zoph et
al. 2018, Sec. 4) say so by two attributes, so that a training need not know their family.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import nn


@runtime_checkable
class DropsPaths(Protocol):
    """A module with a rate of its own: `drop_path` is the rate it wants at the end of a training."""

    drop_path: float

    def set_drop_path(self, rate: float) -> None:
        """Drop at `rate` from now on; how it is shared among the paths is the module's business."""
        ...


def find_path_droppers(network: nn.Module) -> list[DropsPaths]:
    """The modules of the network, itself included, that drop paths. Looked up once for a training: the check
    of a protocol is slow beside the setting of a rate."""
    return [module for module in network.modules() if isinstance(module, DropsPaths)]


def set_drop_path(network: nn.Module, rate: float) -> None:
    """Every module that drops paths does so at `rate` from now on. Other networks are left as they are."""
    for module in find_path_droppers(network):
        module.set_drop_path(rate)
