"""What a benchmark is, and benchmarks by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.architecture import Architecture
from cambrian.errors import UsageError
from cambrian.estimators.table_files import SUFFIXES
from cambrian.estimators.tables import opened
from cambrian.estimators.tabular import Tabular
from cambrian.outcome import Fidelity
from cambrian.registry import Registry
from cambrian.spaces.space import Space

if TYPE_CHECKING:
    from numpy.typing import NDArray

BENCHMARKS = Registry(
    "benchmark",
    {
        "nb101": "cambrian.benchmarks.nb101:five",
        "nb101-small": "cambrian.benchmarks.nb101:four",
        "nb201-cifar10": "cambrian.benchmarks.nb201:cifar10",
        "nb201-cifar10-12": "cambrian.benchmarks.nb201:cifar10_12",
        "nb201-cifar100-12": "cambrian.benchmarks.nb201:cifar100_12",
        "nb-macro": "cambrian.benchmarks.macro:cifar10",
        "planted": "cambrian.benchmarks.planted:entangled",
        "planted-separable": "cambrian.benchmarks.planted:separable",
        "spikenas": "cambrian.benchmarks.spikenas:cifar10",
    },
)


@dataclass(frozen=True)
class Benchmark:
    """What is searched and what counts. Strategies see what `estimator` gives at `fidelity`: the
    objective, a fraction for accuracies. `test(architecture)` is what a referee reports of the one
    chosen, in percent for accuracies; `optimum` is the best there is. Higher is better of the objective
    unless the estimator has `minimize`, and of the test score unless `test_minimize`, which left open is as
    the objective's."""

    name: str
    space: Space
    estimator: Any
    test: Callable[[Architecture], float]
    optimum: float
    fidelity: Fidelity = field(default_factory=Fidelity)
    test_minimize: bool | None = None

    @property
    def minimize(self) -> bool:
        """Whether search looks for the lowest objective."""
        return bool(getattr(self.estimator, "minimize", False))

    @property
    def lowest_wins(self) -> bool:
        """Whether the lower of two test scores is the better one."""
        return self.minimize if self.test_minimize is None else self.test_minimize

    @property
    def timed(self) -> bool:
        """Whether trials' seconds are what the measurements took, and not what looking up does."""
        return getattr(self.estimator, "seconds", None) is not None

    @staticmethod
    def of_table(
        name: str,
        space: Space,
        estimator: Tabular,
        test: NDArray[Any],
        fidelity: Fidelity | None = None,
        *,
        minimize: bool | None = None,
        test_minimize: bool | None = None,
    ) -> Benchmark:
        """`test` is float[rows of the estimator's table]; rows without one have NaN. `minimize` is the
        estimator's where it is left open, `test_minimize` is the objective's."""
        directed = estimator if minimize is None else replace(estimator, minimize=minimize)
        lower = directed.minimize if test_minimize is None else test_minimize
        table = opened(estimator.table, estimator.questions)
        return Benchmark(
            name,
            space,
            directed,
            lambda architecture: float(test[table.row(space, architecture)]),
            float(np.nanmin(test) if lower else np.nanmax(test)),
            fidelity or Fidelity(),
            test_minimize,
        )


@cache
def benchmark(name: str, minimize: bool | None = None) -> Benchmark:
    """A published or planted benchmark by its name, or a table of your own by its path (see `table_of`),
    whose objective is minimised or not. Raises UnknownName with the nearest name, DataError where a table is
    missing or damaged, UsageError for a direction that is not a benchmark's own."""
    if any(suffix in name for suffix in SUFFIXES):
        from cambrian.benchmarks.own import table_of

        return table_of(name, minimize)
    found: Benchmark = BENCHMARKS.get(name)()
    if minimize is not None and minimize != found.minimize:
        best = "lowest" if found.minimize else "highest"
        raise UsageError(
            f"the benchmark {name!r} is searched for the {best} value: a direction is for own tables"
        )
    return found
