"""The weights of a meta-controller by name, made when they are first read, and their steps uphill.

A state of a strategy is a value: weights are arrays, which torch reads for one pass and whose gradient it
takes. Each is drawn from a stream of its own name, so that the order in which tokens or places are met
changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cambrian.one_thread import one_thread
from cambrian.randomness import stream

Arrays = Mapping[str, NDArray[np.float64]]
Objective = Callable[["Reader"], Tensor]


@dataclass(frozen=True, eq=False)
class NamedWeights:
    """`values` are those that have been trained; all others are drawn from U[-bound, bound] when they are
    read. `first` and `second` are Adam's moments, and `updates` counts the steps of each weight."""

    seed: int
    name: str
    bound: float = 0.1
    values: Arrays = field(default_factory=dict)
    first: Arrays = field(default_factory=dict)
    second: Arrays = field(default_factory=dict)
    updates: Mapping[str, int] = field(default_factory=dict)

    def draw(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """The weight of that name: the trained one, or that of its stream."""
        if name in self.values:
            return self.values[name]
        return stream(self.seed, self.name, name).uniform(-self.bound, self.bound, shape)


class Reader:
    """The weights as tensors for one pass, each one made once."""

    def __init__(self, weights: NamedWeights) -> None:
        self._weights = weights
        self.tensors: dict[str, Tensor] = {}

    def __call__(self, name: str, *shape: int) -> Tensor:
        if name not in self.tensors:
            drawn = torch.from_numpy(self._weights.draw(name, shape).copy())
            self.tensors[name] = drawn.requires_grad_()
        return self.tensors[name]

    def embed(self, kind: str, tokens: tuple[str, ...], width: int) -> Tensor:
        """The rows [n, width] of tokens in the table `kind`."""
        return torch.stack([self(f"{kind} {token}", width) for token in tokens])


def ascend(weights: NamedWeights, objective: Objective, lr: float) -> NamedWeights:
    """One step of Adam (Kingma & Ba 2015, Algorithm 1) uphill, for the weights that the objective reads."""
    with one_thread():
        read = Reader(weights)
        torch.autograd.backward(objective(read))
        slopes = {name: t.grad.numpy() for name, t in read.tensors.items() if t.grad is not None}
    values, updates = dict(weights.values), dict(weights.updates)
    first, second = dict(weights.first), dict(weights.second)
    for name, slope in slopes.items():
        # Of a table only the rows that were read move: by its momentum alone a row would drift.
        updates[name] = n = updates.get(name, 0) + 1
        first[name] = 0.9 * first.get(name, np.zeros_like(slope)) + 0.1 * slope
        second[name] = 0.999 * second.get(name, np.zeros_like(slope)) + 0.001 * slope**2
        step = first[name] / (1 - 0.9**n) / (np.sqrt(second[name] / (1 - 0.999**n)) + 1e-8)
        values[name] = read.tensors[name].detach().numpy() + lr * step
    return replace(weights, values=values, first=first, second=second, updates=updates)


Memory = tuple[Tensor, Tensor]
"""The hidden and the cell state of an LSTM, each [hidden]."""


def step_lstm(read: Reader, name: str, x: Tensor, memory: Memory) -> Memory:
    """The memory of the LSTM `name` after reading `x` [in]."""
    h, c = memory
    hidden = h.shape[0]
    gates = x @ read(f"{name} below", x.shape[0], 4 * hidden) + h @ read(f"{name} past", hidden, 4 * hidden)
    i, f, g, o = (gates + read(f"{name} bias", 4 * hidden)).chunk(4)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def blank_memory(hidden: int) -> Memory:
    zeros = torch.zeros(hidden, dtype=torch.float64)
    return zeros, zeros
