"""Benchmarks to compare strategies on: spaces with a table of measured results of every architecture."""

from __future__ import annotations

from functools import cache
from inspect import isroutine
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
    """A published or planted benchmark by its name, one of your own by `module:function`, or a table by its
    path (see `table_of`), whose objective is to be low with `minimize`; `questions`, `depth` and `replicates`
    are those of `table`, and for such a table alone. Raises UnknownName with the nearest name, DataError
    where a table is missing or damaged."""
    if any(suffix in name for suffix in SUFFIXES) or (Path(name).suffix and not _names_function(name)):
        return table_of(name, minimize, questions=questions, depth=depth, replicates=replicates)
    chosen = published(name)
    for setting, value in {"questions": questions, "depth": depth, "replicates": replicates}.items():
        if value:
            raise UsageError(
                f"--{setting} is for a file of your own: leave it out for the benchmark {name!r}"
            )
    # Published tables are of accuracies alone, and a function says it itself.
    if minimize is not None and minimize != chosen.minimize:
        kept = "minimised: leave out maximize" if chosen.minimize else "maximised: leave out minimize"
        raise UsageError(f"the objective of the benchmark {name!r} is {kept}")
    return chosen


@cache
def published(name: str) -> Benchmark:
    """The published or planted benchmark of that name, or that of the function at `module:function`, made
    once."""
    function = BENCHMARKS.get(name)
    made = function() if isroutine(function) else function
    if not isinstance(made, Benchmark):
        raise UsageError(
            f"benchmark {name!r} is a {type(made).__name__!r}: write a function without arguments that"
            " returns a Benchmark, as cambrian.benchmarks.table(...) does"
        )
    return made


def _names_function(name: str) -> bool:
    """Whether `name` is of the form `module:function`.

    >>> _names_function("mine.tables:first"), _names_function("mine.txt"), _names_function("a/mine.txt:loss")
    (True, False, False)
    """
    module, colon, function = name.partition(":")
    if Path(module).exists():  # a file of another kind, which `table_of` refuses
        return False
    return bool(colon) and all(map(str.isidentifier, (*module.split("."), *function.split("."))))


__all__ = ["BENCHMARKS", "Benchmark", "Played", "benchmark", "play", "table"]
