"""Sizes of networks that are counted without building them with weights: the shortcuts that cost nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture
from cambrian.errors import Unbuildable
from cambrian.outcome import Fidelity
from cambrian.spaces.budgets import Scales
from cambrian.spaces.knowledge import know
from cambrian.spaces.program.function_space import Shape
from cambrian.spaces.space import Signature, Space

if TYPE_CHECKING:
    from cambrian.benchmarks import Benchmark

SIZES = ("params", "macs", "layers")
"""The baselines of every shortcut: one that does not beat them is not worth its seconds."""
USUAL = Shape(3, 32, 32, 10)
"""The images for which a table's networks are counted where no data are given: those of CIFAR-10."""
COLUMNS = {"params": ("params", "params_m"), "macs": ("macs", "flops")}
"""Columns of tables that hold sizes."""

Sizes = Mapping[str, float]


def count_sizes(
    space: Space, architectures: Sequence[Architecture], task: Signature | None, fidelity: Fidelity
) -> tuple[list[Sizes], float]:
    """The sizes of each architecture's network, and the seconds that one takes; none where the space cannot
    build networks."""
    started = time.perf_counter()
    try:
        sizes = [_count(space, a, task or USUAL, fidelity) for a in architectures]
    except Unbuildable:
        return [{} for _ in architectures], 0.0
    return sizes, (time.perf_counter() - started) / max(1, len(architectures))


def read_columns(benchmark: Benchmark, architectures: Sequence[Architecture]) -> list[Sizes]:
    """The sizes that the benchmark's table has, of each architecture."""
    from cambrian.estimators.tabular import Tabular

    if not isinstance(benchmark.estimator, Tabular):
        return [{} for _ in architectures]
    table = benchmark.estimator.open()
    names = {s: [n for n in columns if n in table.columns] for s, columns in COLUMNS.items()}
    held = {size: table.column(found[0]) for size, found in names.items() if found}
    rows = [table.row(benchmark.space, a) for a in architectures]
    return [{size: float(column.values[row]) for size, column in held.items()} for row in rows]


def choose_skeleton(space: Space) -> dict[str, Any]:
    """The settings of the cheapest network of the space that ranks architectures, where it knows."""
    scales = know(space, Scales)
    return {} if scales is None else dict(scales.sizes[0])


def is_size(column: str) -> bool:
    """Whether a table's column of that name holds a size."""
    return column in SIZES or any(column in columns for columns in COLUMNS.values())


def _count(space: Space, architecture: Architecture, task: Signature, fidelity: Fidelity) -> Sizes:
    from cambrian.estimators.build import signature
    from cambrian.networks.measure.measure_network import measure_network
    from cambrian.spaces.drafts import draft_network

    seen = signature(task, fidelity)
    network = draft_network(space, architecture, seen, fidelity.skeleton)
    return measure_network(SIZES, network, (seen.channels, seen.height, seen.width))
