"""NAS-Bench-Macro (Su et al., CVPR 2021): 6,561 networks, each trained three times on CIFAR-10.

Search sees the first training, the mean of all three is reported: the table has one accuracy of each,
on the test images. It holds no training times: cost is the number of trials.
"""

from __future__ import annotations

from cambrian.benchmarks.benchmark import Benchmark
from cambrian.estimators.tables import open_table
from cambrian.estimators.tabular import Tabular
from cambrian.spaces.chains.macro.space import Macro


def cifar10() -> Benchmark:
    # One of three trainings: a search that saw their mean would see its own test score.
    estimator = Tabular("nb-macro", "first_acc", ("params", "flops"), scale=0.01)
    return Benchmark.of_table(
        "nb-macro", Macro(), estimator, open_table("nb-macro").column("mean_acc").values
    )
