"""Run a network on copies of its tensors, on any device, and leave the network unchanged.

`torch.func.functional_call` almost does that. But where one module has several names it leaves the copies in
place of the weights, and attributes that a forward sets (a computed weight, a cache) remain.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

# The dictionaries in which torch registers a module's tensors and children.
KEPT = ("_parameters", "_buffers", "_modules")
Contents = dict[str, Any]


@dataclass
class Visit:
    """The result of a run on copies: whether the forward added parameters, buffers or modules."""

    made_parts: bool = False


def copy_network(network: nn.Module, copies: dict[int, Any] | None = None) -> nn.Module:
    """A deep copy, also of a network with attributes that were computed with gradients (as torch's older
    weight_norm has). `copies` is `deepcopy`'s memo: it is filled with each copy, by the original's id."""
    copies = {} if copies is None else copies
    for module in network.modules():
        for value in module.__dict__.values():
            # Tensor.__deepcopy__ refuses tensors within a graph, so these are put in the memo beforehand.
            if isinstance(value, Tensor) and not value.is_leaf:
                copies[id(value)] = value.detach().clone()
    return copy.deepcopy(network, copies)


@contextmanager
def tensor_copies(network: nn.Module, device: str) -> Iterator[Visit]:
    """Inside, every parameter, buffer and tensor attribute is a copy on `device`; a tensor that several
    modules hold is copied once. Afterwards every module has its former attributes again."""
    copies: dict[int, Tensor] = {}
    saved = [(module, *_contents(module)) for module in network.modules()]
    visit = Visit()
    try:
        for module, *_ in saved:
            _put_copies(module, device, copies)
        yield visit
    finally:
        # Before it is put back: what the forward registered is only visible now.
        for module, attributes, kept in saved:
            visit.made_parts |= any(set(module.__dict__[name]) - set(kept[name]) for name in KEPT)
            _put_back(module, attributes, kept)


def _contents(module: nn.Module) -> tuple[Contents, Contents]:
    """The attributes of a module, and copies of those that hold others: a forward may change a dictionary or
    a list, such as a cache of the user's, without replacing it."""
    attributes = dict(module.__dict__)
    return attributes, {n: v.copy() for n, v in attributes.items() if type(v) in (dict, OrderedDict, list)}


def _put_copies(module: nn.Module, device: str, copies: dict[int, Tensor]) -> None:
    holders: list[dict[str, Any]] = [module.__dict__, module._parameters, module._buffers]
    for holder in holders:
        for name, value in list(holder.items()):
            if isinstance(value, Tensor):
                if id(value) not in copies:
                    copies[id(value)] = value.detach().to(device, copy=True)
                holder[name] = copies[id(value)]


def _put_back(module: nn.Module, attributes: Contents, kept: Contents) -> None:
    # Through __dict__, since a module's setattr sorts values into its registers by their type. Dictionaries
    # and lists are refilled, not replaced, so that they stay the objects that they were.
    module.__dict__.clear()
    module.__dict__.update(attributes)
    for name, contents in kept.items():
        holder = module.__dict__[name]
        holder.clear()
        if isinstance(holder, dict):
            holder.update(contents)
        else:
            holder.extend(contents)
