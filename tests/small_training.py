"""A small space of convolutional networks and small data, for tests that train. Subprocesses import it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.architecture import Architecture
from cambrian.choices import Scalar
from cambrian.estimators.job import Job
from cambrian.estimators.train import WEIGHTS, Train
from cambrian.outcome import Fidelity, Outcome, Point
from cambrian.spaces.space import Pick, Signature, Space
from cambrian.tasks.task import Task

if TYPE_CHECKING:
    import torch
    from torch import nn

ARCHITECTURE = Architecture({"width": 8, "kernel": 3})


@dataclass(frozen=True)
class SmallConv(Space):
    """Two convolutions, batch normalisation, dropout (so that a step needs chance), a linear layer."""

    def program(self, pick: Pick) -> None:
        pick("width", [4, 8])
        pick("kernel", [1, 3])

    def build(self, architecture: Architecture, task: Signature, **skeleton: Scalar) -> nn.Module:
        from torch import nn

        width, kernel = int(architecture["width"]), int(architecture["kernel"])  # type: ignore[arg-type]
        width *= int(skeleton.get("times", 1))
        return nn.Sequential(
            nn.Conv2d(task.channels, width, kernel, padding=kernel // 2),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, kernel, stride=2, padding=kernel // 2),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(0.1),
            nn.Linear(width, task.classes),
        )


def bars(examples: int = 120, side: int = 8, channels: int = 1, metric: str = "accuracy") -> Task:
    """Images of four classes: a bright bar at the top, bottom, left or right, in noise. Half are for
    training, a quarter each for validation and test, in turn."""
    rng = np.random.default_rng(0)
    targets = np.arange(examples, dtype=np.int64) % 4
    inputs = rng.integers(0, 120, size=(examples, side, side, channels), dtype=np.uint8)
    for image, target in zip(inputs, targets):
        bar = image if target < 2 else image.swapaxes(0, 1)
        bar[0 if target % 2 == 0 else -1] += 100
    place = np.arange(examples) // 4 % 4
    return Task(
        name="bars",
        inputs=inputs,
        targets=targets,
        labels=("top", "bottom", "left", "right"),
        train=np.flatnonzero(place < 2),
        validation=np.flatnonzero(place == 2),
        test=np.flatnonzero(place == 3),
        mean=(0.25,) * channels,
        std=(0.15,) * channels,
        metric=metric,
    )


def estimated(
    train: Train | None = None,
    task: Task | None = None,
    fidelity: Fidelity | None = None,
    architecture: Architecture = ARCHITECTURE,
    space: Space | None = None,
    weights: Path | None = None,
    **known: Any,
) -> tuple[list[Point], Outcome]:
    """The points and the outcome of one evaluation, on the small space and data by default; its weights are
    left at `weights`."""
    if weights is not None:
        known["keep"] = weights.with_suffix(".kept")
        known["keep"].mkdir(exist_ok=True)
    job = Job.of(space or SmallConv(), architecture, fidelity or Fidelity(3), task or bars(), **known)
    estimate = (train or Train(batch_size=16)).run(job)
    points = []
    while True:
        try:
            points.append(next(estimate))
        except StopIteration as end:
            if weights is not None and (known["keep"] / WEIGHTS).exists():
                (known["keep"] / WEIGHTS).rename(weights)
            return points, end.value


def timeless(outcome: Any) -> Any:
    """An outcome without its seconds."""
    import msgspec

    curve = tuple(msgspec.structs.replace(p, seconds=0.0) for p in outcome.curve)
    return msgspec.structs.replace(outcome, curve=curve, seconds=0.0)


def with_inputs(task: Task, which: np.ndarray[Any, Any], values: np.ndarray[Any, Any]) -> Task:
    """The task with other images (and the targets rotated by one) at `which`."""
    inputs, targets = task.inputs.copy(), task.targets.copy()
    inputs[which] = values
    targets[which] = (targets[which] + 1) % task.classes
    return replace(task, inputs=inputs, targets=targets)


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Bit for bit."""
    import torch

    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)
