"""The hypernetwork of a job's supernet, if the method that trains it wants one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cambrian.errors import SpaceError
from cambrian.estimators.job import Job
from cambrian.request import TrainSupernet
from cambrian.spaces.knowledge import MapsBanks, know

if TYPE_CHECKING:
    from cambrian.networks.sharing.supernet import Supernet

HYPERNETWORK = "hypernetwork"
"""The text beside a supernet's weights that says so; absent where none generates them."""


def add_hypernetwork(job: Job, supernet: Supernet) -> None:
    """Let a hypernetwork generate weights of the supernet, where the job needs one. Raises SpaceError for a
    space that cannot map its architectures."""
    from cambrian.networks.sharing.hypernetwork import Hypernetwork

    if not needs_hypernetwork(job):
        return
    maps = know(job.space, MapsBanks)
    if maps is None:
        raise SpaceError(
            f"the space {type(job.space).__name__} does not map architectures to memory banks, from which a"
            " hypernetwork generates weights: choose 'memory-banks'"
        )
    places = maps.list_reading(supernet)
    supernet.hypernetwork = Hypernetwork(places, maps.map_banks, maps.map_banks(job.architecture))


def needs_hypernetwork(job: Job) -> bool:
    """By the method that trains the supernet, or the text beside its weights."""
    if isinstance(job.request, TrainSupernet):
        from cambrian.networks.sharing.methods import SUPERNET_METHODS

        return bool(getattr(SUPERNET_METHODS.make(job.request.method or "uniform"), HYPERNETWORK, False))
    from cambrian.networks.checkpoint import load_facts

    weights = job.artifacts.get("supernet.safetensors")
    return weights is not None and HYPERNETWORK in load_facts(weights)


def describe_hypernetwork(job: Job) -> dict[str, str]:
    """The text for weights of the job's supernet."""
    return {HYPERNETWORK: "banks"} if needs_hypernetwork(job) else {}
