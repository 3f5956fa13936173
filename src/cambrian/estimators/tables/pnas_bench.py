"""The table of cells of PNAS's space, each trained (see `cambrian.benchmarks.pnas_bench`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.architecture import Architecture
from cambrian.errors import DataError
from cambrian.estimators.tables.published_files import place
from cambrian.estimators.tables.table import Column, Table
from cambrian.spaces.cells.pnas import PNAS

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILE = "pnas_bench/pnas_bench.npz"
PACKAGED = Path(__file__).with_name("pnas_bench.npz")
SPACE = PNAS(blocks=5)
QUESTIONS = (
    "blocks",
    *(f"block{b}/{name}" for b in range(1, 6) for name in ("input1", "operation1", "input2", "operation2")),
)
CURVES = ("validation", "validation_loss", "train_loss", "seconds")
NEEDED = (*CURVES, "cells", "test", "params", "macs", "again_row", "again_test")


def table() -> Table:
    """Rows by canonical cell, so that an architecture of the space finds the row of any equal one."""
    path = find_file()
    try:
        with path.open("rb") as file, np.load(file) as archive:
            arrays = {name: archive[name] for name in NEEDED}
    except Exception as error:  # zipfile, zlib and numpy raise many kinds for a damaged file
        raise DataError(
            f"the table {path} is damaged or another file ({type(error).__name__}: {error}): fetch it anew,"
            " or make it by `python benchmarks/pnas_bench.py pack`"
        ) from error
    architectures = [SPACE.architecture(cell[cell[:, 0] >= 0].tolist()) for cell in arrays["cells"]]
    rows = {SPACE.canonical(architecture): row for row, architecture in enumerate(architectures)}
    return Table(path.name, _identify, rows, _list_columns(arrays, architectures))


def find_file() -> Path:
    """The file in the folder of published tables, if it has one, since it may be longer; else the packaged
    one. Raises DataError where there is neither."""
    try:
        return place(FILE)
    except DataError as error:
        if PACKAGED.is_file():
            return PACKAGED
        raise DataError(f"{error}; `python benchmarks/pnas_bench.py` makes it") from error


def _identify(space: Any, architecture: Architecture) -> str:
    return SPACE.canonical(architecture)


def _list_columns(arrays: dict[str, NDArray[Any]], architectures: list[Architecture]) -> dict[str, Column]:
    """A column of answers for each question, "" where it was not asked; the curves of the first training of
    each cell; and as its test score the mean over all its trainings."""
    epochs = tuple(range(1, arrays["validation"].shape[1] + 1))
    answers = {
        path: Column(np.array([str(architecture.get(path, "")) for architecture in architectures]))
        for path in QUESTIONS
    }
    answers["blocks"] = Column(np.array([architecture["blocks"] for architecture in architectures]))
    curves = {name: Column(arrays[name], epochs, curve=True) for name in CURVES}
    sums, counts = arrays["test"].astype(np.float64), np.ones(len(architectures))
    np.add.at(sums, arrays["again_row"], arrays["again_test"])
    np.add.at(counts, arrays["again_row"], 1)
    sizes = {name: Column(arrays[name]) for name in ("params", "macs")}
    return answers | curves | sizes | {"test": Column(100 * sums / counts), "trainings": Column(counts)}
