"""NAS-Bench-Macro (Su et al., CVPR 2021): 6,561 networks, each trained three times on CIFAR-10.

Search sees the first training, the mean of all three is reported: the table has one accuracy of each,
on the test images. It holds no training times: cost is the number of trials.
"""

from __future__ import annotations

from cambrian.benchmarks.benchmark import Benchmark
from cambrian.benchmarks.published_files import arrays
from cambrian.estimators.tables import Column, Table, open_table
from cambrian.estimators.tabular import Tabular
from cambrian.spaces.chains.macro.space import Macro


def table() -> Table:
    found = arrays("nasbench_macro/nasbench_macro.npz", "arch", "test_acc", "mean_acc", "params", "flops")
    rows = {tuple(codes): row for row, codes in enumerate(found["arch"].tolist())}
    columns = {name: Column(found[name]) for name in ("mean_acc", "params", "flops")}
    columns["first_acc"] = Column(found["test_acc"][:, 0])
    return Table("nasbench_macro/nasbench_macro.npz", Macro.codes, rows, columns)


def cifar10() -> Benchmark:
    estimator = Tabular("nb-macro", "first_acc", ("params", "flops"), scale=0.01)
    return Benchmark.of_table(
        "nb-macro", Macro(), estimator, open_table("nb-macro").column("mean_acc").values
    )
