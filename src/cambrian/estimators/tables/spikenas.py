"""The table of SpikeNAS-Bench's learning curves (see `cambrian.benchmarks.spikenas`)."""

from __future__ import annotations

import numpy as np

from cambrian.estimators.tables.published_files import read_arrays
from cambrian.estimators.tables.table import Column, Table
from cambrian.spaces.cells.spikenas import SpikingCells

FILE = "spikenas_bench/spikenas_cifar10.npz"
EPOCHS = tuple(range(1, 101))


def table() -> Table:
    arrays = read_arrays(FILE, "ops", "val_acc_x100", "test_acc", "train_seconds", "n_epochs", "params")
    # Only the whole training was timed: its epochs take equal shares.
    each = arrays["train_seconds"] / arrays["n_epochs"]
    columns = {
        "val_acc": Column(arrays["val_acc_x100"] / np.float32(100), EPOCHS, curve=True),
        "seconds": Column(each[:, None] * np.array(EPOCHS, np.float32), EPOCHS, curve=True),
        "test_acc": Column(arrays["test_acc"]),
        "params": Column(arrays["params"]),
    }
    rows = {tuple(codes): row for row, codes in enumerate(arrays["ops"].tolist())}
    return Table(FILE, SpikingCells.codes, rows, columns)
