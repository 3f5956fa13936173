"""The table of NAS-Bench-201's cells, with latency and energy (see `cambrian.benchmarks.nb201`)."""

from __future__ import annotations

import numpy as np

from cambrian.estimators.tables.published_files import read_arrays
from cambrian.estimators.tables.table import Column, Table
from cambrian.spaces.cells.nasbench201.space import NASBench201

DEVICES = (
    "1080ti_1",
    "1080ti_256",
    "titan_rtx_1",
    "titan_rtx_256",
    "gold_6226",
    "pixel2",
    "raspi4",
    "eyeriss",
)
LATENCIES = tuple(f"lat_{device}" for device in DEVICES)
RASPBERRY = ("lat_ms_pi5_onnx_cifar100", "energy_mj_pi5_onnx_cifar100")
METRICS = ("params_m", *LATENCIES, *RASPBERRY)
"""Millions of parameters; milliseconds a batch; millijoules an image. All for 32x32 images, latency
and energy with the 100 classes' head."""


def table() -> Table:
    needed = ("c10_val_12", "c10_val_200", "c10_test_200", "c100_val_12", "c100_test_200", "params_m")
    accuracies = read_arrays("nb201/nb201_accuracy.npz", "ops", *needed)
    others = read_arrays("nb201/nb201_latency.npz", *LATENCIES) | read_arrays(
        "nb201/nb201_raspberry_pi5.npz", *RASPBERRY
    )
    columns = {name: Column(values) for name, values in (accuracies | others).items() if values.ndim == 1}
    # Two budgets were trained apart (12 and 200 epochs, each with its own schedule): not one curve.
    both = np.stack([accuracies["c10_val_12"], accuracies["c10_val_200"]], axis=1)
    columns["c10_val"] = Column(both, (12, 200))
    columns["c100_val"] = Column(accuracies["c100_val_12"][:, None], (12,))
    rows = {tuple(codes): row for row, codes in enumerate(accuracies["ops"].tolist())}
    return Table("nb201/nb201_accuracy.npz", NASBench201.codes, rows, columns)
