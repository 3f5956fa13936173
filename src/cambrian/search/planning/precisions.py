"""The precision of a plan's trainings: the faster one on this machine, unless it is asked for, and which
networks are trained in it. On a CPU those of dense convolutions alone learn in bfloat16."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture, sample
from cambrian.choices import Scalar
from cambrian.errors import Unbuildable, Unread
from cambrian.randomness import stream
from cambrian.registry import name_of
from cambrian.search.planning.forked import call_each
from cambrian.search.planning.speed import measure_speeds
from cambrian.spaces.drafts import draft_network
from cambrian.spaces.space import Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.search.search import Search
    from cambrian.tasks.task import Task

FOR_DENSE = "for networks of dense convolutions alone"
DRAWN = 8
GAIN = 1.1
"""How many times as fast bfloat16 has to be on a CPU, beyond the noise of measuring it."""


def measure_gain(compare: Callable[[], float], patience: float) -> float:
    """How many times as fast bfloat16 is on this CPU by `compare`, which may take `patience` seconds in a
    process of its own; 1 where that is not worth it."""
    from cambrian.networks.training.precision import has_half_precision

    if not has_half_precision():
        return 1.0
    (gain,) = call_each([compare], 1, patience)
    return gain if isinstance(gain, float) and gain >= GAIN else 1.0


def measure_in(
    network: nn.Module,
    shape: tuple[int, int, int],
    device: str,
    precisions: Sequence[str],
    dense: bool = False,
) -> dict[str, float]:
    """Seconds per image of the network where each of the precisions is asked for (see `measure_speeds`)."""
    import torch

    from cambrian.networks.training.precision import choose_precision

    chosen = {each: choose_precision(network, each, torch.device(device)) for each in precisions}
    # What is trained in one precision whichever is asked for is measured once.
    different = list(dict.fromkeys(chosen.values()))
    known = dict(zip(different, measure_speeds(network, shape, device, dense, different), strict=True))
    return {each: known[taken] for each, taken in chosen.items()}


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
        f"{precision} {FOR_DENSE}, and none of {DRAWN} drawn from {name_of(search.space)} is one",
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
