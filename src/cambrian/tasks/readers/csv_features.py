"""A CSV whose rows are features: numbers and categories to learn a column from, or several."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import DataError
from cambrian.goal import GoalName
from cambrian.tasks.examples import Decode, Examples
from cambrian.tasks.images.arrays import with_notes
from cambrian.tasks.nouns import ROWS, TEXTS
from cambrian.tasks.phrases import list_names, short
from cambrian.tasks.readers.csv_blocks import read_blocks, refuse_learned
from cambrian.tasks.readers.csv_columns import COUNTERS, counters, find_column, find_parts, read_ignored
from cambrian.tasks.readers.csv_options import OF_FEATURES, OF_TEXTS, refuse_unread
from cambrian.tasks.readers.csv_pixels import convert_labels, marks_of
from cambrian.tasks.readers.csv_text import Table
from cambrian.tasks.readers.features import fit_training, make_examples, name_lines
from cambrian.tasks.readers.texts import decode_texts, refuse_empty
from cambrian.tasks.tables.cells import Decimal, find_marks, read_numbers, write_plainly
from cambrian.tasks.tables.features import Column, describe_columns, fit_column
from cambrian.tasks.targets.reading import Targets, read_column, read_several
from cambrian.tasks.texts import MOST_CHARACTERS

if TYPE_CHECKING:
    from numpy.typing import NDArray


IDENTIFIER = re.compile(r"(?:^|[\W_])(?i:id|uid|guid|uuid)$|[a-z](?:ID|Id)$", re.ASCII)
"""The name of a column that says which row it is: customer_id, CustomerID, ID."""
UNREPEATED = 0.9
"""The part of the rows in which such a column has a number of its own."""


def read_features(
    table: Table,
    target: str | int,
    split: str | int | None = None,
    ignore: str | None = None,
    categories: str | None = None,
    goal: GoalName | None = None,
    text: str | None = None,
    length: int | None = None,
    decimal: Decimal | None = None,
    blocks: Mapping[str, int] | None = None,
) -> Examples:
    """The rows of `table`, whose column `target` is to be learned, or several, as A,B. `ignore` names columns
    to leave out, or none among them to keep those that count the rows; `categories` those whose numbers are
    categories; `decimal` is what begins the decimals of numbers that can be read in two ways. `text` is a
    column of texts, which is learned from alone, `length` the characters that are read; `blocks` are the
    columns of `find_blocks`."""
    places, blocks = _find_targets(table, target), blocks or {}
    refuse_learned(table, blocks, places)
    part, unused, notes = find_parts(table, split, places)
    lines, rows = zip(*table.rows, strict=True)
    cells = dict(enumerate(zip(*rows, strict=True)))
    together = read_blocks(table, blocks, lines, rows, decimal)
    without, counted = read_ignored(ignore)
    ignored = {find_column(table, name) for name in without}
    left = [i for i in cells if i not in {*places, part, unused, *ignored, *blocks.values()}]
    counting = [i for i in left if not counted and _counts_rows(table, i, cells[i])]
    if counting:
        named = ", ".join(table.name(i) for i in counting)
        notes += (
            f"{table.path}: {named} counts or identifies the rows and is not used: ignore=none keeps it",
        )
    called = table.names
    names = {i: called[i] for i in left if i not in counting}
    notes += _say_renamed(table, [*names, *places])
    marked = [names.get(find_column(table, name), name) for name in _list(categories)]
    features = {name: cells[i] for i, name in names.items()}
    written = _find_texts(table, features, text)
    given = {"target": target, "categories": categories, "length": length}
    refuse_unread(table, given, OF_FEATURES if written is None else OF_TEXTS)
    read = {called[i]: cells[i] for i in places}
    read |= {name: column for name, column in features.items() if written is None and name not in marked}
    decimals, grouped = find_marks(read, str(table.path), table.separator, decimal)
    marks = marks_of(table, part, lines, () if part is None else cells[part])
    labels = {
        i: convert_labels(table, lines, write_plainly(cells[i], decimals[called[i]]), ROWS) for i in places
    }
    targets = _read_targets(table, labels, goal)
    learned = " and ".join(map(table.name, places)) + (" is" if len(places) == 1 else " are")
    begin, form = f"{table.path}: {learned} learned from", table.form(places)

    def describe(source: str, remarks: Iterable[str]) -> tuple[str, ...]:
        return (*table.notes, *notes, f"{begin} {source}", *grouped, *remarks)

    if written is not None:
        said = describe(f"the texts of {short(written)}", _say_unread(table, features, written))
        where, texts = str(table.path), features[written]
        refuse_empty(where, texts, name_lines(lines))

        def fit(train: NDArray[np.int64] | None) -> Decode:
            decode = decode_texts(where, texts, length, MOST_CHARACTERS, written, form, train)
            return with_notes(decode, (*said, *targets.notes))

        name = table.path.stem
        return Examples(
            name, targets.values, targets.labels, marks, fit(None), targets.goal, TEXTS, fit, together
        )

    def fit_rows(train: NDArray[np.int64]) -> tuple[tuple[Column, ...], tuple[str, ...]]:
        columns, remarks = fit_training(features, train, marks, str(table.path), marked, decimals)
        return columns, describe(describe_columns(columns), remarks)

    examples = make_examples(table.path.stem, fit_rows, features, targets, marks, form, name_lines(lines))
    return replace(examples, blocks=together)


def _say_renamed(table: Table, columns: Sequence[int]) -> tuple[str, ...]:
    """A sentence where several columns have one name."""
    names = table.names
    renamed = [names[i] for i in sorted(columns) if table.header and table.header[i] not in ("", names[i])]
    if not renamed:
        return ()
    return (f"{table.path}: columns have the same name as others and are called {list_names(renamed)} here",)


def _find_texts(table: Table, features: Mapping[str, Sequence[str]], text: str | None) -> str | None:
    """The column of texts: the one that is named, or the only one, where it is of words that hardly
    repeat."""
    if text is not None:
        name = table.names[find_column(table, text)]
        if name not in features:
            raise DataError(
                f"{table.path}: text={text!r:.60} is a column that is not learned from: name another"
            )
        return name
    if len(features) != 1:
        return None
    name, cells = next(iter(features.items()))
    free = read_numbers(cells) is None and fit_column(name, cells) is None
    return name if free and len(set(cells)) > len(cells) / 2 else None


def _say_unread(table: Table, features: Mapping[str, Sequence[str]], written: str | None) -> tuple[str, ...]:
    others = [name for name in features if name != written]
    return (f"{table.path}: not used beside the texts: {list_names(others)}",) if others else ()


def _find_targets(table: Table, target: str | int) -> list[int]:
    """The columns that are named: one, whose name may hold commas, or several between commas."""
    names = [part for part in str(target).split(",") if part.strip()]
    whole = str(target).strip().lower() in [name.lower() for name in table.header or []]
    return [find_column(table, name) for name in ([target] if whole or len(names) < 2 else names)]


def _read_targets(table: Table, labels: Mapping[int, Any], goal: GoalName | None) -> Targets:
    names = table.names
    named = {names[i]: values for i, values in labels.items()}
    if len(named) > 1:
        return read_several(named, str(table.path), goal)
    name, values = next(iter(named.items()))
    return read_column(values, str(table.path), goal, name)


def _list(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _counts_rows(table: Table, column: int, cells: Sequence[str]) -> bool:
    """Whether the column numbers the rows, one after the other, or identifies them: by its name, with hardly
    a repeat, since rows may be duplicates."""
    numbers = read_numbers(cells)
    if numbers is None or np.isnan(numbers).any():
        return False
    name = table.header[column] if table.header is not None else ""
    named = table.header is not None and (name.lower() in COUNTERS or IDENTIFIER.search(name) is not None)
    whole = bool((numbers == np.floor(numbers)).all())
    return bool(counters(numbers[:, None])) or (
        named and whole and len(np.unique(numbers)) >= UNREPEATED * len(numbers)
    )
