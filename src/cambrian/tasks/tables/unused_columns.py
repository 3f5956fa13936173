"""Columns of a table from which nothing can be learned, and why."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from cambrian.tasks.phrases import list_names
from cambrian.tasks.tables.cells import Cells, read_numbers, read_word

DATE = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([ T].*)?", re.ASCII)
"""A day, perhaps with a time: 2026-11-30, 30.11.2026, 11/30/26 13:05."""
MOST_CATEGORIES = 100
"""Distinct words of a column up to which they are categories."""
EMPTY, ALIKE, FREE = "no value", "a single value", "words that hardly repeat"
MANY = f"more than {MOST_CATEGORIES} different words"
DATES = "dates: what counts of them, as the year or the days since one, has to be a column of numbers"


def describe_unused(table: Mapping[str, Cells], left_out: Sequence[str], where: str) -> tuple[str, ...]:
    """A sentence for each reason for which columns of `table` are left out.

    >>> table = {"id": ["a1", "b2", "c3"], "note": ["so", "and", "so on"], "unit": ["m", "m", "m"]}
    >>> print(*describe_unused(table, list(table), "t.csv"), sep=chr(10))
    t.csv: 2 columns are not used, 'id', 'note': words that hardly repeat
    t.csv: 1 column is not used, 'unit': a single value
    """
    sentences = []
    for reason, names in group_reasons(table, left_out).items():
        count = "1 column is" if len(names) == 1 else f"{len(names)} columns are"
        sentences.append(f"{where}: {count} not used, {list_names(names)}: {reason}")
    return tuple(sentences)


def group_reasons(table: Mapping[str, Cells], left_out: Sequence[str]) -> dict[str, list[str]]:
    """The columns that are left out, by the reason."""
    reasons: dict[str, list[str]] = {}
    for name in left_out:
        reasons.setdefault(find_reason(table[name]), []).append(name)
    return reasons


def find_reason(cells: Cells) -> str:
    """The reason for which nothing can be learned from a column of these cells."""
    words = {word for cell in cells if (word := read_word(cell)) is not None}
    if not words:
        return EMPTY
    numbers = read_numbers(cells)
    # One number may be written as 1 and as 1.0.
    if len(words) == 1 or (numbers is not None and len(np.unique(numbers[~np.isnan(numbers)])) < 2):
        return ALIKE
    if all(map(DATE.fullmatch, words)):
        return DATES
    return MANY if len(words) <= len(cells) // 2 else FREE
