"""Tables of measured results: published ones by name, and a user's files by path."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from cambrian.estimators.tables.files import read
from cambrian.estimators.tables.replicates import merge_rows
from cambrian.estimators.tables.table import Table
from cambrian.registry import Registry

TABLES = Registry(
    "table",
    {
        "nb101": "cambrian.estimators.tables.nb101:table",
        "nb201": "cambrian.estimators.tables.nb201:table",
        "nb-macro": "cambrian.estimators.tables.macro:table",
        "pnas-bench": "cambrian.estimators.tables.pnas_bench:table",
        "spikenas": "cambrian.estimators.tables.spikenas:table",
    },
)


@cache
def open_table(name: str, questions: tuple[str, ...] = (), replicates: bool = False) -> Table:
    """The table of that name, or the `.csv` or `.npz` file at that path, read once. `questions` are a file's
    columns of answers, needed if not all questions are always asked. With `replicates`, rows with the same
    answers are merged. Raises UnknownName, or DataError if the file is missing or damaged."""
    if replicates:
        return merge_rows(open_table(name, questions), questions)
    if Path(name).suffix:
        return read(name, questions)
    table: Table = TABLES.get(name)()
    return table


__all__ = ["TABLES", "open_table"]
