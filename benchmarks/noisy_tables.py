"""Tables whose validation is noisy by construction, and what is known of the noise of published ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar

import msgspec

from cambrian.architecture import Architecture
from cambrian.benchmarks import benchmark
from cambrian.benchmarks.benchmark import Benchmark
from cambrian.estimators.estimator import Estimate, Job
from cambrian.estimators.tables import open_table
from cambrian.outcome import Done
from cambrian.randomness import stream


@dataclass(frozen=True)
class Noisy:
    """Measures as `exact` does, on so few images more that their sampling error counts."""

    exact: Any
    images: int
    needs: ClassVar[tuple[type, ...]] = ()
    builds: ClassVar[bool] = False
    delivers: ClassVar[bool] = False

    def run(self, job: Job) -> Estimate:
        outcome = yield from self.exact.run(job)
        error = stream(job.seed, "noisy", job.identity).standard_normal()
        if not isinstance(outcome, Done):
            return outcome
        value = outcome.value + sampling_error(outcome.value, self.images) * float(error)
        return msgspec.structs.replace(outcome, value=value)


def sampling_error(accuracy: float, images: int) -> float:
    """The standard deviation of an accuracy that is measured on so many images."""
    accuracy = min(max(accuracy, 0.0), 1.0)
    return math.sqrt(accuracy * (1.0 - accuracy) / images)


@dataclass(frozen=True)
class Table:
    """A benchmark whose validation part has so many images. Where measurements differ from their repeats,
    `truth` is an architecture's value without noise, and `noise` the standard deviation around it."""

    benchmark: Benchmark
    images: int
    truth: Callable[[Architecture], float] | None = None
    noise: Callable[[float], float] = lambda value: 0.0

    def repeat(self, architecture: Architecture, value: float, seed: int) -> float:
        """Another measurement of the architecture, which was measured as `value`; the same where the table
        has no other."""
        if self.truth is None:
            return value
        truth = self.truth(architecture)
        error = stream(seed, "repeat", str(sorted(architecture.items()))).standard_normal()
        return truth + self.noise(truth) * float(error)


def look_up(table: Benchmark, architecture: Architecture) -> float:
    """The published value."""
    estimate = table.estimator.run(Job.of(table.space, architecture, table.fidelity))
    while True:
        try:
            next(estimate)
        except StopIteration as stop:
            return float(stop.value.value)


# Validation images of each published table, as its paper has them.
IMAGES = {
    "nb201-cifar10": 25_000,
    "nb201-cifar10-12": 25_000,
    "nb201-cifar100-12": 5_000,
    "nb101": 10_000,
    "nb101-small": 10_000,
    "nb-macro": 10_000,
    "spikenas": 25_000,
}
SMALL = ("nb201-cifar10", "nb101", "nb-macro", "spikenas")
FEW = (500, 2_000)


def list_tables() -> list[str]:
    noisy = [f"{name} of {images} images" for name in SMALL for images in FEW]
    return [*IMAGES, "planted", *noisy]


@cache
def make_table(name: str) -> Table:
    if name == "planted":
        planted = benchmark(name)
        # 0.4 points at 90 % are the sampling error of the paper's 5,000 images.
        return Table(planted, 5_000, lambda a: planted.test(a) / 100, lambda _: planted.estimator.noise)
    plain, _, images = name.partition(" of ")
    table = benchmark(plain)
    if plain == "nb-macro":
        table = replace(table, test=average_others(table))
    if not images:
        return Table(table, IMAGES[plain])
    few = int(images.split()[0])
    noisy = replace(table, name=name, estimator=Noisy(table.estimator, few))
    return Table(noisy, few, lambda a: look_up(table, a), lambda value: sampling_error(value, few))


def average_others(table: Benchmark) -> Callable[[Architecture], float]:
    """The test of NAS-Bench-Macro as the mean of the two trainings that a search does not see: the published
    mean of three has the noise of the search's own in it."""
    first = open_table("nb-macro").column("first_acc").values
    rows = table.estimator.open()

    def test(architecture: Architecture) -> float:
        return (3 * table.test(architecture) - float(first[rows.row(table.space, architecture)])) / 2

    return test
