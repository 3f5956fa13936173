"""The targets of a task: classes, numbers, several labels an example, several classifications, or the class
of each pixel.

Classes are the rule. In a table of features, a column of numbers with fractions, or with more than DISTINCT
different ones, is predicted as numbers, and several columns are several classifications, or of 0 and 1 alone
several labels; `goal` says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import DataError
from cambrian.goal import CLASSES, IGNORED, Goal, GoalName
from cambrian.tasks.images.masks import find_ignored
from cambrian.tasks.nouns import IMAGES, ROWS
from cambrian.tasks.phrases import short
from cambrian.tasks.tables.cells import find_marks, find_wrong, read_numbers
from cambrian.tasks.targets.labels import Classes, describe_doubtful, read_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

DISTINCT = 30
"""Whole numbers up to which a column is taken for classes."""
MOST_OF_PIXELS = 256
"""Classes of pixels: masks with more are pictures, such as depths."""
SIGNS = (";", "|")
LEADING_ZERO = re.compile(r"0\d")
"""Signs between the labels of a cell."""


@dataclass(frozen=True, eq=False)
class Targets:
    """`values` as the goal has them; `labels` name the outputs of a network; `notes` tell of guesses."""

    values: NDArray[Any]
    labels: tuple[str, ...]
    goal: Goal = CLASSES
    notes: tuple[str, ...] = ()


def read_targets(
    values: Any,
    where: str,
    goal: GoalName | None = None,
    *,
    name: str = "target",
    names: Sequence[str] | None = None,
    column: int | None = None,
    noun: str = IMAGES,
) -> Targets:
    """The targets of one value an example, or of rows of 0 and 1 where the goal is labels. `name` is that of
    numbers, `names`, `column` and `noun` are those of `read_labels`. Raises DataError where they do not fit
    the goal."""
    if goal == "numbers":
        return _read_measured(values, where, name)
    if goal == "labels":
        return _read_sets(values, where, names, noun)
    if goal == "pixels":
        return _read_masks(values, where, names)
    if goal == "heads":
        raise DataError(
            f"{where}: goal=heads is for several columns of classes: name them with target=FIRST,SECOND"
        )
    classes = read_labels(values, where, names, column, noun)
    return Targets(classes.targets, classes.labels, CLASSES, classes.notes)


def read_column(values: Any, where: str, goal: GoalName | None, name: str) -> Targets:
    """The targets in a column of a table, by the rule above where no goal is named."""
    if goal is None and _separates(values) is not None:
        targets = read_targets(values, where, "labels", noun=ROWS)
        note = f"{where}: the cells of {short(name)} hold several labels: goal=classes takes each as one"
        return Targets(targets.values, targets.labels, targets.goal, (note, *targets.notes))
    if goal is None and is_measured(values):
        targets = read_targets(values, where, "numbers", name=name)
        note = f"{where}: {short(name)} is predicted as numbers: goal=classes takes each as a class"
        return Targets(targets.values, targets.labels, targets.goal, (note, *targets.notes))
    return read_targets(values, where, goal, name=name, noun=ROWS)


def read_several(columns: Mapping[str, Any], where: str, goal: GoalName | None) -> Targets:
    """The targets in several columns of a table: labels where all are 0 and 1, else a classification each."""
    tables = {name: read_numbers(cells) for name, cells in columns.items()}
    marked = all(numbers is not None and np.isin(numbers, (0, 1)).all() for numbers in tables.values())
    if goal in ("classes", "numbers"):
        raise DataError(f"{where}: goal={goal} is for one target, got {len(columns)}: name one column")
    if goal == "labels" or (goal is None and marked):
        wrong = next(
            (n for n, numbers in tables.items() if numbers is None or not np.isin(numbers, (0, 1)).all()),
            None,
        )
        if wrong is not None:
            raise DataError(f"{where}: {short(wrong)} is not of 0 and 1 alone, as a column of a label is")
        note = f"{where}: {len(columns)} columns of 0 and 1 are labels, any of which may apply: goal=heads"
        rows = np.stack([numbers for numbers in tables.values() if numbers is not None], 1)
        return Targets(rows.astype(np.int64), tuple(columns), Goal("labels"), (f"{note} takes each alone",))
    heads = {name: _read_head(cells, name, where) for name, cells in columns.items()}
    return Targets(
        np.stack([classes.targets for classes in heads.values()], 1),
        tuple(f"{name}={label}" for name, classes in heads.items() for label in classes.labels),
        Goal("heads", heads=tuple((name, len(classes.labels)) for name, classes in heads.items())),
        tuple(note for classes in heads.values() for note in classes.notes),
    )


def _read_head(cells: Any, name: str, where: str) -> Classes:
    """The classes of one of several targets. Raises DataError for measured numbers, which are learned one
    target at a time."""
    numbers = read_numbers(cells)
    if getattr(cells, "dtype", np.dtype(object)).kind == "f" and numbers is not None:
        fractions = numbers[np.isfinite(numbers)] % 1
        if fractions.any():
            raise DataError(
                f"{where}: {short(name)} is of numbers with fractions, and several targets are learned as"
                " classes or labels: learn each such number by a search of its own, with the others among"
                " ignore="
            )
    return read_labels(cells, f"{where}, {name}", noun=ROWS)


def is_measured(values: Any) -> bool:
    """Whether these are numbers that differ too much for classes, by the rule above.

    >>> is_measured(["1.5", "2", "2.25"]), is_measured(["1", "2", "2"]), is_measured(["a", "2", "2.25"])
    (True, False, False)
    """
    if count_axes(values) != 1 or any(isinstance(v, str) and LEADING_ZERO.match(v.strip()) for v in values):
        return False  # 007 is a name
    numbers = read_numbers(values)
    if numbers is None or not np.isfinite(numbers).all():
        return False
    return bool((numbers != np.floor(numbers)).any()) or len(np.unique(numbers)) > DISTINCT


def count_axes(values: Any) -> int:
    """The axes of an array, or of a list whose rows may be of several lengths."""
    if hasattr(values, "ndim"):
        return int(values.ndim)
    return 2 if any(isinstance(v, list | tuple | set) or getattr(v, "ndim", 0) for v in values) else 1


def _read_measured(values: Any, where: str, name: str) -> Targets:
    array = values.detach().cpu() if hasattr(values, "detach") else values
    try:
        shape = list(np.shape(array))
    except ValueError as error:
        raise DataError(
            f"{where}: expected one number per example to predict, got lists of several lengths"
        ) from error
    if len(shape) == 2 and shape[1] == 1:
        array = np.asarray(array)[:, 0]
    elif len(shape) != 1:
        raise DataError(
            f"{where}: expected one number per example to predict, got an array of shape {shape}: several"
            " numbers are learned one by one, as by scikit-learn's MultiOutputRegressor"
        )
    marks, notes = find_marks({name: array}, where)
    numbers = read_numbers(array, marks[name])
    if numbers is None:
        wrong = array[find_wrong(array)]
        raise DataError(
            f"{where}: {str(wrong)!r:.60} is not a number: write numbers, or give goal=classes, or learn them"
            " by a cambrian.Classifier"
        )
    missing = np.flatnonzero(np.isnan(numbers))
    if len(missing):
        raise DataError(
            f"{where}: example {missing[0]} has no finite number to predict, nor have {len(missing) - 1}"
            " others: leave them out"
        )
    if len(np.unique(numbers)) < 2:
        raise DataError(
            f"{where}: all numbers to predict are {numbers[0]:g}, so that there is nothing to learn"
        )
    with np.errstate(over="ignore"):
        spread = float(numbers.std())
    if not 0 < spread < np.inf:  # networks learn multiples of it
        raise DataError(
            f"{where}: the numbers to predict, {numbers.min():g} to {numbers.max():g}, are too large or too"
            " small for their deviation to be computed: give them in another unit"
        )
    return Targets(numbers, (name,), Goal("numbers"), notes)


def _read_masks(values: Any, where: str, names: Sequence[str] | None) -> Targets:
    """Masks [n, height, width] of the whole numbers 0, 1, ... of classes, and 255 where none is known."""
    try:
        masks = np.asarray(values)
    except ValueError:  # a list of several shapes
        raise DataError(
            f"{where}: the masks are of several sizes: bring all images and masks to one size, or write"
            " them to files, in folders images/ and masks/"
        ) from None
    if masks.ndim != 3 or masks.dtype.kind not in "uib":
        raise DataError(
            f"{where}: classes of pixels are masks [n, height, width] of whole numbers, got an array"
            f" {list(masks.shape)} of {masks.dtype}"
        )
    present = np.unique(masks).tolist()
    ignored = find_ignored(present)
    known = [value for value in present if value != ignored]
    if len(known) < 2:
        raise DataError(f"{where}: all masks hold {known[0]} alone, so that there is nothing to learn")
    low, classes = known[0], known[-1] + 1
    if low < 0 or not 2 <= classes <= MOST_OF_PIXELS:
        raise DataError(
            f"{where}: the masks hold the numbers {low} to {classes - 1}, expected classes from 0 on, two to"
            f" {MOST_OF_PIXELS} of them: number them anew"
        )
    labels = tuple(names or map(str, range(classes)))
    if len(labels) < classes:
        raise DataError(f"{where}: {len(labels)} names for {classes} classes of pixels: give one for each")
    values = masks.astype(np.int64)
    if ignored is None:
        return Targets(values, labels, Goal("pixels"))
    note = f"{where}: pixels of the value {ignored} are ignored"
    return Targets(np.where(values == ignored, IGNORED, values), labels, Goal("pixels"), (note,))


def _separates(values: Any) -> str | None:
    """The sign that separates labels within cells: some cells have it, and the labels repeat."""
    cells = [cell for cell in values if isinstance(cell, str)] if count_axes(values) == 1 else []
    if not cells or len(cells) < len(values):
        return None
    for sign in SIGNS:
        labels = {label for cell in cells for label in _split(cell, sign)}
        if any(sign in cell for cell in cells) and 2 * len(labels) <= len(cells):
            return sign
    return None


def _split(cell: str, sign: str) -> list[str]:
    return [label.strip() for label in cell.split(sign) if label.strip()]


def _read_sets(values: Any, where: str, names: Sequence[str] | None, noun: str) -> Targets:
    """Rows of 0 and 1, or cells and lists of labels."""
    rows = _find_rows(values)
    if rows is not None:
        if not np.isin(rows, (0, 1)).all():
            raise DataError(f"{where}: several labels an example are rows of 0 and 1, got other numbers")
        labels = tuple(names or map(str, range(rows.shape[1])))
        if len(labels) != rows.shape[1]:
            raise DataError(f"{where}: {len(labels)} names for {rows.shape[1]} labels: give one for each")
        return Targets(rows.astype(np.int64), labels, Goal("labels"))
    sign = _separates(values) or SIGNS[0]
    sets = [_list_labels(cell, sign, where) for cell in values]
    words = sorted({label for labels in sets for label in labels})
    if len(words) < 2:
        raise DataError(f"{where}: expected two labels or more, as in the cell sun{SIGNS[0]}rain")
    place = {label: n for n, label in enumerate(words)}
    rows = np.zeros((len(sets), len(words)), np.int64)
    for row, labels_of_row in zip(rows, sets, strict=True):
        row[[place[label] for label in labels_of_row]] = 1
    return Targets(rows, tuple(words), Goal("labels"), describe_doubtful(words, where, noun))


def _find_rows(values: Any) -> NDArray[Any] | None:
    """Rows of numbers [n, labels]; None where the values are sets of labels, or cells. The rows may come one
    by one, as those of several parts and of a data set's items do: lists of 0 and 1 alone, all as long, are
    rows, since a set of labels would not have one of them twice."""
    if count_axes(values) != 2:
        return None
    if not isinstance(values, list | tuple):
        return np.asarray(values)
    if any(isinstance(row, set | str) for row in values) or {len(np.shape(row)) for row in values} != {1}:
        return None
    lengths = {len(row) for row in values}
    rows = np.asarray(values) if len(lengths) == 1 and min(lengths) > 1 else np.empty(0)
    return rows if rows.size and rows.dtype.kind in "uifb" and np.isin(rows, (0, 1)).all() else None


def _list_labels(cell: Any, sign: str, where: str) -> list[str]:
    if isinstance(cell, str):
        return _split(cell, sign)
    if not isinstance(cell, Iterable):
        raise DataError(
            f"{where}: several labels an example are rows of 0 and 1, or lists of labels,"
            f" got {str(cell)!r:.60}"
        )
    return list(map(str, cell))
