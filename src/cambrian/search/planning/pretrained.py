"""The network of a portfolio that a file of weights fits best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cambrian.architecture import Architecture
from cambrian.choices import Scalar
from cambrian.errors import UsageError
from cambrian.spaces.space import Space

if TYPE_CHECKING:
    from torch import Tensor

    from cambrian.tasks.task import Task

Shapes = Mapping[str, tuple[int, ...]]
LEAST = 0.5
"""The share of a network's numbers below which a file is not of that network."""


class Fit(msgspec.Struct, frozen=True):
    """`share` of the numbers of that network, with so many filters, are in the file."""

    name: str
    filters: int
    share: float


def fit_portfolio(
    file: Path,
    task: Task,
    space: Space,
    portfolio: Mapping[str, Architecture],
    filters: Iterable[int],
    size: Mapping[str, Scalar],
) -> Fit:
    """The network and the filters with the largest share of numbers in the file, tensor by tensor, by name
    and shape. Raises UsageError where it is less than LEAST, RunError where the file cannot be read."""
    from cambrian.networks.checkpoint import load_tensors

    given = _list_shapes(load_tensors(file)[0])
    fits = [
        Fit(name, f, _count_shared(_list_network(space, task, network, f, size), given))
        for f in filters
        for name, network in portfolio.items()
    ]
    best = max(fits, key=lambda fit: fit.share)
    if best.share < LEAST:
        raise UsageError(
            f"{file} fits no network of the portfolio; the nearest is {best.name} of {best.filters} filters,"
            f" of which it has {best.share:.0%}. The names and shapes of tensors must be those of a network"
            " that cambrian exported"
        )
    return best


def _list_network(
    space: Space, task: Task, architecture: Architecture, filters: int, size: Mapping[str, Scalar]
) -> Shapes:
    import torch

    skeleton: dict[str, Scalar] = {"filters": filters, **size}
    with torch.device("meta"):  # the shapes alone: nothing is allocated
        return _list_shapes(space.build(architecture, task, **skeleton).state_dict())


def _list_shapes(tensors: Mapping[str, Tensor]) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _count_shared(own: Shapes, given: Shapes) -> float:
    sizes = {name: math.prod(shape) for name, shape in own.items()}
    shared = sum(sizes[name] for name, shape in own.items() if given.get(name) == shape)
    return shared / max(1, sum(sizes.values()))
