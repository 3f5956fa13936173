"""The networks of a search that a file of weights fits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cambrian.architecture import Architecture, sample
from cambrian.choices import Scalar
from cambrian.errors import Unbuildable, UsageError
from cambrian.estimators.build import signature
from cambrian.randomness import stream
from cambrian.registry import name_of
from cambrian.spaces.drafts import draft_network
from cambrian.spaces.knowledge import Begins, know
from cambrian.spaces.space import Signature, Space

if TYPE_CHECKING:
    from torch import Tensor

    from cambrian.search.search import Search
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
        Fit(name, f, _count_shared(_list_network(space, task, network, {"filters": f, **size}), given))
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


def fit_search(file: Path, search: Search) -> float:
    """The share of numbers in the file, of that network which it fits best, of DRAWN networks of the search
    and those that its space begins with, in the skeleton of its trials or of its final stage. Raises
    UsageError where it is less than LEAST: the search would begin from chance, whatever the file has
    learned."""
    from cambrian.networks.checkpoint import load_tensors

    assert search.task is not None
    given = _list_shapes(load_tensors(file)[0])
    stages = [search.fidelity] + ([search.final.fidelity] if search.final is not None else [])
    best, begins = 0.0, know(search.space, Begins)
    drawn = [sample(search.space, stream(n, "pretrained")) for n in range(DRAWN)]
    for network in [*(begins.begins.values() if begins else ()), *drawn]:
        for stage in stages:
            seen = signature(search.task, stage)
            with suppress(Unbuildable):
                shapes = _list_network(search.space, seen, network, stage.skeleton)
                best = max(best, _count_shared(shapes, given))
    if best < LEAST:
        raise UsageError(
            f"{file} fits no network of this search: of {DRAWN} drawn from {name_of(search.space)} it"
            f" has {best:.0%} of the numbers of the nearest. Leave pretrained out, or the strategy, the space"
            " and the number of trials: a time alone races the networks that such files are of"
        )
    return best


DRAWN = 8


def _list_network(
    space: Space, task: Signature, architecture: Architecture, skeleton: Mapping[str, Scalar]
) -> Shapes:
    # The shapes alone: where a network can be made without weights nothing is allocated.
    return _list_shapes(draft_network(space, architecture, task, skeleton).state_dict())


def _list_shapes(tensors: Mapping[str, Tensor]) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _count_shared(own: Shapes, given: Shapes) -> float:
    sizes = {name: math.prod(shape) for name, shape in own.items()}
    shared = sum(sizes[name] for name, shape in own.items() if given.get(name) == shape)
    return shared / max(1, sum(sizes.values()))
