"""Toys for tests: a task, and a space whose architectures are ways for a trial to end."""

from __future__ import annotations

import ctypes
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cambrian.architecture import Architecture
from cambrian.choices import Scalar
from cambrian.errors import Unbuildable
from cambrian.estimators.estimator import Estimate, Job
from cambrian.outcome import Done, Infeasible, Outcome, Point, outcome_of
from cambrian.randomness import stream
from cambrian.spaces.space import Pick, Signature, Space
from cambrian.tasks.task import Task

if TYPE_CHECKING:
    from torch import nn

HARMLESS = ("value", "curve", "raise", "nan", "infeasible", "unbuildable", "leave", "memory", "nothing")
DEADLY = ("exit", "segfault", "hang", "sleep", "allocate")


def toy_task(images: int = 96, size: int = 8, channels: int = 2, classes: int = 3) -> Task:
    """Images of noise with a bright row that shows the class: learnt within a few epochs."""
    rng = stream(0, "toy task")
    targets = np.arange(images, dtype=np.int64) % classes
    inputs = rng.integers(0, 100, size=(images, size, size, channels)).astype(np.uint8)
    inputs[np.arange(images), targets * size // classes] += 120
    order = rng.permutation(images)
    train, validation, test = (np.sort(part) for part in np.split(order, [images // 2, 3 * images // 4]))
    # Statistics of the training part alone, as for every task: the test part must stay unknown.
    pixels = inputs[train] / 255.0
    mean, std = pixels.mean(axis=(0, 1, 2)), pixels.std(axis=(0, 1, 2))
    labels = tuple(f"class {n}" for n in range(classes))
    return Task(
        "toy", inputs, targets, labels, train, validation, test, tuple(mean.tolist()), tuple(std.tolist())
    )


@dataclass(frozen=True)
class Endings(Space):
    """`do` names the way in which the trial ends under `Ending`; `number` makes architectures differ."""

    def program(self, pick: Pick) -> None:
        pick("do", HARMLESS + DEADLY)
        pick.integer("number", 0, 9)

    def build(self, architecture: Architecture, task: Signature, **skeleton: Scalar) -> nn.Module:
        raise Unbuildable("question 'do': endings are no networks")


@dataclass(frozen=True)
class Ending:
    """Ends each trial as its architecture says, within milliseconds where it ends by itself."""

    needs: ClassVar[tuple[type, ...]] = ()
    builds: ClassVar[bool] = False
    delivers: ClassVar[bool] = False

    def run(self, job: Job) -> Estimate:
        do = str(job.architecture["do"])
        for step in (1, 2, 3) if do == "curve" else ():
            yield Point(step, {"value": step / 10})
        if do in DEADLY:
            # A point first: the engine has news of the trial, and then no end.
            yield Point(1, {"value": 0.0})
            _die(do)
        outcome: Outcome = _end(do, job)
        return outcome


def _end(do: str, job: Job) -> Any:
    if do == "raise":
        raise ValueError("made up")
    if do == "unbuildable":
        raise Unbuildable("question 'do': made up")
    if do == "leave":
        raise SystemExit(3)
    if do == "memory":
        raise MemoryError("made up")
    if do == "nothing":
        return None
    if do == "infeasible":
        return Infeasible("limit", "made up")
    if do == "nan":
        return outcome_of(float("nan"))
    noise = float(stream(job.seed, "trial", job.identity).random())
    # Metrics echo the job, so that a check sees what reached the estimator.
    facts = {"seed": job.seed, "trial": job.number, "limit": job.limits.get("params", 0.0)}
    value = float(job.architecture["number"]) + noise  # type: ignore[arg-type]
    return Done(value, {k: float(v) for k, v in facts.items()} | {"delivers": float(job.stage == "deliver")})


def _die(do: str) -> None:
    if do == "exit":
        os._exit(0)
    if do == "segfault":
        ctypes.string_at(0)
    if do == "allocate":
        held = [np.ones(1 << 24) for _ in range(64)]  # 8 GiB
        held.clear()
    while do == "hang":
        pass
    time.sleep(60)


class Misfit(Space):
    """The questions of another space, and no network."""

    def __init__(self, space: Space) -> None:
        self._space = space

    def program(self, pick: Pick) -> object:
        return self._space.program(pick)

    def build(self, architecture: Architecture, task: Signature, **skeleton: Scalar) -> Any:
        raise Unbuildable("question 'made up': shapes do not fit")
