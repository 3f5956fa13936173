"""Spaces as users write them, for the tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from cambrian.spaces.program.function_space import space


@space
def chain(pick: Any, task: Any, *, filters: int = 4) -> nn.Module:
    """The body makes the modules: sampled on the meta device."""
    width = filters * pick("widen", [1, 2])
    layers: list[nn.Module] = [nn.Conv2d(task.channels, width, 3, padding=1)]
    for i in range(pick.depth("depth", 1, 3)):
        layers.append(
            pick.module(
                f"op{i}",
                {
                    "conv3": lambda: nn.Conv2d(width, width, 3, padding=1),
                    "conv5": lambda: nn.Conv2d(width, width, 5, padding=2),
                    "skip": nn.Identity,
                },
            )
        )
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, task.classes))


@space
def quick(pick: Any, task: Any) -> Any:
    """A complexity order without a network: for strategies."""
    pick("start", ["a", "b"])
    for i in range(pick.depth("depth", 1, 3)):
        pick(f"op{i}", ["x", "y"])
        pick.some(f"from{i}", list(range(i + 1)), 1, 2 if i else 1)
    return lambda: nn.Flatten()


@space
def wide(pick: Any, task: Any, *, scale: int = 1) -> Any:
    """A builder, and questions of every kind."""
    hidden = pick.integer("hidden", 2, 6) * scale
    branches = pick.some("branches", ["relu", "tanh", "sigmoid"], 1, 2)
    slope = pick.real("slope", 0.01, 0.5, log=True)
    deep = pick("deep", [True, False])
    if deep:
        deeper = pick.inside("deeper").integer("hidden", 2, 4)
    pick.require(hidden > 2 or not deep, "a deep network must not be narrow")
    kinds = {"relu": nn.LeakyReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}

    def build() -> nn.Module:
        inputs = task.channels * task.height * task.width
        layers: list[nn.Module] = [nn.Flatten(), nn.Linear(inputs, hidden)]
        layers += [kinds[b](slope) if b == "relu" else kinds[b]() for b in branches]
        last = hidden
        if deep:
            layers += [nn.Linear(hidden, deeper), nn.ReLU()]
            last = deeper
        return nn.Sequential(*layers, nn.Linear(last, task.classes))

    return build


def learning_curve(architecture: Mapping[str, Any], fidelity: Any) -> Iterator[float]:
    """A user's function: three points that rise with the number of answers."""
    for step in (1, 2, 3):
        yield len(architecture) * step / 10
