"""SpikeNAS-Bench (Sun et al., IEEE Trans. AI 2024): spiking networks on the cells of NAS-Bench-201, with
the whole learning curve of each on CIFAR-10.

Simulated seconds are the measured training time, spread evenly over the epochs.
"""

from __future__ import annotations

from cambrian.benchmarks.benchmark import Benchmark
from cambrian.estimators.tables import open_table
from cambrian.estimators.tables.spikenas import EPOCHS
from cambrian.estimators.tabular import Tabular
from cambrian.outcome import Fidelity
from cambrian.spaces.cells.spikenas import SpikingCells


def cifar10() -> Benchmark:
    """Search the validation accuracy after 100 epochs, or any number from 1 on; test as published (690
    cells were trained for 200 epochs, and are tested after those)."""
    estimator = Tabular("spikenas", "val_acc", ("params",), "seconds", scale=0.01, raw=True)
    # The test column is of the longest training of each cell.
    test = open_table("spikenas").column("test_acc").values
    return Benchmark.of_table("spikenas", SpikingCells(), estimator, test, Fidelity(EPOCHS[-1]))
