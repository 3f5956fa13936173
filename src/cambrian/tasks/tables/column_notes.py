"""Sentences about the cells of a table that are not learned as they stand: missing values, and words that
training never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cambrian.tasks.phrases import short
from cambrian.tasks.tables.cells import Cells, read_word
from cambrian.tasks.tables.features import Column, find_categories

MOST = 5
"""Columns that a sentence counts one by one."""


def describe_missing(columns: Sequence[Column], table: Mapping[str, Cells], where: str) -> tuple[str, ...]:
    """How many values are missing in columns of numbers and in those of categories, and what stands there."""
    numbers, words = dict[str, int](), dict[str, int]()
    for column in columns:
        missing = sum(read_word(cell) is None for cell in table[column.name])
        # One word and gaps are a box that is ticked or not.
        if missing and len(column.categories) != 1:
            (words if column.categories else numbers)[column.name] = missing
    flagged = any(column.flagged for column in columns if column.name in numbers)
    filled = "the column's median stands there" + ", and one more feature says where" * flagged
    return (
        *((f"{where}: {_count(numbers, 'number')}: {filled}",) if numbers else ()),
        *((f"{where}: {_count(words, 'category')}: none of the categories holds there",) if words else ()),
    )


def find_unseen(columns: Sequence[Column], table: Mapping[str, Cells], where: str) -> tuple[str, ...]:
    """A sentence for each column of categories that has words which no row of the training had.

    >>> find_unseen([Column("town", ("A", "B"))], {"town": ["A", "C", "", "D"]}, "t.csv")[0]
    "t.csv: 2 of 4 rows have words in column 'town' that training never saw, such as 'C': no category holds"
    """
    sentences = []
    for column in columns:
        if not column.categories:
            continue
        cells = table[column.name]
        words = [read_word(cell) for cell in cells]
        found = find_categories(column.categories, cells)
        unseen = [word for word, place in zip(words, found, strict=True) if place < 0 and word is not None]
        if unseen:
            sentences.append(
                f"{where}: {len(unseen)} of {len(words)} rows have words in column {short(column.name)} that"
                f" training never saw, such as {short(unseen[0])}: no category holds"
            )
    return tuple(sentences)


def _count(missing: Mapping[str, int], kind: str) -> str:
    """
    >>> _count({"a": 2, "b": 1}, "number")
    "no number in 3 cells, of 'a' (2), 'b' (1)"
    """
    named = ", ".join(f"{short(name)} ({count:,})" for name, count in list(missing.items())[:MOST])
    more = f" and {len(missing) - MOST} more columns" if len(missing) > MOST else ""
    total = sum(missing.values())
    return f"no {kind} in {total:,} cell{'s' * (total != 1)}, of {named}{more}"
