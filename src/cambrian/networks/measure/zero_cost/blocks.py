"""The blocks of a network: the modules of its trunk, and their maps of features."""

from __future__ import annotations

from torch import Tensor, nn

from cambrian.networks.measure.zero_cost.fisher import record_outputs
from cambrian.networks.measure.zero_cost.proxy import compute_logits


def list_blocks(network: nn.Module) -> list[nn.Module]:
    """The outermost modules that are made of others, without the containers that only order them: a stem, the
    cells, the reductions; where there are none, the layers."""
    blocks = [b for child in network.children() for b in _descend(child)]
    composite = [b for b in blocks if list(b.children())]
    return composite or blocks


def _descend(module: nn.Module) -> list[nn.Module]:
    """The module, or in its place the children of a list, or of a sequence that holds composite modules."""
    children = list(module.children())
    orders = isinstance(module, nn.ModuleList | nn.ModuleDict)
    holds = isinstance(module, nn.Sequential) and any(list(c.children()) for c in children)
    return [b for c in children for b in _descend(c)] if orders or holds else [module]


def read_maps(network: nn.Module, images: Tensor) -> list[Tensor]:
    """The maps float[n, channels, height, width] that the blocks return, in the order in which they run; the
    graph of their gradients is kept."""
    with record_outputs(list_blocks(network)) as outputs:
        compute_logits(network, images)
    return [output for output in outputs if output.dim() == 4]
