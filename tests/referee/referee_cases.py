"""Benchmarks and lines for the tests of the referee."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from cambrian.architecture import Architecture
from cambrian.benchmarks import Benchmark
from cambrian.estimators.function import Function
from cambrian.estimators.job import Job
from cambrian.outcome import Done
from cambrian.randomness import stream
from cambrian.referee.line import Incumbent, Line
from cambrian.spaces.chains.tiny_chain import TinyChain
from cambrian.strategies.random import Random

ONE = Architecture({"layers": 1, "layer1/operation": "skip"})
WORTH = {"conv3x3": 0.3, "conv5x5": 0.4, "max3x3": 0.2, "skip": 0.0}


def worth(architecture, fidelity):
    """What strategies see: operations of the layers, each counting less than the one before."""
    found = 0.0
    for i in range(1, architecture["layers"] + 1):
        found += WORTH[architecture[f"layer{i}/operation"]] / i + 0.01 * architecture.get(
            f"layer{i}/width", 0
        )
    return found


def toy():
    """Ends within milliseconds; judged in percent."""
    best = {"layers": 3, **{f"layer{i}/operation": "conv5x5" for i in (1, 2, 3)}}
    best |= {f"layer{i}/width": 2 for i in (1, 2, 3)}
    return Benchmark(
        "toy",
        TinyChain(),
        Function("referee_cases:worth", builds=False),
        lambda architecture: 100 * worth(architecture, None),
        100 * worth(best, None),
    )


@dataclass(frozen=True)
class Deadly(Random):
    """Takes its process with it, the first time it is asked for more than two trials; `place` remembers."""

    place: str = ""
    always: bool = False

    def learn(self, state, trial):
        mark = Path(self.place)
        if trial.number == 2 and (self.always or not mark.exists()):
            mark.touch()
            os._exit(7)
        return state


@dataclass(frozen=True)
class Counted:
    """An estimator that leaves a file for each time it is at work, in `place` or the folder that COUNTS
    names, and takes its time."""

    place: str = ""
    seconds: float = 0.05
    needs: ClassVar[tuple[type, ...]] = ()
    delivers: ClassVar[bool] = False

    def run(self, job):
        rng = stream(job.seed, "trial", job.identity, "count")
        name = f"{job.architecture.key}-{time.time_ns()}-{os.getpid()}".replace("/", "_")[-200:]
        Path(self.place or os.environ["COUNTS"], name).touch()
        time.sleep(self.seconds)
        yield from ()
        return Done(float(rng.random()), {"replicate": float(job.replicate)})


def line(strategy, seed, scores, cost=1.0, thinking=0.0, ended=""):
    """Of the score after each trial, a non-decreasing row."""
    firsts = [n for n in range(len(scores)) if n == 0 or scores[n] > scores[n - 1]]
    incumbents = tuple(Incumbent(n, float(scores[n]), float(scores[n])) for n in firsts)
    trials = len(scores)
    return Line(strategy, seed, incumbents, (float(cost),) * trials, (float(thinking),) * trials, ended)


def climbing(rng, seeds, budget, gain=None):
    """Scores [seeds, budget] of searches whose objective is noise, shifted by `gain` [budget]."""
    found = rng.normal(size=(seeds, budget))
    return np.maximum.accumulate(found + (0 if gain is None else gain), axis=1)


def run(estimator, architecture, space=None, **context):
    """Outcome and points."""
    estimate = estimator.run(Job.of(space or TinyChain(), architecture, **context))
    points = []
    while True:
        try:
            points.append(next(estimate))
        except StopIteration as end:
            return end.value, points
