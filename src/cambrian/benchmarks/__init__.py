"""Benchmarks to compare strategies on: spaces with a table of measured results of every architecture."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from cambrian.benchmarks.benchmark import Benchmark
from cambrian.benchmarks.playing import Played, play
from cambrian.benchmarks.user_table import table, table_of
from cambrian.errors import UsageError
from cambrian.estimators.tables.files import SUFFIXES
from cambrian.registry import Registry

BENCHMARKS = Registry(
    "benchmark",
    {
        "nb101": "cambrian.benchmarks.nb101:five",
        "nb101-small": "cambrian.benchmarks.nb101:four",
        "nb201-cifar10": "cambrian.benchmarks.nb201:cifar10",
        "nb201-cifar10-12": "cambrian.benchmarks.nb201:cifar10_12",
        "nb201-cifar100-12": "cambrian.benchmarks.nb201:cifar100_12",
        "nb-macro": "cambrian.benchmarks.macro:cifar10",
        "planted": "cambrian.benchmarks.planted:make_entangled",
        "planted-separable": "cambrian.benchmarks.planted:make_separable",
        "pnas-bench": "cambrian.benchmarks.pnas_bench:fashion_mnist",
        "spikenas": "cambrian.benchmarks.spikenas:cifar10",
    },
)


def benchmark(
    name: str,
    minimize: bool | None = None,
    *,
    questions: tuple[str, ...] = (),
    depth: str | None = None,
    replicates: str | None = None,
) -> Benchmark:
    """A published or planted benchmark by its name, or a table of your own by its path (see `table_of`),
    whose objective is to be low with `minimize`; `questions`, `depth` and `replicates` are those of `table`,
    and for such a table alone. Raises UnknownName with the nearest name, DataError where
    a table is missing or damaged."""
    if any(suffix in name for suffix in SUFFIXES) or Path(name).suffix:
        return table_of(name, minimize, questions=questions, depth=depth, replicates=replicates)
    chosen = published(name)
    for setting, value in {"questions": questions, "depth": depth, "replicates": replicates}.items():
        if value:
            raise UsageError(
                f"--{setting} is for a table of your own: leave it out for the published benchmark {name!r}"
            )
    # Published tables are of accuracies alone.
    if minimize is not None and minimize != chosen.minimize:
        raise UsageError(
            f"the objective of the published benchmark {name!r} is maximised: leave out minimize"
        )
    return chosen


@cache
def published(name: str) -> Benchmark:
    """The published or planted benchmark of that name, made once."""
    made: Benchmark = BENCHMARKS.get(name)()
    return made


__all__ = ["BENCHMARKS", "Benchmark", "Played", "benchmark", "play", "table"]
