"""The cost of a supernet on this machine, measured by a few steps of its own method."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec

from cambrian.estimators.estimator import Job
from cambrian.estimators.one_shot import OneShot
from cambrian.estimators.supernets import SUPERNET, list_paths, make_supernet, read_statistics_batches
from cambrian.estimators.training_data import scoring_images, training_images

if TYPE_CHECKING:
    from cambrian.networks.sharing.supernet import Supernet
    from cambrian.networks.training.step import Step
    from cambrian.tasks.task import Task

ENOUGH = 1.0
"""Seconds of steps, or of scores, after which no further one is measured."""


class SupernetCost(msgspec.Struct, frozen=True):
    """Seconds of a step for each of its images, of the work at the end of an epoch, of the score of one
    child, of making a supernet, saving and loading it, and of a method's `extra` work in a training; the
    bytes of tensors that are alive at the peak of a step, momentum included."""

    step: float
    end: float
    score: float
    bytes: int
    make: float
    extra: float


def measure_supernet(one_shot: OneShot, job: Job) -> SupernetCost:
    """Train the supernet of the job's request for a few steps, and score a child."""
    from cambrian.networks.sharing.methods.method import HasExtraWork

    assert job.task is not None
    supernet, make = _measure_making(job, job.task)
    method = one_shot.make_method(job, job.task, supernet)
    step, end, memory = _measure_steps(one_shot, job, job.task, supernet, method)
    extra = method.measure_extra() if isinstance(method, HasExtraWork) else 0.0
    score = _measure_score(one_shot, job, job.task, supernet)
    return SupernetCost(step, end, score, memory, make, extra)


def _measure_making(job: Job, task: Task) -> tuple[Supernet, float]:
    """The supernet, and the seconds of making it and of a way to the disk and back."""
    from cambrian.networks.checkpoint import load_weights, save_weights

    began = time.perf_counter()
    supernet = make_supernet(job, task, job.architecture)
    with TemporaryDirectory() as place:
        save_weights(supernet, Path(place) / SUPERNET)
        load_weights(supernet, Path(place) / SUPERNET)
    return supernet.to(job.device), time.perf_counter() - began


def _measure_steps(
    one_shot: OneShot, job: Job, task: Task, supernet: Supernet, method: Step
) -> tuple[float, float, int]:
    from cambrian.networks.measure.memory import LiveBytes
    from cambrian.networks.training.augment import Augment
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.step import Moment

    images = training_images(task, job.fidelity, "search", job.seed, job.device)
    steps = one_shot.batches(len(images))
    batches = BatchStream(images, Augment(), steps, (job.seed, "cost"))
    inputs, targets = batches.batch(0, 0)
    supernet.train()
    # Far from the ends of an epoch, and in the midst of a training: at its beginning some methods do less.
    half, steps = job.fidelity.epochs // 2, 1_000_000
    moments = [Moment(half, n, steps, steps * job.fidelity.epochs) for n in range(1, 100)]
    with LiveBytes([*supernet.parameters(), *supernet.buffers(), inputs]) as live:
        method.take(inputs, targets, moments[0])
    times: list[float] = []
    while len(times) < 3 or (len(times) < 20 and sum(times) < ENOUGH):
        times.append(_time(lambda: method.take(inputs, targets, moments[len(times) + 1]), job.device))
    # The mean, and not the fastest: paths differ in their cost, and all of them are trained.
    step = sum(times) / len(times)
    # A controller learns at the end of an epoch, and the curvature of gates is taken there.
    last = Moment(half, steps - 1, steps, steps * job.fidelity.epochs)
    end = max(0.0, _time(lambda: method.take(inputs, targets, last), job.device) - step)
    momentum = sum(4 * p.numel() for p in supernet.parameters())
    return step / len(inputs), end, live.peak + momentum


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
