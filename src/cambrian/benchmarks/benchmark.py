"""What a benchmark is, and benchmarks by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from cambrian.architecture import Architecture
from cambrian.outcome import Fidelity
from cambrian.registry import Registry
from cambrian.spaces.space import Space

BENCHMARKS = Registry(
    "benchmark",
    {
        "nb201-cifar10": "cambrian.benchmarks.nb201:cifar10",
    },
)


@dataclass(frozen=True)
class Benchmark:
    """What is searched and what counts. Strategies see what `estimator` gives at `fidelity` (the
    objective, on validation); `test(architecture)` is what a referee reports of the architecture
    chosen, in the unit its table prints (percent for accuracies). `optimum` is the highest `test`."""

    name: str
    space: Space
    estimator: Any
    test: Callable[[Architecture], float]
    optimum: float
    fidelity: Fidelity = field(default_factory=Fidelity)
    seconds: str | None = None


@cache
def benchmark(name: str) -> Benchmark:
    """Raises UnknownName with the nearest name, DataError where its table is missing or damaged."""
    found: Benchmark = BENCHMARKS.get(name)()
    return found
