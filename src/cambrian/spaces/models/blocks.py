"""Blocks that can be left out: modules whose output has the shape of their input."""

from __future__ import annotations

from torch import nn

from cambrian.spaces.models.forward import Forward
from cambrian.spaces.models.layers import put_module
from cambrian.spaces.models.questions import BLOCK, DROP, KEEP, Question, is_within, name_question

HOLDERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
"""Their parts are left out one by one, not they themselves."""
NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)
"""Without them the rest of a network is hardly the same: `norms` asks about them."""


def find_blocks(forward: Forward) -> list[Question]:
    """The outermost blocks that keep the shape."""
    found: list[str] = []
    for path, module in forward.network.named_modules():
        if path and not is_within(path, found) and _keeps_shape(forward, path, module):
            found.append(path)
    return [Question(BLOCK, name_question(p, BLOCK), (KEEP, DROP), KEEP, (p,)) for p in found]


def _keeps_shape(forward: Forward, path: str, module: nn.Module) -> bool:
    if isinstance(module, HOLDERS + NORMS) or not any(True for _ in module.parameters()):
        return False
    visits = forward.visits.get(path, [])
    return len(visits) == 1 and visits[0].given is not None and visits[0].given == visits[0].gives


def drop_block(network: nn.Module, path: str) -> None:
    """Put an identity in the place of the block."""
    put_module(network, path, nn.Identity())
