"""Programs with forks of every kind, for the tests of sharing."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from cambrian.spaces.program.function_space import space

NAMES = ("chain", "repeated", "cells", "branches", "nested", "lazy", "joined")


def conv(channels: int, out: int, kernel: int, stride: int = 1) -> nn.Module:
    layers = nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(layers, nn.BatchNorm2d(out), nn.ReLU())


def head(width: int, classes: int) -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))


@space
def chain(pick: Any, task: Any, *, filters: int = 4) -> nn.Module:
    """A repeated module fork behind an outer question."""
    width = filters * pick("widen", [1, 2])
    options = {
        "conv3": lambda: conv(width, width, 3),
        "conv5": lambda: conv(width, width, 5),
        "skip": nn.Identity,
    }
    layers = pick.repeat("layers", 1, 3, lambda pick, i: pick.module("op", options))
    return nn.Sequential(conv(task.channels, width, 3), *layers, head(width, task.classes))


@space
def repeated(pick: Any, task: Any) -> nn.Module:
    """A part that may be absent, made of a fork and more, whose number comes after another fork."""
    stem = pick.module("stem", {1: lambda: conv(task.channels, 4, 1), 3: lambda: conv(task.channels, 4, 3)})

    def part(pick: Any, i: int) -> nn.Module:
        op = pick.module("op", {"conv": lambda: conv(4, 4, 3), "pool": lambda: nn.AvgPool2d(3, 1, 1)})
        return nn.Sequential(op, nn.BatchNorm2d(4))

    return nn.Sequential(stem, *pick.repeat("layers", 0, 3, part), head(4, task.classes))


@space
def cells(pick: Any, task: Any) -> nn.Module:
    """One choice used in every stage, with other channels and strides."""
    op = pick.fork("op", {"conv": lambda c, o, s: conv(c, o, 3, s), "wide": lambda c, o, s: conv(c, o, 5, s)})
    down = pick.fork("down", {"pool": lambda c: nn.MaxPool2d(2), "conv": lambda c: conv(c, c, 3, 2)})
    stages = [op(task.channels, 4, 1), op(4, 4, 1), down(4), op(4, 8, 2), op(8, 8, 1)]
    return nn.Sequential(*stages, head(8, task.classes))


class Sum(nn.Module):
    """The sum of its branches: none gives what came in."""

    def __init__(self, branches: Any) -> None:
        super().__init__()
        self.branches = branches

    def forward(self, x: Tensor) -> Tensor:
        for branch in self.branches:
            x = x + branch(x)
        return x


@space
def branches(pick: Any, task: Any) -> nn.Module:
    """Some of several, at one place and, another choice, at two."""
    options = {
        "a": lambda: conv(4, 4, 1),
        "b": lambda: conv(4, 4, 3),
        "c": nn.Tanh,
        "d": lambda: nn.AvgPool2d(3, 1, 1),
    }
    first = Sum(pick.modules("some", options, 0, 3))
    again = pick.forks("pair", options, 2)
    return nn.Sequential(conv(task.channels, 4, 3), first, Sum(again()), Sum(again()), head(4, task.classes))


@space
def nested(pick: Any, task: Any) -> nn.Module:
    """Candidates with forks and repetitions of their own."""

    def block(pick: Any) -> Any:
        inner = pick.fork("inner", {"tanh": nn.Tanh, "conv": lambda: conv(4, 4, 3)})
        tail = pick.repeat(
            "tail", 0, 2, lambda pick, i: pick.module("op", {"c": lambda: conv(4, 4, 1), "s": nn.SiLU})
        )
        return lambda: nn.Sequential(inner(), inner(), *tail)

    def direct(pick: Any) -> Any:
        return nn.Sequential(
            pick.module("op", {"elu": nn.ELU, "conv": lambda: conv(4, 4, 5)}), nn.BatchNorm2d(4)
        )

    options = {"block": block, "direct": direct, "plain": nn.ReLU}
    layers = [pick.module(f"layer{i}", options) for i in range(2)]
    return nn.Sequential(conv(task.channels, 4, 3), *layers, head(4, task.classes))


@space
def tail(pick: Any, task: Any, *, width: int = 4) -> Any:
    """A space that is part of others."""
    norm = pick.fork("norm", {"batch": nn.BatchNorm2d, "none": lambda c: nn.Identity()})
    hidden = pick("hidden", [3, 5])
    pools = {"max": nn.AdaptiveMaxPool2d, "avg": nn.AdaptiveAvgPool2d}
    pool = pick.fork("pool", pools)
    return lambda: nn.Sequential(
        norm(width),
        pool(1),
        nn.Flatten(),
        nn.Linear(width, hidden),
        nn.ReLU(),
        nn.Linear(hidden, task.classes),
    )


@space
def lazy(pick: Any, task: Any) -> Any:
    """A builder, whose forks are made when it is called, and another space as its end."""
    op = pick.fork("op", {"conv": lambda c, o: conv(c, o, 3), "wide": lambda c, o: conv(c, o, 5)})
    parts = pick.repeat(
        "layers", 1, 3, lambda pick, i: pick.fork("op", {"conv": lambda: conv(6, 6, 3), "id": nn.ReLU})
    )
    end = tail(pick.inside("end"), task, width=6)
    return lambda: nn.Sequential(op(task.channels, 6), *(part() for part in parts), end())


class Join(nn.Module):
    """Concatenates what its branches give: how many there are is not known before."""

    def __init__(self, branches: Any) -> None:
        super().__init__()
        self.branches, self.mix = branches, nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        joined = torch.cat([branch(x) for branch in self.branches], 1)
        y: Tensor = self.mix(joined.unflatten(1, (len(self.branches), 4)).mean(1))
        return y


@space
def joined(pick: Any, task: Any) -> nn.Module:
    """Concatenation of some of several."""
    some = pick.modules("some", {k: lambda k=k: conv(4, 4, k) for k in (1, 3, 5)}, 1, 3)
    return nn.Sequential(conv(task.channels, 4, 3), Join(some), head(4, task.classes))
