"""The cost of a supernet on this machine, measured by a few steps of its own method."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from cambrian.estimators.estimator import Job
from cambrian.estimators.one_shot import OneShot
from cambrian.estimators.supernets import list_paths, make_supernet, read_statistics_batches
from cambrian.estimators.training_data import scoring_images, training_images

if TYPE_CHECKING:
    from cambrian.networks.sharing.supernet import Supernet
    from cambrian.tasks.task import Task

ENOUGH = 1.0
"""Seconds of steps, or of scores, after which no further one is measured."""


class SupernetCost(msgspec.Struct, frozen=True):
    """Seconds of a step for each of its images, and of the score of one child; the bytes of tensors that are
    alive at the peak of a step, momentum included."""

    step: float
    score: float
    bytes: int


def measure_supernet(one_shot: OneShot, job: Job) -> SupernetCost:
    """Train the supernet of the job's request for a few steps, and score a child."""
    assert job.task is not None
    supernet = make_supernet(job, job.task, job.architecture)
    supernet = supernet.to(job.device)
    step, memory = _measure_steps(one_shot, job, job.task, supernet)
    return SupernetCost(step, _measure_score(one_shot, job, job.task, supernet), memory)


def _measure_steps(one_shot: OneShot, job: Job, task: Task, supernet: Supernet) -> tuple[float, int]:
    from cambrian.networks.measure.memory import LiveBytes
    from cambrian.networks.training.augment import Augment
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.step import Moment

    images = training_images(task, job.fidelity, "search", job.seed, job.device)
    steps = one_shot.batches(len(images))
    batches = BatchStream(images, Augment(), steps, (job.seed, "cost"))
    method = one_shot.make_method(job, task, supernet)
    inputs, targets = batches.batch(0, 0)
    supernet.train()
    # Far from the end of an epoch, which some methods use for more than weights.
    moments = [Moment(0, n, 1_000_000, 1_000_000) for n in range(100)]
    with LiveBytes([*supernet.parameters(), *supernet.buffers(), inputs]) as live:
        method.take(inputs, targets, moments[0])
    times: list[float] = []
    while len(times) < 3 or (len(times) < 20 and sum(times) < ENOUGH):
        times.append(_time(lambda: method.take(inputs, targets, moments[len(times) + 1]), job.device))
    # The mean, and not the fastest: paths differ in their cost, and all of them are trained.
    momentum = sum(4 * p.numel() for p in supernet.parameters())
    return sum(times) / len(times) / len(inputs), live.peak + momentum


def _measure_score(one_shot: OneShot, job: Job, task: Task, supernet: Supernet) -> float:
    from cambrian.networks.sharing.norms import measure_statistics

    draw, images = list_paths(job, supernet), scoring_images(task, job.fidelity, "search", job.device)
    statistics = read_statistics_batches(job, task, one_shot, one_shot.statistics_batches)
    seen = sum(map(len, statistics))
    pixels = images.inputs(images.pixels[: 4 * one_shot.batch_size])
    times: list[float] = []
    while len(times) < 3 or (len(times) < 10 and sum(times) < ENOUGH):
        supernet.choose(draw(-1 - len(times)))
        times.append(_time(lambda: measure_statistics(supernet, [pixels]), job.device))
    return sum(times) / len(times) / len(pixels) * (len(images) + seen)


def _time(action: Any, device: str) -> float:
    import torch

    started = time.perf_counter()
    action()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - started
