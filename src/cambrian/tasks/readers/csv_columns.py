"""Which column of a CSV is the label, which says the part, and which are pixels or image files.

By name first, then by their values. Each guess, and each column that is left out, becomes a sentence.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import DataError, did_you_mean
from cambrian.tasks.examples import PARTS, TRAIN, VALIDATION
from cambrian.tasks.phrases import list_names
from cambrian.tasks.readers.csv_files import are_files
from cambrian.tasks.readers.csv_text import (
    DECIMAL_COMMA,
    FEW_COLUMNS,
    SEPARATORS,
    Table,
    is_file_name,
    is_number,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABELS = (
    *("label", "labels", "class", "classes", "target", "targets", "y", "category", "class_name", "classname"),
    *("label_name", "digit", "letter", "breed", "species", "emotion", "dx", "class_id", "label_id"),
)
SPLITS = ("split", "part", "set", "subset", "partition", "usage", "phase", "fold", "data set", "dataset")
IMAGES = ("path", "file", "filename", "file_name", "image", "img", "image_path", "img_path", "filepath", "id")
COUNTERS = ("", "id", "index", "idx", "row", "no", "nr", "unnamed: 0", "unnamed: 0.1", "image_id", "imageid")
# FER2013 (Kaggle, 2013) calls its parts Training, PublicTest and PrivateTest.
MORE_PARTS = {"dev": VALIDATION, "publictest": VALIDATION, "privatetest": PARTS["test"]}
COUNTED = 6  # rows from which on a column that counts them is an index


@dataclass(frozen=True, eq=False)
class Columns:
    """Positions. `label` is None where it must be guessed by the values; `split` and `image` are None where
    the table does not have such a column."""

    label: int | None
    split: int | None
    image: int | None
    pixels: tuple[int, ...] = ()
    notes: tuple[str, ...] = field(default=())


def find_column(table: Table, given: str | int) -> int:
    """The column called so, or with this number, from 0, or -1 for the last."""
    text, header = str(given).strip(), table.header or []
    # Names first: the names in a header may be numbers.
    for names, name in ((header, text), ([name.lower() for name in header], text.lower())):
        places = [i for i, other in enumerate(names) if other == name]
        if len(places) > 1:
            meant = " or ".join(map(table.name, places[:3]))
            raise DataError(
                f"{table.path}: {text!r:.60} may be {meant}: give the number of the one that is meant"
            )
        if places:
            return places[0]
    if re.fullmatch(r"-?\d{1,9}", text, re.ASCII) and -table.width <= int(text) < table.width:
        return int(text) % table.width
    numbered = f"give its number, 0 to {table.width - 1}"
    hint = did_you_mean(str(given), table.header) if table.header else f": there is no header: {numbered}"
    hint = _find_joined(text, table) or hint
    raise DataError(f"{table.path}: no column {str(given)!r:.60}{hint}")


def _find_joined(text: str, table: Table) -> str:
    """The end of a sentence about a column that another separator of cells would have; empty without one."""
    for name, mark in SEPARATORS.items():
        joined = [cell for cell in table.header or () if text in map(str.strip, cell.split(mark))]
        if joined and mark != table.separator:
            return (
                f": it stands in the name {joined[0]!r:.60}, since cells were taken to end at"
                f" {table.separator!r}: separator={name} (--read separator={name}) reads them otherwise"
            )
    return ""


def read_ignored(ignore: str | None) -> tuple[list[str], bool]:
    """The columns that `ignore` names, and whether those that count the rows are kept: none is among them.

    >>> read_ignored("age, size"), read_ignored("none,age"), read_ignored(None)
    ((['age', 'size'], False), (['age'], True), ([], False))
    """
    names = [name.strip() for name in (ignore or "").split(",") if name.strip()]
    return [name for name in names if name != "none"], "none" in names


def find_split(table: Table, given: str | int | None) -> tuple[int | None, tuple[str, ...]]:
    """The column that says to which part each row belongs, and a sentence where that is a guess."""
    if given is not None:
        return find_column(table, given), ()
    for column in range(table.width):
        values = {row[column] for row in table.sample}
        named = table.header is not None and table.header[column].lower() in SPLITS
        parts = {part_of(value) for value in values}
        # Without a name that says so, one value is too little: every row might be of the class "train".
        if None not in parts and (named or (TRAIN in parts and len(parts) > 1)):
            remark = "says what is for training, validation and testing: give split=none to draw these anew"
            return column, (f"{table.path}: {table.name(column)} {remark}",)
    return None, ()


def find_parts(
    table: Table, given: str | int | None, wanted: Sequence[str | int | None]
) -> tuple[int | None, int | None, tuple[str, ...]]:
    """The column of the parts, as `find_split`; and with split=none, the one that is not used, since it says
    the parts and is none of the columns `wanted`."""
    if given is None or str(given).lower() != "none":
        split, notes = find_split(table, given)
        return split, None, notes
    unused, _ = find_split(table, None)
    if unused is None or unused in [find_column(table, name) for name in wanted if name is not None]:
        return None, None, ()
    note = f"{table.path}: {table.name(unused)} says the parts and is not used: split=none draws them anew"
    return None, unused, (note,)


def part_of(cell: str) -> int | None:
    """The part that a cell names: train, training_set, Validation, PublicTest, ..."""
    words = re.findall("[a-z0-9]+", cell.lower())
    known = {**PARTS, **MORE_PARTS}
    return next((known[word] for word in words if word in known), None)


def find_image(table: Table, given: str | int | None, split: int | None) -> int | None:
    """The column of the names of image files: by their ending, by files that are there, or by its name."""
    if given is not None:
        return find_column(table, given)
    by_ending = next((i for i, cell in enumerate(table.sample[0]) if is_file_name(cell)), None)
    if by_ending is not None or table.width > FEW_COLUMNS:
        return by_ending
    # Looking for files costs the disk: twenty rows, and only in tables of few columns.
    columns = [i for i in range(table.width) if i != split]
    for column in columns:
        if are_files(table.path, [row[column] for row in table.sample[:20]]):
            return column
    words = [i for i in columns if _is_words(table, i)]
    named = [i for i in words if table.header and table.header[i].lower() in IMAGES]
    alone = words if len(words) == len(columns) else []
    return next(iter((*named, *(i for i in alone if not _repeats(table, i)))), None)


def find_label(table: Table, given: str | int | None, besides: set[int | None]) -> int | None:
    """The column that the user names, or the first of LABELS that the table has."""
    if given is not None:
        return find_column(table, given)
    named = [(name, i) for i, name in enumerate(table.header or []) if i not in besides]
    # Reversed, so that of two columns of one name the first stays; exact names come before others.
    names = {name.lower(): i for name, i in reversed(named)} | dict(reversed(named))
    return next((names[name] for name in LABELS if name in names), None)


def of_files(table: Table, label: str | int | None, image: int, split: int | None, *blocks: int) -> Columns:
    """Columns of a table of image files: all besides the files, the label, the part and the `blocks` are left
    out."""
    column = find_label(table, label, {image, split, *blocks})
    others = [i for i in range(table.width) if i not in (image, split, *blocks)]
    filled = [i for i in others if any(row[i] for row in table.sample)]
    if column is None:
        if not filled:
            raise DataError(f"{table.path}: no column of labels beside {table.name(image)}")
        # Labels repeat, unlike names and comments.
        column = next((i for i in filled if _repeats(table, i)), filled[0])
    left = [i for i in filled if i != column]
    return Columns(column, split, image, (), _say_unused(table, left, column))


def of_pixels(table: Table, label: str | int | None, ignore: str | None, split: int | None) -> Columns:
    """Columns of a table of pixels: a column without a single number, or called like an index, is not one."""
    names, counted = read_ignored(ignore)
    ignored = {find_column(table, name) for name in names}
    column = find_label(table, label, {split, *ignored})
    left = [i for i in range(table.width) if i not in (column, split) and i not in ignored]
    # Where one cell holds all pixels, as in FER2013, no other column holds any.
    packed = [i for i in left if _is_packed(table.sample[0][i])]
    words = [i for i in left if i not in packed and _is_words(table, i)]
    if column is None:
        column = _guess_label(table, words, [i for i in left if i not in packed], packed)
    named = [i for i in left if not counted and table.header and table.header[i].lower() in COUNTERS]
    dropped = {*words, *named, *((i for i in left if i not in packed) if packed else ())} - {column}
    pixels = tuple(packed or (i for i in left if i != column and i not in dropped))
    if not pixels:
        raise DataError(
            f"{table.path}: no column of pixels, nor one of image files: of features or texts, {table.remedy}"
        )
    shown = [i for i in sorted(dropped) if any(row[i] for row in table.sample)]
    guessed = column is not None and find_label(table, label, {split}) != column
    notes = _say_unused(table, shown, column)
    if guessed and column is not None:
        notes += (f"{table.path}: {table.name(column)} is taken as the label: label= names another",)
    return Columns(column, split, None, pixels, notes)


def _guess_label(table: Table, words: list[int], left: list[int], packed: list[int]) -> int | None:
    """The only column of words, or the one whose name is unlike the others', which are numbered alike."""
    if packed and len(left) == 1:
        return left[0]
    repeated = [i for i in words if _repeats(table, i)]
    if repeated or words:
        return (repeated or words)[0]
    if table.header is None:
        return None
    kinds = {i: re.sub(r"\d+", "#", table.header[i].lower()) for i in left}
    # pixel1, pixel2, ... are one kind of name; a single other one is the label's.
    usual, count = Counter(kinds.values()).most_common(1)[0]
    odd = [i for i, kind in kinds.items() if kind != usual and kind not in COUNTERS]
    return odd[0] if len(odd) == 1 and count > 2 else None


def first_or_last(first: NDArray[Any], last: NDArray[Any], second: Any, last_but_one: Any) -> bool:
    """Whether of two columns of numbers the last is the label, judged by the columns beside them."""
    if _can_be_label(first) != _can_be_label(last):
        return _can_be_label(last)
    return _is_alike(first, second) and not _is_alike(last, last_but_one)


def counters(values: NDArray[Any]) -> list[int]:
    """The columns of `values` that count the rows, from 0 or 1."""
    rows = len(values)
    if rows < COUNTED:
        return []
    # The ends exclude nearly all columns before any is read whole.
    ends = (values[-1] - values[0] == rows - 1) & np.isin(values[0], (0, 1))
    return [int(i) for i in np.flatnonzero(ends) if (np.diff(values[:, i]) == 1).all()]


def _can_be_label(values: NDArray[Any]) -> bool:
    whole = np.isfinite(values).all() and (values == np.floor(values)).all()
    return bool(whole) and 2 <= len(np.unique(values)) <= max(2, len(values) / 2)


def _is_alike(values: NDArray[Any], neighbour: NDArray[Any]) -> bool:
    """Whether two columns hold much the same values, as pixels side by side do."""
    own, beside = set(values.tolist()), set(neighbour.tolist())
    # Many distinct values, as of floats, are pixels even if few of them are the neighbour's as well.
    return len(own & beside) >= max(len(own), len(beside)) * 0.9 or len(own) > len(values) / 4


def _is_words(table: Table, column: int) -> bool:
    """Whether the column is of words: no cell is a number, or so few that the others cannot be mistakes."""
    cells = [row[column] for row in table.sample]
    numbers = [is_number(cell) or DECIMAL_COMMA.fullmatch(cell) is not None for cell in cells if cell]
    words = len(numbers) - sum(numbers)
    return not any(numbers) or (words > 2 and words > len(cells) * 0.3)


def _repeats(table: Table, column: int) -> bool:
    cells = [row[column] for row in table.sample if row[column]]
    return len(set(cells)) < max(2, len(cells))


def _is_packed(cell: str) -> bool:
    """Whether a cell holds all pixels, with spaces between them."""
    values = cell.strip("[]").split()
    return len(values) > 3 and all(map(is_number, values))


def _say_unused(table: Table, columns: list[int], label: int | None) -> tuple[str, ...]:
    if not columns:
        return ()
    names = [table.header[i] or str(i) if table.header else str(i) for i in columns]
    which = "" if label is None else f"; the label is {table.name(label)}, label= names another"
    kind = "column" if len(names) == 1 else "columns"
    return (f"{table.path}: {len(names)} {kind} not used, {list_names(names)}{which}",)
