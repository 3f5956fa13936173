"""The dropping of whole paths in training (stochastic depth, Huang et al. 2016; scheduled as in Zoph et al.
2018, Sec. 4). A module that does it has two attributes, so that a training need not know its family.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import nn


@runtime_checkable
class DropsPaths(Protocol):
    """A module that drops paths: `drop_path` is the rate it wants at the end of a training."""

    drop_path: float

    def set_drop_path(self, rate: float) -> None:
        """Drop paths at `rate` from now on; the module distributes the rate over its paths."""
        ...


def find_path_droppers(network: nn.Module) -> list[DropsPaths]:
    """The modules that drop paths, the network itself included."""
    # A training calls this once and keeps the list: checking a protocol is slow beside setting a rate.
    return [module for module in network.modules() if isinstance(module, DropsPaths)]


def set_drop_path(network: nn.Module, rate: float) -> None:
    """Let every module that drops paths do so at `rate` from now on. Other modules are left as they are."""
    for module in find_path_droppers(network):
        module.set_drop_path(rate)
