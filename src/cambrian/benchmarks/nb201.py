"""NAS-Bench-201 (Dong & Yang, ICLR 2020): 15,625 cells, each trained."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from cambrian.architecture import Architecture
from cambrian.benchmarks.benchmark import Benchmark
from cambrian.benchmarks.files import arrays
from cambrian.estimators.tables import Table
from cambrian.estimators.tabular import Tabular, opened
from cambrian.outcome import Fidelity
from cambrian.spaces.nasbench201 import NASBench201

ACCURACIES = ("c10_val_12", "c10_val_200", "c10_test_200", "c100_val_12", "c100_test_200", "params_m")


def table() -> Table:
    found = arrays("nb201/nb201_accuracy.npz", "ops", *ACCURACIES)
    rows: dict[Hashable, int] = {tuple(ops): row for row, ops in enumerate(found.pop("ops").tolist())}
    return Table("nb201/nb201_accuracy.npz", codes, rows, found)


def codes(space: Any, architecture: Architecture) -> tuple[int, ...]:
    found: tuple[int, ...] = space.codes(architecture)
    return found


def cifar10() -> Benchmark:
    """Search the validation accuracy after 200 epochs."""
    return _benchmark("nb201-cifar10", "c10_val_200", "c10_test_200", 200)


def _benchmark(name: str, objective: str, test: str, epochs: int) -> Benchmark:
    space, found = NASBench201(), opened("nb201")
    scores = found.column(test)
    return Benchmark(
        name,
        space,
        Tabular("nb201", objective, ("params_m",)),
        lambda architecture: float(scores[found.row(space, architecture)]),
        float(np.max(scores)),
        Fidelity(epochs),
    )
