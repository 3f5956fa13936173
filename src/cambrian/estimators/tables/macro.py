"""The table of NAS-Bench-Macro's networks (see `cambrian.benchmarks.macro`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.estimators.tables.published_files import is_there, read_arrays, read_json
from cambrian.estimators.tables.table import Column, Table
from cambrian.spaces.chains.macro.space import Macro

if TYPE_CHECKING:
    from numpy.typing import NDArray

ARRAYS = "nasbench_macro/nasbench_macro.npz"
OFFICIAL = "nasbench_macro/nas-bench-macro_cifar10.json"
"""The file that its authors publish: plain JSON, read where the arrays are missing."""
MEASURED = ("test_acc", "mean_acc", "params", "flops")


def table() -> Table:
    if is_there(OFFICIAL) and not is_there(ARRAYS):
        name, arrays = OFFICIAL, read_json(OFFICIAL, _list_columns)
    else:
        name, arrays = ARRAYS, read_arrays(ARRAYS, "arch", *MEASURED)
    rows = {tuple(codes): row for row, codes in enumerate(arrays["arch"].tolist())}
    columns = {name: Column(arrays[name]) for name in ("mean_acc", "params", "flops")}
    columns["first_acc"] = Column(arrays["test_acc"][:, 0])  # of the three trainings behind the mean
    return Table(name, Macro.codes, rows, columns)


def _list_columns(content: dict[str, dict[str, Any]]) -> dict[str, NDArray[Any]]:
    """The arrays of the official file: an entry for each network, under the codes of its layers such as
    "01200211"."""
    columns = {name: np.array([each[name] for each in content.values()]) for name in MEASURED}
    return {"arch": np.array([[int(code) for code in codes] for codes in content]), **columns}
