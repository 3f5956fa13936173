"""CSV: a label and the pixels of a square image per row, or a label and the path of an image file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import DataError, did_you_mean
from cambrian.tasks.arrays import from_arrays
from cambrian.tasks.examples import TRAIN, Examples, labelled
from cambrian.tasks.images import SUFFIXES, decode_files
from cambrian.tasks.phrases import reason

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABELS = {"label", "labels", "class", "target", "y"}

Rows = Iterator[tuple[int, list[str]]]  # with the line each ends on, counted from 1


@dataclass(frozen=True)
class Csv:
    """`label` names the column of labels; without it, one called label, class, target or y, else the
    first. The rest of a row is the pixels of a square grey image, or one column holds paths of image
    files, relative to the CSV's folder and within it. A header is optional; comma, semicolon or tab
    separate."""

    path: str
    label: str | None = None

    def examples(self) -> Examples:
        path = Path(self.path)
        header, first, rows = _table(path)
        files = _file_column(first)
        column = self._label_column(header, files, path)
        labels: list[str] = []
        images: list[Any] = []  # paths or pixels
        for line, row in rows:
            labels.append(row[column])
            images.append(_pixels(path, line, row, column) if files is None else row[files])
        found = _numbers_or_names(labels)
        if files is not None:
            return _of_files(path, images, found)
        return from_arrays(path.stem, {TRAIN: (_whole(np.stack(images)), found)}, where=str(path))

    def _label_column(self, header: list[str] | None, files: int | None, path: Path) -> int:
        names = header or []
        if self.label is not None:
            if self.label not in names:
                raise DataError(f"{path}: no column {self.label!r}{did_you_mean(self.label, names)}")
            return names.index(self.label)
        named = (i for i, name in enumerate(names) if name.strip().lower() in LABELS)
        return next(named, 1 if files == 0 else 0)


def _table(path: Path) -> tuple[list[str] | None, list[str], Rows]:
    """The header, if there is one, the first row, and all rows, which come as they are read: their text
    would take many times the memory of the pixels."""
    rows = _rows(path)
    head = next(rows, None)
    header = head[1] if head and _is_header(head[1]) else None
    first = next(rows, None) if header else head
    if first is None:
        raise DataError(f"{path}: there are no rows: expected one image per row, a label and its pixels")
    width = len(header or first[1])
    if width < 2:
        raise DataError(
            f"{path}: there is one column only: expected a label and pixels, or a label and a path"
        )
    return header, first[1], _even(path, chain([first], rows), width)


def _rows(path: Path) -> Rows:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:  # -sig: a byte order mark is no content
            delimiter = max(",;\t", key=file.readline().count)
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter)
            for row in reader:
                if row:
                    yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path}: cannot be read as UTF-8 CSV ({reason(error)}): save it again as such"
        ) from error


def _even(path: Path, rows: Iterable[tuple[int, list[str]]], width: int) -> Rows:
    for line, row in rows:
        if len(row) != width:
            raise DataError(
                f"{path}, line {line}: {len(row)} columns where {width} are expected: mend or remove the row"
            )
        yield line, row


def _is_header(row: list[str]) -> bool:
    return _file_column(row) is None and not any(map(_is_number, row))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _file_column(row: list[str]) -> int | None:
    return next((i for i, cell in enumerate(row) if Path(cell).suffix.lower() in SUFFIXES), None)


def _numbers_or_names(cells: list[str]) -> NDArray[Any]:
    """Labels as numbers where all of them are, else as strings."""
    return np.array([float(cell) for cell in cells] if all(map(_is_number, cells)) else cells)


def _pixels(path: Path, line: int, row: list[str], label: int) -> NDArray[np.float32]:
    cells = row[:label] + row[label + 1 :]
    try:
        with np.errstate(over="ignore"):  # what overflows is infinite, and refused below
            values = np.array(list(map(float, cells)), np.float32)
    except ValueError:
        wrong = next(cell for cell in cells if not _is_number(cell))
        raise DataError(
            f"{path}, line {line}: {wrong!r:.60} is not a number: give every pixel a number"
        ) from None
    if not np.isfinite(values).all():
        wrong = cells[int(np.flatnonzero(~np.isfinite(values))[0])]
        raise DataError(f"{path}, line {line}: {wrong!r:.60} is not a finite number: mend or remove the row")
    return values


def _whole(inputs: NDArray[np.float32]) -> NDArray[Any]:
    """Integers where all pixels are."""
    if not np.array_equal(inputs, np.floor(inputs)):
        return inputs
    grey = inputs.min() >= 0 and inputs.max() <= 255
    return inputs.astype(np.uint8 if grey else np.int64)


def _of_files(path: Path, cells: list[str], labels: NDArray[Any]) -> Examples:
    files, inside = [path.parent / cell for cell in cells], path.parent.resolve()
    for cell, file in zip(cells, files, strict=True):
        if not file.resolve().is_relative_to(inside):
            raise DataError(
                f"{path}: {cell!r:.200} leads out of {path.parent}: copy the images in, and give paths"
                " relative to it"
            )
        if not file.is_file():
            raise DataError(f"{path}: no image file {cell!r:.200}: give paths relative to {path.parent}")
    targets, names = labelled(labels, str(path))
    decode = decode_files(path.stem, files.__getitem__, lambda i: str(files[i]))
    return Examples(path.stem, targets, names, np.full(len(files), TRAIN, np.int8), decode)
