"""Which networks of a plan are trained in the precision that was asked for: on a CPU those of dense
convolutions alone learn in bfloat16."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture, sample
from cambrian.choices import Scalar
from cambrian.errors import Unbuildable, Unread
from cambrian.randomness import stream
from cambrian.spaces.drafts import draft_network
from cambrian.spaces.space import Space

if TYPE_CHECKING:
    from cambrian.search.search import Search
    from cambrian.tasks.task import Task

FOR_DENSE = "for networks of dense convolutions alone"
DRAWN = 8


def list_others(
    space: Space, task: Task, entrants: Sequence[Mapping[str, Any]], precision: str, device: str
) -> list[str]:
    """The names of those entrants of a race that are trained in another precision."""
    return [
        each["name"]
        for each in entrants
        if not _has(space, task, Architecture(each["architecture"]), each["skeleton"], precision, device)
    ]


def check_precision(search: Search, precision: str | None) -> None:
    """Raise Unread for a precision that no network has of DRAWN random ones of the search."""
    if precision is None or search.task is None:
        return
    drawn = [sample(search.space, stream(n, "precision")) for n in range(DRAWN)]
    skeleton = search.fidelity.skeleton
    for architecture in drawn:
        with suppress(Unbuildable):
            if _has(search.space, search.task, architecture, skeleton, precision, search.device):
                return
    raise Unread(
        ["precision"],
        f"{precision} {FOR_DENSE}, and none of {DRAWN} drawn from {type(search.space).__name__} is one",
    )


def _has(
    space: Space,
    task: Task,
    architecture: Architecture,
    skeleton: Mapping[str, Scalar],
    precision: str,
    device: str,
) -> bool:
    import torch

    from cambrian.networks.training.precision import choose_precision

    network = draft_network(space, architecture, task, skeleton)
    return choose_precision(network, precision, torch.device(device)) == precision
