"""The subject of an audit by a table of results: the truth is the table's test score of the full training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import numpy as np

from cambrian.architecture import Architecture
from cambrian.audits.kinds import describe_kinds
from cambrian.audits.measuring import Ground, Measurements, look_up, measure, test_by_table
from cambrian.audits.sampling import draw_sample, pair_functions
from cambrian.audits.shortcuts import Shortcut, read_shortcut
from cambrian.audits.sizes import Sizes, choose_skeleton, count_sizes, is_size, read_columns
from cambrian.benchmarks import Benchmark
from cambrian.benchmarks.guessing import is_numeric
from cambrian.effort import Axis
from cambrian.errors import UsageError
from cambrian.estimators.tabular import Tabular
from cambrian.outcome import Fidelity
from cambrian.problem import lower_is_better
from cambrian.spaces.space import Space

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARES = (0.05, 0.1, 0.25, 0.5)
"""Shares of a learning curve that an audit without named shortcuts looks at."""


@dataclass(frozen=True)
class OnTable:
    """Trainings are looked up; proxies are measured on the networks of the benchmark's space, on the ground's
    task."""

    benchmark: Benchmark
    ground: Ground
    trains: ClassVar[bool] = False

    @property
    def title(self) -> str:
        return self.benchmark.name

    @property
    def unit(self) -> str:
        low = ", lower is better" if self.minimize else ""
        return f"test score of the table{low}"

    @property
    def minimize(self) -> bool:
        return self.benchmark.test_minimize

    @property
    def truth(self) -> str:
        epochs = self._epochs
        return f"the table's test after {epochs[-1]} epochs" if epochs else "the table's test score"

    @property
    def scale(self) -> float:
        return 1.0

    @property
    def space(self) -> Space:
        return self.ground.space

    def read(self, text: str) -> Shortcut:
        """A lower fidelity or a column of the table, or a measure of the networks."""
        if text in self._columns:
            return Shortcut(text, {"name": "tabular", "arguments": {"objective": text}}, self.ground.truth)
        if text.startswith("train"):
            return self._read_training(text)
        shortcut = read_shortcut(text, self.ground.truth, self.ground.space)
        if shortcut.trains:
            raise UsageError(
                f"the shortcut {text!r} trains networks, and a table is looked up: give DATA without"
                " --benchmark"
            )
        if self.ground.task is None:
            raise UsageError(
                f"the shortcut {text!r} reads networks and images: give DATA beside --benchmark, of the"
                " images that the table's networks were trained on"
            )
        return shortcut

    def list_usual(self) -> list[str]:
        epochs = self._epochs
        if len(epochs) > 9:  # a learning curve
            epochs = sorted({epochs[max(0, round(share * len(epochs)) - 1)] for share in SHARES})
        return [f"train(epochs={n})" for n in epochs if n < self._longest]

    def draw(self, count: int) -> list[Architecture]:
        raw = bool(getattr(self.benchmark.estimator, "raw", False))
        drawn = draw_sample(self.benchmark.space, count, self.ground.seed, self._describe, raw)
        return [a for a in drawn if np.isfinite(self.benchmark.test(a))]

    def measure_truth(
        self, architectures: Sequence[Architecture], twice: int
    ) -> tuple[Measurements, NDArray[np.float64]]:
        scores = test_by_table(self.benchmark, architectures)
        full = look_up(self.benchmark, architectures, self._full, False)
        twins = pair_functions(self.benchmark.space, twice, self.ground.seed) if self._raw else []
        # Cells that are the same function were trained one by one: each pair is two trainings of a network.
        pairs = np.array([test_by_table(self.benchmark, pair) for pair in twins]).reshape(-1, 2)
        return msgspec.structs.replace(full, scores=scores, failures=()), pairs

    def measure(self, shortcut: Shortcut, architectures: Sequence[Architecture]) -> Measurements:
        if shortcut.label in self._columns:
            return self._read_column(shortcut.label, architectures)
        if shortcut.trains:
            return look_up(self.benchmark, architectures, shortcut.fidelity, self.benchmark.minimize)
        return measure(self.ground, shortcut, architectures)

    def count_sizes(self, architectures: Sequence[Architecture]) -> tuple[list[Sizes], float]:
        held = read_columns(self.benchmark, architectures)
        # In the smallest skeleton: it ranks cells as the table's does, and takes a tenth of the time.
        small = Fidelity(skeleton=choose_skeleton(self.space))
        counted, seconds = count_sizes(self.space, architectures, self.ground.task, small)
        return [{**c, **h} for c, h in zip(counted, held, strict=True)], seconds

    def settings(self) -> dict[str, Any]:
        task = self.ground.task
        return {
            "benchmark": self.benchmark.name,
            "estimator": getattr(self.benchmark.estimator, "table", ""),
            "data": None if task is None else {"name": task.name, "digest": task.digest},
            "seed": self.ground.seed,
        }

    def _read_training(self, text: str) -> Shortcut:
        shortcut = read_shortcut(text, Fidelity(self._longest), self.benchmark.space)
        if shortcut.named.keys() != {"epochs"} or shortcut.fidelity.epochs not in self._epochs:
            valid = ", ".join(map(str, self._epochs[:9])) or "none"
            raise UsageError(
                f"the table {self.title!r} does not have {text!r}: it has trainings of these epochs: {valid}"
                + (", ..." if len(self._epochs) > 9 else "")
            )
        return shortcut

    def _read_column(self, name: str, architectures: Sequence[Architecture]) -> Measurements:
        table = self.benchmark.estimator.open()
        column = table.column(name).values
        # Of sizes more counts as better, as for every proxy.
        sign = -1 if lower_is_better(name) and not is_size(name) else 1
        rows = [table.row(self.benchmark.space, a) for a in architectures]
        return Measurements(sign * np.array([float(column[row]) for row in rows]), None)

    def _describe(self, pool: Sequence[Architecture]) -> Mapping[str, NDArray[np.float64]]:
        return describe_kinds(self.benchmark.space, pool, read_columns(self.benchmark, pool))

    @property
    def _raw(self) -> bool:
        return bool(getattr(self.benchmark.estimator, "raw", False))

    @property
    def _columns(self) -> tuple[str, ...]:
        """The table's columns of one number for each row, which may be shortcuts."""
        if not isinstance(self.benchmark.estimator, Tabular):
            return ()
        columns = self.benchmark.estimator.open().columns
        return tuple(n for n, c in columns.items() if c.values.ndim == 1 and is_numeric(c.values))

    @property
    def _epochs(self) -> list[int]:
        axes: tuple[Axis, ...] = tuple(getattr(self.benchmark.estimator, "axes", ()))
        values = [axis.values for axis in axes if axis.name == "epochs"]
        return [int(value) for value in values[0]] if values else []

    @property
    def _longest(self) -> int:
        return max([*self._epochs, self.benchmark.fidelity.epochs])

    @property
    def _full(self) -> Fidelity:
        return Fidelity(self._longest)
