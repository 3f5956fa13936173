"""NAS-Bench-201 (Dong & Yang, ICLR 2020, arXiv 2001.00326): 15,625 cells, each trained, those that are
the same function too. Latency and energy: HELP (Lee et al., NeurIPS 2021) and HW-NAS-Bench-360.

The table at hand holds no training times, so trials have no simulated seconds: cost is their number,
and the epochs of each.
"""

from __future__ import annotations

from cambrian.benchmarks.benchmark import Benchmark
from cambrian.estimators.tables import open_table
from cambrian.estimators.tables.nb201 import METRICS
from cambrian.estimators.tabular import Tabular
from cambrian.outcome import Fidelity
from cambrian.spaces.cells.nasbench201.space import NASBench201


def cifar10() -> Benchmark:
    """Search the validation accuracy after 200 epochs."""
    return _benchmark("nb201-cifar10", "c10", 200)


def cifar10_12() -> Benchmark:
    """Search the validation accuracy after 12 epochs; test after 200."""
    return _benchmark("nb201-cifar10-12", "c10", 12)


def cifar100_12() -> Benchmark:
    """Search the validation accuracy after 12 epochs (there is none after 200 in the table); test
    after 200."""
    return _benchmark("nb201-cifar100-12", "c100", 12)


def _benchmark(name: str, data: str, epochs: int) -> Benchmark:
    return Benchmark.of_table(
        name,
        NASBench201(),
        # `raw`: cells that are the same function were trained one by one, and differ by noise.
        Tabular("nb201", f"{data}_val", METRICS, scale=0.01, raw=True),
        open_table("nb201").column(f"{data}_test_200").values,
        Fidelity(epochs),
    )
