"""SpikeNAS-Bench (Sun et al., IEEE Trans. AI 2024): spiking networks on the cells of NAS-Bench-201, with
the whole learning curve of each on CIFAR-10.

Simulated seconds are the measured training time, spread evenly over the epochs.
"""

from __future__ import annotations

import numpy as np

from cambrian.benchmarks.benchmark import Benchmark
from cambrian.benchmarks.published_files import arrays
from cambrian.estimators.tables import Column, Table, open_table
from cambrian.estimators.tabular import Tabular
from cambrian.outcome import Fidelity
from cambrian.spaces.cells.spikenas import SpikingCells

FILE = "spikenas_bench/spikenas_cifar10.npz"
EPOCHS = tuple(range(1, 101))


def table() -> Table:
    found = arrays(FILE, "ops", "val_acc_x100", "test_acc", "train_seconds", "n_epochs", "params")
    each = found["train_seconds"] / found["n_epochs"]
    columns = {
        "val_acc": Column(found["val_acc_x100"] / np.float32(100), EPOCHS, curve=True),
        "seconds": Column(each[:, None] * np.array(EPOCHS, np.float32), EPOCHS, curve=True),
        "test_acc": Column(found["test_acc"]),
        "params": Column(found["params"]),
    }
    rows = {tuple(codes): row for row, codes in enumerate(found["ops"].tolist())}
    return Table(FILE, SpikingCells.codes, rows, columns)


def cifar10() -> Benchmark:
    """Search the validation accuracy after 100 epochs, or any number from 1 on; test as published (690
    cells were trained for 200 epochs, and are tested after those)."""
    estimator = Tabular("spikenas", "val_acc", ("params",), "seconds", scale=0.01, raw=True)
    test = open_table("spikenas").column("test_acc").values
    return Benchmark.of_table("spikenas", SpikingCells(), estimator, test, Fidelity(EPOCHS[-1]))
