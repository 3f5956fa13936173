"""Operations that see fewer channels at first, and more later: the progressive form of DrNAS (Chen et al.
2021, Sec. 3.3; the released code).

The operations are made for their final channels, and at first run with the first ones of each weight, so
that no tensor changes its shape in a training. When they are widened, a new channel gets the weights and
momenta of an old one drawn at random; the same one on every edge, since the edges of a node are added.
Unlike Net2Wider (Chen et al. 2016) the released code does not divide the weights of a copied channel by the
number of its copies: the function is not preserved, and a normalisation follows each convolution.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from cambrian.errors import UsageError
from cambrian.networks.operations import FactorizedReduce, Zero
from cambrian.networks.sharing.norms import NORMS

Move = tuple[Tensor, int, Tensor]
"""A tensor, a dimension of it, and the indices of the channels that its channels become copies of."""


class Run(NamedTuple):
    """Neighbouring channels of a weight, `have` from `begin` on, of which the first `few` are used."""

    begin: int
    have: int
    few: int


class Part(NamedTuple):
    """The channels of a weight that are used in a dimension of it."""

    tensor: str
    dim: int
    runs: tuple[Run, ...]

    def cut(self, tensor: Tensor) -> Tensor:
        """A view where there is one run."""
        pieces = [tensor.narrow(self.dim, run.begin, run.few) for run in self.runs]
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces, self.dim)

    def write_back(self, tensor: Tensor, part: Tensor) -> None:
        """The values of a part that is no view."""
        if len(self.runs) > 1:
            begin = 0
            for run in self.runs:
                piece = part.narrow(self.dim, begin, run.few)
                tensor.narrow(self.dim, run.begin, run.few).copy_(piece)
                begin += run.few


class Narrowed:
    """`module`, made for so many `channels`, for the first `few` of them, with slices of its weights."""

    def __init__(self, module: nn.Module, channels: int, few: int) -> None:
        self._module = module
        self.connects = getattr(module, "connects", True)
        self._parts = list(list_parts(module, channels, few))
        # Only its forward is used, so it takes no memory.
        self._template = copy.deepcopy(module).to("meta")
        for layer in self._template.modules():
            if isinstance(layer, nn.Conv2d) and layer.groups > 1:
                layer.groups = few
            if isinstance(layer, Zero):
                layer.out = layer.out * few // channels
        # The shapes of the statistics, which a normalisation by the batch alone does not have.
        self._norms = [
            (mine, theirs, (mine.running_mean, mine.running_var))
            for mine, theirs in zip(self._template.modules(), module.modules(), strict=True)
            if isinstance(mine, NORMS) and isinstance(theirs, NORMS)
        ]

    def __call__(self, *inputs: Any) -> Any:
        self._template.train(self._module.training)
        for mine, theirs, shapes in self._norms:
            mine.eps, mine.momentum, mine.training = theirs.eps, theirs.momentum, theirs.training
            mine.running_mean, mine.running_var = (None, None) if theirs.running_mean is None else shapes
        whole = {**dict(self._module.named_parameters()), **dict(self._module.named_buffers())}
        tensors, parts = dict(whole), [part for part in self._parts if part.tensor in whole]
        for part in parts:
            tensors[part.tensor] = part.cut(tensors[part.tensor])
        # Contiguous as a narrow module's own; vectors stay views, since statistics are changed in place.
        tensors = {name: t.contiguous() if t.ndim > 1 else t for name, t in tensors.items()}
        output = functional_call(self._template, tensors, inputs)
        buffers = dict(self._module.named_buffers())
        with torch.no_grad():
            for part in parts:
                if part.tensor in buffers:
                    part.write_back(whole[part.tensor], tensors[part.tensor])
        return output


def count_channels(module: nn.Module, one: int, other: int) -> tuple[int, int]:
    """The channels that the operation was made for, as 1 / `one` of all, and 1 / `other` of all. Raises
    UsageError where the latter is no whole number."""
    convs = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]
    channels = convs[0].in_channels if convs else one * other
    if channels * one % other:
        raise UsageError(
            f"1/{other} of {channels * one} channels is not a whole number: choose a number of filters that"
            f" {other} divides, or another first_share"
        )
    return channels, channels * one // other


def list_parts(module: nn.Module, channels: int, few: int) -> Iterator[Part]:
    """The channels that are used of each weight and statistic of an operation."""
    named = dict(module.named_modules())
    for prefix, layer in named.items():
        above, _, place = prefix.rpartition(".")
        halves = {"even": (0,), "odd": (1,), "norm": (0, 1)}
        halved = halves.get(place, ()) if isinstance(named[above], FactorizedReduce) else ()
        for own, tensor in (*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False)):
            name = f"{prefix}.{own}" if prefix else own
            for dim, size in enumerate(tensor.shape[:2]):
                if halved and dim == 0:
                    runs = tuple(_list_halves(channels, few)[i] for i in halved)
                    yield Part(name, dim, runs if len(runs) > 1 else (runs[0]._replace(begin=0),))
                elif size > 1:  # a depthwise filter reads one channel
                    yield Part(name, dim, (Run(0, size, size * few // channels),))


def _list_halves(channels: int, few: int) -> tuple[Run, Run]:
    """Of a factorized reduction, the channels of the even pixels and those of the odd ones."""
    half = channels // 2
    return Run(0, half, few // 2), Run(half, channels - half, few - few // 2)


def list_moves(
    modules: Iterable[nn.Module], one: int, other: int, generator: torch.Generator
) -> Iterator[Move]:
    """What widens operations from 1 / `other` of the channels to the 1 / `one` that they were made for."""
    orders: dict[tuple[int, int], Tensor] = {}

    def order(run: Run) -> Tensor:
        if run[1:] not in orders:
            drawn = torch.randint(run.few, (run.have - run.few,), generator=generator)
            orders[run[1:]] = torch.cat([torch.arange(run.few), drawn])
        return run.begin + orders[run[1:]]

    for module in modules:
        tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        for part in list_parts(module, *count_channels(module, one, other)):
            tensor = tensors[part.tensor]
            yield tensor, part.dim, torch.cat([order(run) for run in part.runs]).to(tensor.device)
