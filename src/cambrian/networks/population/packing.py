"""The parameters of several networks in few tensors: those of a group's members one after another, and all of
these in one flat tensor, so that an optimiser needs a few operations for all networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Member:
    """The parameter of one lane within a flat tensor."""

    lane: int
    parameter: nn.Parameter


@dataclass(frozen=True)
class Flat:
    """`weights` and `gradients` float[numbers] are those of all `members`, one after another; `lanes`
    int64[numbers] is the lane of each number, `member_lanes` int64[members] that of each member. `decays`:
    whether weight decay is theirs."""

    weights: Tensor
    gradients: Tensor
    lanes: Tensor
    members: tuple[Member, ...]
    member_lanes: Tensor
    decays: bool

    def views(self, numbers: Tensor) -> list[Tensor]:
        """The parts of a tensor like `weights` that belong to the members."""
        return list(torch.split(numbers, [member.parameter.numel() for member in self.members]))


class Packing:
    """Collects parameters by groups; `pack` makes the flat tensors. Afterwards the networks' own parameters
    are views of them, and always have the present weights."""

    def __init__(self) -> None:
        self._groups: list[list[Member]] = []
        self.leaves: list[nn.Parameter] = []
        self.flats: list[Flat] = []

    def add(self, members: Sequence[Member]) -> int:
        """The number of the leaf that will hold these parameters, which have equal shapes."""
        self._groups.append(list(members))
        return len(self._groups) - 1

    @property
    def parameters(self) -> set[nn.Parameter]:
        """The parameters that were added."""
        return {member.parameter for group in self._groups for member in group}

    def pack(self) -> None:
        leaves: dict[int, nn.Parameter] = {}
        # Biases and normalisation do not decay (see `cambrian.networks.training.descent`).
        for decays in (True, False):
            chosen = [n for n, group in enumerate(self._groups) if (group[0].parameter.ndim > 1) == decays]
            if chosen:
                self.flats.append(_flatten([m for n in chosen for m in self._groups[n]], decays))
                leaves |= zip(chosen, self._cut(self.flats[-1], chosen), strict=True)
        self.leaves = [leaves[n] for n in range(len(self._groups))]

    def _cut(self, flat: Flat, chosen: Sequence[int]) -> list[nn.Parameter]:
        """The leaf of each group, with its gradient, both views of the flat tensor."""
        groups = [self._groups[n] for n in chosen]
        sizes = [sum(member.parameter.numel() for member in group) for group in groups]
        leaves = []
        pairs = zip(torch.split(flat.weights, sizes), torch.split(flat.gradients, sizes), strict=True)
        for group, (weights, gradients) in zip(groups, pairs, strict=True):
            first = group[0].parameter
            shape = (len(group) * first.shape[0], *first.shape[1:]) if first.ndim else (len(group),)
            leaf = nn.Parameter(weights.view(shape))
            leaf.grad = gradients.view(shape)
            leaves.append(leaf)
        return leaves


def _flatten(members: list[Member], decays: bool) -> Flat:
    parameters = [member.parameter for member in members]
    device = parameters[0].device
    weights = torch.cat([p.detach().reshape(-1) for p in parameters])
    sizes = torch.tensor([p.numel() for p in parameters], device=device)
    of_members = torch.tensor([member.lane for member in members], device=device)
    lanes = of_members.repeat_interleave(sizes)
    flat = Flat(weights, torch.zeros_like(weights), lanes, tuple(members), of_members, decays)
    views = zip(flat.views(weights), flat.views(flat.gradients), strict=True)
    for parameter, (weight, gradient) in zip(parameters, views, strict=True):
        parameter.data = weight.view(parameter.shape)
        # Where a call runs for its network alone, the gradient arrives at the network's own parameter.
        parameter.grad = gradient.view(parameter.shape)
    return flat


def pack_buffers(modules: Sequence[nn.Module], name: str) -> Tensor | None:
    """The buffers of that name one after another; the modules' own become views of the result."""
    buffers = [getattr(module, name) for module in modules]
    if buffers[0] is None:
        return None
    packed = torch.cat([buffer.reshape(-1) for buffer in buffers])
    for module, buffer, view in zip(modules, buffers, torch.split(packed, buffers[0].numel()), strict=True):
        module._buffers[name] = view.view(buffer.shape)
    return packed
