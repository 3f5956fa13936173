"""The speed of a race's favourite on this machine, measured before the race is planned."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from cambrian.architecture import Architecture
from cambrian.choices import Scalar
from cambrian.estimators.build import signature
from cambrian.outcome import Fidelity
from cambrian.search.planning.forked import Failed, call_each
from cambrian.search.planning.on_gpu import call_here, is_gpu
from cambrian.search.planning.precisions import measure_gain, measure_in
from cambrian.spaces.space import Space

if TYPE_CHECKING:
    from cambrian.tasks.task import Task

BASE, WIDE = 16, 48
"""Filters at which the speed is measured."""
GUESSED = 6e-11
"""Seconds per image and unit of work (see `count_work`) of a network whose speed could not be measured: about
1e-3 of the favourite on CIFAR-10."""


class Speed(msgspec.Struct, frozen=True):
    """Seconds per image of the favourite: at the resolution of the race with BASE filters, and at that of the
    end with BASE and with WIDE ones, in `precision`, in which it is `gain` times as fast. `notice` is a
    sentence where they are guesses."""

    race: float
    base: float
    wide: float
    precision: str = "auto"
    gain: float = 1.0
    notice: str | None = None

    def fine(self, filters: int) -> float:
        # A power of the filters, between 0 (overheads alone) and 2 (products alone).
        exponent = math.log(max(self.wide / self.base, 1.0)) / math.log(WIDE / BASE)
        return self.base * float((filters / BASE) ** min(exponent, 2.0))

    def coarse(self, filters: int) -> float:
        return self.fine(filters) * self.race / self.base


@dataclass(frozen=True)
class Favourite:
    """The network whose speed is measured: `architecture` of `space` for `task`, with `size` among the
    settings of its skeleton."""

    task: Task
    space: Space
    architecture: Architecture
    size: Mapping[str, Scalar]
    device: str

    def measure(self, resolution: int | None, filters: int, precision: str) -> float:
        """Seconds per image."""
        return self._measure(resolution, filters, [precision])[precision]

    def compare_precisions(self, resolution: int | None) -> float:
        """How many times as fast it is in bfloat16 on a CPU; 1 if it is not trained in it."""
        speeds = self._measure(resolution, BASE, ["float32", "bfloat16"])
        return speeds["float32"] / speeds["bfloat16"]

    def _measure(self, resolution: int | None, filters: int, precisions: Sequence[str]) -> dict[str, float]:
        """Seconds per image where each precision is asked for."""
        seen = signature(self.task, Fidelity(resolution=resolution))
        network = self.space.build(self.architecture, seen, filters=filters, **self.size)
        return measure_in(
            network, (seen.channels, seen.height, seen.width), self.device, precisions, seen.dense
        )


def measure_favourite(
    favourite: Favourite,
    coarse: int | None,
    fine: int | None,
    precision: str | None,
    workers: int,
    patience: float,
) -> Speed:
    """The speed at both resolutions (None: that of the images), in `precision` or the faster one, by so many
    processes at a time, each of which may take `patience` seconds."""
    sizes = ((coarse or fine, BASE), (fine, BASE), (fine, WIDE))
    jobs = [partial(favourite.measure, *size, precision or "auto") for size in sizes]
    on_gpu = is_gpu(favourite.device)
    speeds = call_here(jobs) if on_gpu else call_each(jobs, max(workers, 1), patience)
    failures = [speed for speed in speeds if isinstance(speed, Failed)]
    if failures:
        return _guess(favourite, speeds, coarse, fine, precision or "auto")
    race, base, wide = map(float, speeds)
    gain = 1.0 if precision or on_gpu else measure_gain(partial(favourite.compare_precisions, fine), patience)
    chosen = precision or ("bfloat16" if gain > 1 else "auto")
    return Speed(race / gain, base / gain, wide / gain, chosen, gain)


def _guess(
    favourite: Favourite, speeds: Sequence[Any], coarse: int | None, fine: int | None, precision: str
) -> Speed:
    """What could not be measured follows from what was: wide networks are the first to take too long."""
    task = favourite.task
    notice = next(speed for speed in speeds if isinstance(speed, Failed))
    race, base, wide = (None if isinstance(speed, Failed) else float(speed) for speed in speeds)
    base = GUESSED * count_work(favourite.space, task, favourite.architecture) if base is None else base
    share = 1.0 if coarse is None or fine == coarse else coarse / (fine or min(task.height, task.width))
    return Speed(
        race or base * share**2,
        base,
        wide or base * (WIDE / BASE) ** 1.5,
        precision,
        notice=f"the speed could not be measured and was guessed: {notice}",
    )


def count_work(space: Space, task: Task, architecture: Architecture) -> float:
    """Multiply-accumulates of the network with BASE filters, on an image of the task, and its parameters: the
    optimiser walks through all of them at each step, which takes about as long for each image of a batch."""
    import torch

    from cambrian.networks.measure.sizes import sizes

    skeleton: dict[str, Scalar] = {"filters": BASE}
    with torch.device("meta"):
        network = space.build(architecture, task, **skeleton)
    found = sizes(network, (task.channels, task.height, task.width))
    return float(found.get("macs", 0.0) + found["params"])
