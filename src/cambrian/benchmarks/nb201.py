"""NAS-Bench-201 (Dong & Yang, ICLR 2020, arXiv 2001.00326): 15,625 cells, each trained, those that are
the same function too. Latency and energy: HELP (Lee et al., NeurIPS 2021) and HW-NAS-Bench-360.

The table at hand holds no training times, so trials have no simulated seconds: cost is their number,
and the epochs of each.
"""

from __future__ import annotations

import numpy as np

from cambrian.benchmarks.benchmark import Benchmark
from cambrian.benchmarks.published_files import arrays
from cambrian.estimators.tables import Column, Table, open_table
from cambrian.estimators.tabular import Tabular
from cambrian.outcome import Fidelity
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
    found = arrays("nb201/nb201_accuracy.npz", "ops", *needed)
    others = arrays("nb201/nb201_latency.npz", *LATENCIES) | arrays(
        "nb201/nb201_raspberry_pi5.npz", *RASPBERRY
    )
    columns = {name: Column(values) for name, values in (found | others).items() if values.ndim == 1}
    both = np.stack([found["c10_val_12"], found["c10_val_200"]], axis=1)
    columns["c10_val"] = Column(both, (12, 200))
    columns["c100_val"] = Column(found["c100_val_12"][:, None], (12,))
    rows = {tuple(codes): row for row, codes in enumerate(found["ops"].tolist())}
    return Table("nb201/nb201_accuracy.npz", NASBench201.codes, rows, columns)


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
        Tabular("nb201", f"{data}_val", METRICS, scale=0.01, raw=True),
        open_table("nb201").column(f"{data}_test_200").values,
        Fidelity(epochs),
    )
