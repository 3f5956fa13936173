"""The forks of a supernet by the questions that they answer."""

from __future__ import annotations

from torch import nn

from cambrian.networks.sharing.supernet import Supernet
from cambrian.networks.sharing.switches import Fork


def count_options(supernet: Supernet) -> dict[str, int]:
    """The shared questions that are answered by forks of modules only, with their numbers of options."""
    answering: dict[str, list[nn.Module]] = {path: [] for path in supernet.choices}
    for module in supernet.modules():
        if getattr(module, "path", None) in answering:
            answering[module.path].append(module)  # type: ignore[index]
    # A question that also decides other parts cannot be mixed: those need one answer.
    return {
        path: len(switches[0].options)  # type: ignore[arg-type]
        for path, switches in answering.items()
        if switches and all(isinstance(switch, Fork) for switch in switches)
    }
