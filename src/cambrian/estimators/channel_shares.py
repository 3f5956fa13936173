"""The supernet of a job, whose operations may see a part of the channels only, as its method says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cambrian.choices import Answer
from cambrian.errors import SpaceError
from cambrian.estimators.job import Job
from cambrian.request import TrainSupernet
from cambrian.spaces.knowledge import Shares, SharesPartly, know
from cambrian.spaces.space import Signature

if TYPE_CHECKING:
    from pathlib import Path

    from cambrian.networks.sharing.supernet import Supernet

CHANNELS = "channel_share"
"""The text beside a supernet's weights that says it; absent where operations see all channels."""
PRESENT = "present_share"
"""The same of the share that they saw at the end of the training, if its stages widen them."""


def share(job: Job, outer: Mapping[str, Answer], shape: Signature) -> Supernet:
    """The supernet of these outer answers, for the job's skeleton. Raises SpaceError for a space that
    cannot be shared, or not partly."""
    skeleton, channel_share = job.fidelity.skeleton, read_channel_share(job)
    if channel_share == 1:
        shares = know(job.space, Shares)
        if shares is not None:
            return shares.share(outer, shape, **skeleton)
    partly = know(job.space, SharesPartly)
    if partly is None:
        part = "" if channel_share == 1 else f" with operations of 1/{channel_share} of the channels"
        raise SpaceError(f"the space {type(job.space).__name__} cannot be shared{part}")
    return partly.share_partly(outer, shape, channel_share, **skeleton)


def read_channel_share(job: Job) -> int:
    """By the method that trains the supernet, or the text beside its weights."""
    if isinstance(job.request, TrainSupernet):
        from cambrian.networks.sharing.methods import SUPERNET_METHODS

        return int(getattr(SUPERNET_METHODS.make(job.request.method or "uniform"), CHANNELS, 1))
    from cambrian.networks.checkpoint import load_facts

    weights = job.artifacts.get("supernet.safetensors")
    return 1 if weights is None else int(load_facts(weights).get(CHANNELS, "1"))


def describe_channels(job: Job, supernet: Supernet) -> dict[str, str]:
    """The texts for weights of the job's supernet."""
    shares = {CHANNELS: read_channel_share(job), PRESENT: supernet.present_share}
    return {name: str(share) for name, share in shares.items()} if shares[CHANNELS] > 1 else {}


def follow_channels(supernet: Supernet, weights: Path) -> None:
    """Let the operations see as many channels as when these weights were written."""
    from cambrian.networks.checkpoint import load_facts

    supernet.narrow(int(load_facts(weights).get(PRESENT, supernet.present_share)))
