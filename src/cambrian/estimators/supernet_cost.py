"""The cost of a supernet on this machine, measured by a few steps of its own method."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec

from cambrian.estimators.estimator import Job
from cambrian.estimators.one_shot import OneShot
from cambrian.estimators.scoring import count_at_once
from cambrian.estimators.supernets import SUPERNET, list_paths, make_supernet, read_statistics_batches
from cambrian.estimators.training_data import scoring_images, training_images
from cambrian.memory_reuse import reuse_memory

if TYPE_CHECKING:
    from torch import Tensor

    from cambrian.networks.sharing.supernet import Supernet
    from cambrian.networks.training.step import Step
    from cambrian.tasks.task import Task

ENOUGH = 1.0
"""Seconds of steps, or of scores, after which no further one is measured."""


MOST, USUAL = 64, 128
"""Children by which the outputs that they share are counted at most, and those of a usual search."""


class SupernetCost(msgspec.Struct, frozen=True):
    """Seconds of a step for each of its images, of the work at the end of an epoch, of the score of one
    child, of making a supernet and its method, saving and loading it, and of a method's `extra` work in a
    training; the bytes of tensors that are alive at the peak of a step, momentum included, and in a process
    that scores `children`, with the outputs that it keeps for others."""

    step: float
    end: float
    score: float
    bytes: int
    children: int
    make: float
    extra: float


def measure_supernet(one_shot: OneShot, job: Job) -> SupernetCost:
    """Train the supernet of the job's request for a few steps, and score a child."""
    from cambrian.networks.sharing.methods.method import HasExtraWork

    assert job.task is not None
    supernet, make = _measure_making(job, job.task)
    began = time.perf_counter()
    # Some methods weigh all options against each other first, as once-for-all does.
    method = one_shot.make_method(job, job.task, supernet)
    make += time.perf_counter() - began
    step, end, memory = _measure_steps(one_shot, job, job.task, supernet, method)
    extra = method.measure_extra() if isinstance(method, HasExtraWork) else 0.0
    score, scoring = _measure_score(one_shot, job, job.task, supernet)
    children = scoring + _measure_kept(one_shot, job, job.task, supernet)
    return SupernetCost(step, end, score, memory, children, make, extra)


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
    from cambrian.networks.sharing.methods.method import HasGates
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
    # A controller learns at the end of an epoch, and the curvature of gates is taken there.
    last = Moment(half, steps - 1, steps, steps * job.fidelity.epochs)
    with reuse_memory():
        with LiveBytes([*supernet.parameters(), *supernet.buffers(), inputs]) as live:
            method.take(inputs, targets, moments[0])
            if isinstance(method, HasGates):
                method.take(inputs, targets, last)
        times: list[float] = []
        while len(times) < 3 or (len(times) < 20 and sum(times) < ENOUGH):
            times.append(_time(lambda: method.take(inputs, targets, moments[len(times) + 1]), job.device))
        # The mean, and not the fastest: paths differ in their cost, and all of them are trained.
        step = sum(times) / len(times)
        end = max(0.0, _time(lambda: method.take(inputs, targets, last), job.device) - step)
    momentum = sum(4 * p.numel() for p in supernet.parameters())
    return step / len(inputs), end, live.peak + momentum


def _measure_score(one_shot: OneShot, job: Job, task: Task, supernet: Supernet) -> tuple[float, int]:
    """The seconds of a child's score, and the bytes at its peak."""
    from cambrian.networks.measure.memory import LiveBytes
    from cambrian.networks.sharing.norms import measure_statistics

    draw, images = list_paths(job, supernet), scoring_images(task, job.fidelity, "search", job.device)
    seen = sum(map(len, _list_statistics(one_shot, job, task)))
    pixels = images.inputs(images.pixels[: count_at_once(one_shot, images)])
    with LiveBytes([*supernet.parameters(), *supernet.buffers(), pixels]) as live:
        supernet.choose(draw(0))
        measure_statistics(supernet, [pixels])
    times: list[float] = []
    while len(times) < 3 or (len(times) < 10 and sum(times) < ENOUGH):
        supernet.choose(draw(-1 - len(times)))
        times.append(_time(lambda: measure_statistics(supernet, [pixels]), job.device))
    return sum(times) / len(times) / len(pixels) * (len(images) + seen), live.peak


def _measure_kept(one_shot: OneShot, job: Job, task: Task, supernet: Supernet) -> int:
    """The bytes of outputs that children have in common and that are kept, by those of a few images."""
    import torch

    from cambrian.networks.sharing.memo import LIMIT, SCORES, STATISTICS, Memo
    from cambrian.networks.sharing.norms import measure_statistics

    if supernet.hypernetwork is not None:
        return 0
    draw, images = list_paths(job, supernet), scoring_images(task, job.fidelity, "search", job.device)
    learned, scored = _list_statistics(one_shot, job, task), min(2, len(images))
    batches = [batch[:2] for batch in learned[:1]]
    memo, kept, began = Memo(supernet, sys.maxsize), [0], time.process_time()
    while len(kept) <= MOST and time.process_time() - began < ENOUGH:
        supernet.choose(draw(len(kept)))
        for batch in batches:
            memo.know(batch)
            with memo.used(STATISTICS):
                measure_statistics(supernet, batches)
        with memo.used(SCORES), torch.inference_mode():
            supernet.eval()(memo.recall(images.read, 0, scored))
        kept.append(memo.bytes)
    ratio = (sum(map(len, learned)) + len(images)) / (sum(map(len, batches)) + scored)
    return min(LIMIT, round(ratio * extrapolate(kept)))


def extrapolate(kept: Sequence[int]) -> float:
    """The bytes that are kept after USUAL children, by those after 0, 1, ... of them: with each doubling of
    their number as much is added as with the last one.

    >>> extrapolate([0, 10, 12, 13, 14])
    24.0
    """
    count = len(kept) - 1
    return kept[count] + math.log2(max(1.0, USUAL / count)) * (kept[count] - kept[count // 2])


def _list_statistics(one_shot: OneShot, job: Job, task: Task) -> list[Tensor]:
    """The batches by which the statistics of a child are measured, if they are."""
    if one_shot.statistics != "measured":
        return []
    return read_statistics_batches(job, task, one_shot, one_shot.statistics_batches)


def _time(action: Any, device: str) -> float:
    import torch

    started = time.perf_counter()
    action()
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return time.perf_counter() - started
