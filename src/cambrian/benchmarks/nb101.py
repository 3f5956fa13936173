"""EC-NAS-Bench (Bakhtiarifard et al., ICASSP 2024): cells of NAS-Bench-101 (Ying et al., ICML 2019)
trained on CIFAR-10, with measured time and energy. All 2,532 cells of at most 5 vertices for 4 epochs;
the 91 of at most 4 also for 12, 36 and 108, three times each, of which the mean counts.
"""

from __future__ import annotations

from cambrian.benchmarks.benchmark import Benchmark
from cambrian.estimators.tables import open_table
from cambrian.estimators.tables.nb101 import EPOCHS
from cambrian.estimators.tabular import Tabular
from cambrian.outcome import Fidelity
from cambrian.spaces.cells.nasbench101.space import NASBench101


def five() -> Benchmark:
    """Cells of at most 5 vertices, searched and tested after 4 epochs."""
    return _benchmark("nb101", 5, 4)


def four() -> Benchmark:
    """Cells of at most 4 vertices, searched and tested after 108 epochs; 4, 12 and 36 are known too."""
    return _benchmark("nb101-small", 4, 108)


def _benchmark(name: str, vertices: int, epochs: int) -> Benchmark:
    # The table has fractions; test scores are in percent.
    test = 100 * open_table("nb101").column("test_acc").values[:, EPOCHS.index(epochs)]
    estimator = Tabular("nb101", "val_acc", ("params", "energy_kwh"), "seconds")
    return Benchmark.of_table(name, NASBench101(vertices), estimator, test, Fidelity(epochs))
