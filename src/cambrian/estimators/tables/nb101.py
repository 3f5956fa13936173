"""The table of NAS-Bench-101's cells with measured time and energy (see `cambrian.benchmarks.nb101`)."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from cambrian.estimators.tables.published_files import read_json
from cambrian.estimators.tables.table import Column, Table
from cambrian.spaces.cells.nasbench101.space import NASBench101, graph_text

EPOCHS = (4, 12, 36, 108)
FIELDS = {"val_acc": 3, "test_acc": 4, "seconds": 1, "energy_kwh": 5}  # by their places in a row's "evals"
SMALL, LARGE = "ec_nasbench/ecnas_4V9E.json.gz", "ec_nasbench/ecnas_5V9E.json.gz"


def table() -> Table:
    repeats: dict[str, dict[int, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    params: dict[str, float] = {}
    # Cells of up to four nodes are in both files: they are taken from the first, and not counted twice.
    for row in read_json(SMALL, _rows) + [r for r in read_json(LARGE, _rows) if r["n"] > 4]:
        key = _key(row)
        params[key] = row["params"]
        repeats[key][row["epochs"]].append(row["evals"][-1])
    rows = {key: n for n, key in enumerate(repeats)}
    missing = [np.nan] * (max(FIELDS.values()) + 1)
    # Over the repeats of a training, of which only the last evaluation counts; NaN where there is none.
    means = np.array(
        [
            [np.mean([m[: len(missing)] for m in r.get(e, [missing])], 0) for e in EPOCHS]
            for r in repeats.values()
        ]
    )
    columns = {name: Column(means[:, :, place], EPOCHS) for name, place in FIELDS.items()}
    columns["params"] = Column(np.array(list(params.values())))
    return Table(LARGE, NASBench101.canonical, rows, columns)


def _rows(content: Any) -> list[dict[str, Any]]:
    return [{k: row[k] for k in ("n", "adj", "ops", "epochs", "params", "evals")} for row in content["rows"]]


def _key(row: dict[str, Any]) -> str:
    n = row["n"]
    pairs = [divmod(place, n) for place, bit in enumerate(row["adj"]) if bit == "1"]
    return graph_text(row["ops"].split(",")[1:-1], pairs)
