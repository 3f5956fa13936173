"""Supernets with gates, small enough for a step in milliseconds."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch

from cambrian.architecture import sample
from cambrian.estimators.estimator import Job
from cambrian.estimators.one_shot import OneShot, make_supernet
from cambrian.networks.training.step import Moment
from cambrian.outcome import Done, Fidelity
from cambrian.randomness import stream
from cambrian.request import TrainSupernet
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.tasks.task import Task
from cambrian.testing import toy_task

TASK = toy_task()
SKELETON = {"filters": 4, "cells": 1}
METHODS = (
    "darts",
    "gdas",
    "snas",
    "pc-darts",
    "drnas",
    "proxylessnas",
    "beta-darts",
    "sdarts-rs",
    "r-darts",
    "darts-ada",
    "p-darts",
    "darts-pt",
    "maskconnect",
)
ONE_SHOT = OneShot(batch_size=16, paths=1, statistics_batches=1, warmup=0.0, learning_rate=0.05)


def coloured_task(images: int = 192) -> Task:
    """Images of 4 x 4 pixels of noise whose class is their bright channel, so that a network needs no more
    than a way from its input to its output."""
    plain = toy_task(images, 4, 3)
    inputs = stream(0, "coloured").integers(0, 100, size=plain.inputs.shape).astype(np.uint8)
    inputs[np.arange(images), :, :, plain.targets] += 100
    return dataclasses.replace(plain, inputs=inputs, mean=(0.33,) * 3, std=(0.2,) * 3)


def make_job(
    method: str,
    arguments: dict[str, Any] | None = None,
    space: Any = None,
    epochs: int = 1,
    task: Task = TASK,
    **known: Any,
) -> Job:
    """The job of training a supernet."""
    space = space or NASBench201()
    skeleton = SKELETON if isinstance(space, NASBench201) else {}
    fidelity = Fidelity(epochs, skeleton=known.pop("skeleton", skeleton))
    outer = sample(space, stream(0, "outer"))
    request = TrainSupernet(outer, {"name": method, "arguments": arguments or {}}, fidelity)
    return dataclasses.replace(Job.of(space, outer, fidelity, task, **known), request=request)


def train(job: Job, one_shot: OneShot = ONE_SHOT) -> Done:
    """The outcome of that training."""
    outcomes: list[Any] = []

    def collect() -> Any:
        outcomes.append((yield from one_shot.run(job)))

    for _point in collect():
        pass
    (outcome,) = outcomes
    assert isinstance(outcome, Done), outcome
    return outcome


def make_step(job: Job, one_shot: OneShot = ONE_SHOT) -> tuple[Any, Any]:
    """The supernet of a job, and its method's step."""
    task = job.task or TASK
    supernet = make_supernet(job, task, job.request.outer)
    return supernet.train(), one_shot.make_method(job, task, supernet)


def take(step: Any, number: int = 0, steps: int = 100) -> torch.Tensor:
    """One step, on images of noise."""
    torch.manual_seed(number)
    inputs, targets = torch.randn(8, 2, 8, 8), torch.randint(3, (8,))
    loss: torch.Tensor = step.take(inputs, targets, Moment(0, number, steps, steps))
    return loss
