"""CSV: a label and the pixels of an image per row, a label and the name of an image file, or features."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

from cambrian.errors import DataError
from cambrian.goal import GoalName
from cambrian.settings import check_settings
from cambrian.tasks.examples import Examples
from cambrian.tasks.images.arrays import from_arrays, with_notes
from cambrian.tasks.images.decoding import decode_files
from cambrian.tasks.images.layouts import Form, Layout
from cambrian.tasks.readers.csv_blocks import find_blocks, read_blocks
from cambrian.tasks.readers.csv_columns import (
    Columns,
    counters,
    find_image,
    find_parts,
    first_or_last,
    of_files,
    of_pixels,
    read_ignored,
)
from cambrian.tasks.readers.csv_features import read_features
from cambrian.tasks.readers.csv_files import find_files
from cambrian.tasks.readers.csv_options import OF_FEATURES, OF_FILES, OF_PIXELS, OF_TEXTS, refuse_unread
from cambrian.tasks.readers.csv_pixels import PixelRows, as_integers, convert_labels, marks_of, read_pixels
from cambrian.tasks.readers.csv_text import Table, read_table
from cambrian.tasks.tables.cells import Decimal
from cambrian.tasks.targets.reading import read_targets
from cambrian.tasks.texts import LENGTH


@dataclass(frozen=True)
class Csv:
    """The rows of `path`, which comma, semicolon, tab or bar separate, with or without a header. Columns are
    given by name, or by number from 0 (-1 is the last).

    `label` is the column of labels, `split` that of the parts (none draws them anew), `image` that of the
    names of image files, `ignore` columns that are not pixels (A,B,C, or none to keep all), `header` yes or
    no, `separator` a character or tab. `layout` and `shape`, such as 28x28, say how pixels make an image.

    `target` is the column to learn of a table of features, or several, as A,B: where it is given, a row is
    not an image, and the other columns are numbers and categories; `categories` names columns of numbers that
    are categories; `decimal`, comma or point, says how numbers are read that can be read in two ways, as
    3,108. `text` is a column of texts to learn from alone, of which `length` characters are read.
    `group` is a column whose equal cells, as those of one patient, keep rows together where parts are drawn;
    `order` one of numbers or moments, whose last rows are the test part. Neither is learned from.
    `goal` says whether the target is classes, numbers, labels or heads. An option that a table of this kind
    does not read is refused (see `csv_options`)."""

    path: str
    label: str | int | None = None
    split: str | int | None = None
    group: str | int | None = None
    order: str | int | None = None
    image: str | int | None = None
    ignore: str | None = None
    header: Literal["yes", "no"] | None = None
    separator: str | None = None
    layout: Layout | None = None
    shape: str | None = None
    target: str | int | None = None
    categories: str | None = None
    decimal: Decimal | None = None
    goal: GoalName | None = None
    text: str | None = None
    length: Annotated[int | None, LENGTH] = None

    def examples(self) -> Examples:
        table = read_table(Path(self.path), self.separator, self.header)
        if table.width < 2:
            raise DataError(
                f"{table.path}: there is one column only: expected a label and pixels, a label and a path, or"
                " the column to learn (target=NAME, --target NAME) and what it is learned from"
            )
        if self.target is not None:
            return self._of_features(table, self.target)
        # Each column that is found is out of the question for the next: parts, image files, label, pixels.
        split, unused, notes = find_parts(table, self.split, [self.label, self.image])
        spent = unused if split is None else split
        image = find_image(table, self.image, spent)
        self._refuse_unread(table, OF_PIXELS if image is None else OF_FILES)
        if image is not None:
            blocks = find_blocks(table, self.group, self.order)
            columns = replace(of_files(table, self.label, image, spent, *blocks.values()), split=split)
            return _of_files(table, columns, notes, self.goal, blocks)
        columns = replace(of_pixels(table, self.label, self.ignore, spent), split=split)
        return self._of_pixels(table, columns, notes)

    def _of_features(self, table: Table, target: str | int) -> Examples:
        self._refuse_unread(table, OF_FEATURES, OF_TEXTS)
        check_settings(self, "csv")
        return read_features(
            table,
            target,
            self.split,
            self.ignore,
            self.categories,
            self.goal,
            self.text,
            self.length,
            self.decimal,
            find_blocks(table, self.group, self.order),
        )

    def _refuse_unread(self, table: Table, *kinds: str) -> None:
        refuse_unread(table, {field.name: getattr(self, field.name) for field in fields(self)}, *kinds)

    def _of_pixels(self, table: Table, columns: Columns, notes: tuple[str, ...]) -> Examples:
        rows = read_pixels(table, columns)
        counted = read_ignored(self.ignore)[1]
        kept, remarks = (None, ()) if counted else _without_counters(table, rows, columns)
        label, kept, more = _label_of(table, rows, columns, kept)
        labels = convert_labels(table, rows.lines, rows.texts[label])
        marks = marks_of(table, columns.split, rows.lines, rows.texts.get(columns.split or 0, []))
        inputs = as_integers(rows.values[:, kept])
        parts = {int(part): (inputs[marks == part], labels[marks == part]) for part in np.unique(marks)}
        notes += (*table.notes, *columns.notes, *remarks, *more)
        form = Form(self.layout, self.shape, goal=self.goal, remedy=table.remedy)
        return from_arrays(table.path.stem, parts, where=str(table.path), form=form, notes=notes)


def _without_counters(table: Table, rows: PixelRows, columns: Columns) -> tuple[list[int], tuple[str, ...]]:
    """The pixels, as positions in `rows.values`, without columns that count the rows."""
    width = rows.values.shape[1]
    # Pixels packed into one cell do not have columns that could count the rows.
    dropped = counters(rows.values) if len(columns.pixels) == width else []
    if len(dropped) == width:
        raise DataError(
            f"{table.path}: no column of pixels: {table.name(columns.pixels[0])} counts the rows: of"
            f" features, {table.remedy}"
        )
    named = ", ".join(table.name(columns.pixels[i]) for i in dropped)
    remark = f"{table.path}: {named} counts the rows and is not used: ignore=none keeps it"
    return [i for i in range(width) if i not in set(dropped)], (remark,) if dropped else ()


def _label_of(
    table: Table, rows: PixelRows, columns: Columns, kept: list[int] | None
) -> tuple[int, Any, tuple[str, ...]]:
    """The column of the label, the positions of the pixels, and a sentence if the label was guessed."""
    places = list(range(rows.values.shape[1])) if kept is None else kept
    if columns.label is not None:
        whole = len(places) == rows.values.shape[1]
        return columns.label, slice(None) if whole else places, ()
    if len(places) < 3:  # of two columns of numbers either may be the label
        raise DataError(
            f"{table.path}: which column is the label? say with label=NAME or label=NUMBER; of features,"
            f" {table.remedy}"
        )
    # Each end with its neighbour: pixels side by side are alike, a label and a pixel are not.
    ends = [rows.values[:, places[i]] for i in (0, -1, 1, -2)]
    place = places[-1 if first_or_last(*ends) else 0]
    label = columns.pixels[place]
    remark = f"{table.path}: {table.name(label)} is taken as the label: label= names another"
    return label, [i for i in places if i != place], (remark,)


def _of_files(
    table: Table,
    columns: Columns,
    notes: tuple[str, ...],
    goal: GoalName | None,
    blocks: Mapping[str, int],
) -> Examples:
    path, rows = table.path, list(table.rows)  # all at once: names take little memory
    lines = [line for line, _ in rows]
    # Column 0 stands for a missing one, whose cells nobody reads.
    cells, texts, split = (
        [row[column or 0] for _, row in rows] for column in (columns.image, columns.label, columns.split)
    )
    files, remarks = find_files(path, cells, table.remedy)
    name = table.header[columns.label or 0] if table.header else "label"
    targets = read_targets(convert_labels(table, lines, texts), str(path), goal, name=name)
    decode = decode_files(path.stem, files.__getitem__, lambda i: str(files[i]))
    notes += (*table.notes, *columns.notes, *remarks, *targets.notes, *_contradictions(path, cells, texts))
    marks = marks_of(table, columns.split, lines, split)
    examples = Examples(
        path.stem, targets.values, targets.labels, marks, with_notes(decode, notes), targets.goal
    )
    return replace(examples, blocks=read_blocks(table, blocks, lines, [row for _, row in rows]))


def _contradictions(path: Path, cells: Sequence[str], labels: Sequence[str]) -> tuple[str, ...]:
    # Rows that repeat an image with its label do not contradict each other, hence the set.
    times = Counter(cell for cell, _ in set(zip(cells, labels, strict=True)))
    several = [cell for cell, count in times.items() if count > 1]
    if not several:
        return ()
    return (
        f"{path}: {len(several)} images have several labels, such as {several[0]!r:.80}, and are taken once "
        "for each: keep one row of each",
    )
