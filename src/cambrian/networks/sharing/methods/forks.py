"""The forks of a supernet, by the questions that they answer and by the gates that mix them."""

from __future__ import annotations

from torch import nn

from cambrian.networks.sharing.norms import NORMS
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


def fix_scales(supernet: Supernet) -> None:
    """Let the normalisations of mixed candidates learn neither a scale nor a shift."""
    mixed = [m for m in supernet.modules() if isinstance(m, Fork) and m.gate in supernet.sites]
    for norm in (part for fork in mixed for part in fork.modules() if isinstance(part, NORMS)):
        norm.requires_grad_(False)
