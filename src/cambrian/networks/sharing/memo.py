"""Outputs that the children of one supernet have in common, computed once.

Children are scored on the same images with the same weights. Until a child adds two outputs up, what a module
reads is therefore what it read for another child: the stem for all of them, and most operations of the first
cell, whose images are the largest. A module that is given a tensor that it was given before returns the
tensor that it returned then, so that scores are bit for bit those without a memo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from cambrian.networks.operations import FactorizedReduce
from cambrian.networks.pointwise import StridedPointwise
from cambrian.networks.pooling import pool_average
from cambrian.networks.sharing.norms import NORMS

LIMIT = 3 * 2**26
"""Bytes of outputs that are kept: those of a few dozen operations on a thousand small images."""
STATISTICS, SCORES = "statistics", "scores"


class Unchanged(NamedTuple):
    """A tensor, for as long as it `lasts`: until a module changes it in place."""

    tensor: Tensor
    version: int

    @classmethod
    def of(cls, tensor: Tensor) -> Unchanged:
        return cls(tensor, tensor._version)

    @property
    def lasts(self) -> bool:
        return self.tensor._version == self.version


@dataclass(frozen=True, eq=False)
class Call:
    """A module's call: what it read, the call before it that set its statistics, and its output. `left` are
    its normalisations' buffers afterwards, if it changed them."""

    read: Tensor
    before: Call | None
    output: Unchanged
    left: tuple[Tensor, ...]


@dataclass(frozen=True, eq=False)
class Closed:
    """A module whose calls are kept, its forward and the running statistics inside it."""

    module: nn.Module
    forward: Callable[..., Any]
    buffers: list[Tensor]


Key = tuple[int, int, int, str]  # of the module, its input, the call before, by identity; the phase


class Memo:
    """The calls of the modules of `network`, whose weights may not change meanwhile. `limit` bounds the bytes
    of their outputs; later ones are not kept."""

    def __init__(self, network: nn.Module, limit: int = LIMIT) -> None:
        self._pools = [m for m in network.modules() if isinstance(m, nn.AvgPool2d)]
        self._closed = [Closed(m, _find_forward(m), _list_buffers(m)) for m in find_closed(network)]
        self._limit = self._room = limit
        # The tensors beside their identities: another tensor may not take one's place in memory.
        self._known: dict[int, Tensor] = {}
        self._scored: dict[tuple[int, int], Unchanged] = {}
        self._calls: dict[Key, Call] = {}
        # The last call that set a module's statistics; None where it was not kept, so that they have no name.
        self._states: dict[int, Call | None] = {}

    def __len__(self) -> int:
        """The number of calls that are kept."""
        return len(self._calls)

    @property
    def bytes(self) -> int:
        """Of the tensors that are kept."""
        return self._limit - self._room

    def know(self, inputs: Tensor) -> None:
        """Let `inputs` be known from now on, if there is room for what modules make of them as well: every
        child reads this very tensor."""
        if id(inputs) not in self._known and self._take_room(inputs):
            self._known[id(inputs)] = inputs

    def recall(self, read: Callable[[int, int], Tensor], begin: int, end: int) -> Tensor:
        """The inputs of the scored images from `begin` to before `end`, which are read once if there is room
        for them, and again after a child has changed them in place."""
        kept = self._scored.get((begin, end))
        if kept is not None and kept.lasts:
            return kept.tensor
        # Out of inference mode, whose tensors do not count their changes, nor do views of them.
        with torch.inference_mode(False), torch.no_grad():
            inputs = read(begin, end)
        self.know(inputs)
        if id(inputs) in self._known:
            self._scored[begin, end] = Unchanged.of(inputs)
        return inputs

    @contextmanager
    def used(self, phase: str) -> Iterator[None]:
        """Inside, the network's modules answer from their calls. In the phase of statistics normalisations
        are reset at first, and learn."""
        if phase == STATISTICS:
            self._states.clear()
        # On the instances, and taken away afterwards: wrapped modules would change the names of weights.
        forwards: dict[nn.Module, Callable[..., Any]] = {
            pool: partial(pool_average, pool) for pool in self._pools
        }
        forwards |= {closed.module: partial(self._answer, closed, phase) for closed in self._closed}
        for module, forward in forwards.items():
            vars(module)["forward"] = forward
        try:
            yield
        finally:
            for module in forwards:
                del vars(module)["forward"]

    def _answer(self, closed: Closed, phase: str, *inputs: Any, **settings: Any) -> Any:
        """The output of a closed module. A call with settings, as for the size of an output, is not kept."""
        key = None if settings else self._name_call(closed, phase, inputs)
        call = None if key is None else self._find(key)
        if call is None:
            output = closed.forward(*inputs, **settings) if key is None else self._run(closed, inputs[0])
            call = None if key is None else self._keep(key, closed, inputs[0], output)
        else:
            output = call.output.tensor
            for buffer, value in zip(closed.buffers, call.left):
                buffer.copy_(value)
        if phase == STATISTICS:
            self._states[id(closed.module)] = call
        return output

    def _name_call(self, closed: Closed, phase: str, inputs: tuple[Any, ...]) -> Key | None:
        """The name of a call of known inputs by known statistics, on which alone its output depends."""
        module = id(closed.module)
        before, lost = self._states.get(module), self._states.get(module, True) is None
        if lost or len(inputs) != 1 or self._known.get(id(inputs[0])) is not inputs[0]:
            return None
        return module, id(inputs[0]), id(before), phase

    def _find(self, key: Key) -> Call | None:
        call = self._calls.get(key)
        # A tensor that its reader has changed in place is not what the module gave.
        return call if call is not None and call.output.lasts else None

    def _run(self, closed: Closed, inputs: Tensor) -> Any:
        # Out of inference mode, whose tensors do not count their changes.
        with torch.inference_mode(False), torch.no_grad():
            return closed.forward(inputs)

    def _keep(self, key: Key, closed: Closed, inputs: Tensor, output: Any) -> Call | None:
        if not isinstance(output, Tensor) or not self._take_room(output):
            return None
        left = tuple(b.clone() for b in closed.buffers) if key[3] == STATISTICS else ()
        call = Call(inputs, self._states.get(key[0]), Unchanged.of(output), left)
        self._calls[key] = call
        self._known[id(output)] = output
        return call

    def _take_room(self, tensor: Tensor) -> bool:
        size = tensor.numel() * tensor.element_size()
        if size > self._room:
            return False
        self._room -= size
        return True


def find_closed(network: nn.Module) -> list[nn.Module]:
    """The outermost modules that are functions of their input and their weights alone: they have no switch
    and no value that a choice sets, and draw no random numbers in evaluation."""
    if isinstance(network, nn.Identity):
        return []  # its output is known already
    if all(map(_is_plain, network.modules())):
        return [network]
    return [closed for child in network.children() for closed in find_closed(child)]


def _find_forward(module: nn.Module) -> Callable[..., Any]:
    return partial(pool_average, module) if isinstance(module, nn.AvgPool2d) else module.forward


def _is_plain(module: nn.Module) -> bool:
    plain = type(module).__module__.startswith("torch.nn.") and not isinstance(module, nn.ModuleList)
    return plain or isinstance(module, FactorizedReduce | StridedPointwise)


def _list_buffers(module: nn.Module) -> list[Tensor]:
    """The running statistics of the normalisations of a module."""
    norms = [m for m in module.modules() if isinstance(m, NORMS) and m.track_running_stats]
    return [buffer for norm in norms for buffer in norm.buffers(recurse=False)]
