"""Run a network on copies of its tensors, on any device, and leave it as it was.

`torch.func.functional_call` does nearly that. Where one module has several names it puts the copies back
in place of the weights, and what a forward keeps for itself (a computed weight, a cache) stays.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

KEPT = ("_parameters", "_buffers", "_modules")


@dataclass
class Visit:
    """What a run on copies found: whether the forward made parts of the network (parameters, modules)."""

    made_parts: bool = False


def copied(network: nn.Module, copies: dict[int, Any] | None = None) -> nn.Module:
    """A deep copy, also of a network that keeps tensors which it computed with gradients (as torch's older
    weight_norm does): Python's own copy refuses those. `copies` is filled with what became of which id."""
    copies = {} if copies is None else copies
    for module in network.modules():
        for value in module.__dict__.values():
            if isinstance(value, Tensor) and not value.is_leaf:
                copies[id(value)] = value.detach().clone()
    return copy.deepcopy(network, copies)


@contextmanager
def tensor_copies(network: nn.Module, device: str) -> Iterator[Visit]:
    """Inside, every parameter, buffer and tensor attribute is a copy on `device`, one for each tensor however
    many modules hold it; afterwards every module's attributes are those it had."""
    copies: dict[int, Tensor] = {}
    saved = [(module, *_contents(module)) for module in network.modules()]
    visit = Visit()
    try:
        for module, *_ in saved:
            _put_copies(module, device, copies)
        yield visit
    finally:
        for module, attributes, kept in saved:
            visit.made_parts |= any(set(module.__dict__[name]) - set(kept[name]) for name in KEPT)
            _put_back(module, attributes, kept)


def _contents(module: nn.Module) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    return dict(module.__dict__), {name: dict(module.__dict__[name]) for name in KEPT}


def _put_copies(module: nn.Module, device: str, copies: dict[int, Tensor]) -> None:
    holders: list[dict[str, Any]] = [module.__dict__, module._parameters, module._buffers]
    for holder in holders:
        for name, value in list(holder.items()):
            if isinstance(value, Tensor):
                if id(value) not in copies:
                    copies[id(value)] = value.detach().to(device, copy=True)
                holder[name] = copies[id(value)]


def _put_back(module: nn.Module, attributes: dict[str, Any], kept: dict[str, dict[str, Any]]) -> None:
    module.__dict__.clear()
    module.__dict__.update(attributes)
    for name, contents in kept.items():
        held = module.__dict__[name]
        held.clear()
        held.update(contents)
