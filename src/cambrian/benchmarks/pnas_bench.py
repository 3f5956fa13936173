"""pnas-bench: cells of the space of progressive search (Liu et al., ECCV 2018), each trained on Fashion-MNIST
with its whole learning curve, by `benchmarks/pnas_bench.py`, which also says how the cells were drawn.

It is a sample of the space: all cells of one block, and some of two to five, each of which is a cell of the
table with one block more. A search is offered only the rows that there are. Seconds are measured processor
time.
"""

from __future__ import annotations

from cambrian.benchmarks.benchmark import Benchmark
from cambrian.benchmarks.table_space import Listed
from cambrian.estimators.tables import open_table
from cambrian.estimators.tables.pnas_bench import QUESTIONS
from cambrian.estimators.tabular import Tabular
from cambrian.outcome import Fidelity


def fashion_mnist() -> Benchmark:
    """Search the validation accuracy of a cell's first training; test is the mean of all its trainings."""
    table = open_table("pnas-bench")
    estimator = Tabular("pnas-bench", "validation", ("params", "macs"), "seconds")
    space = Listed("pnas-bench", QUESTIONS, depth="blocks")
    epochs = table.column("validation").epochs[-1]
    return Benchmark.of_table("pnas-bench", space, estimator, table.column("test").values, Fidelity(epochs))
