"""The table of NAS-Bench-Macro's networks (see `cambrian.benchmarks.macro`)."""

from __future__ import annotations

from cambrian.estimators.tables.published_files import read_arrays
from cambrian.estimators.tables.table import Column, Table
from cambrian.spaces.chains.macro.space import Macro


def table() -> Table:
    arrays = read_arrays(
        "nasbench_macro/nasbench_macro.npz", "arch", "test_acc", "mean_acc", "params", "flops"
    )
    rows = {tuple(codes): row for row, codes in enumerate(arrays["arch"].tolist())}
    columns = {name: Column(arrays[name]) for name in ("mean_acc", "params", "flops")}
    columns["first_acc"] = Column(arrays["test_acc"][:, 0])  # of the three trainings behind the mean
    return Table("nasbench_macro/nasbench_macro.npz", Macro.codes, rows, columns)
