"""Blocks: examples that stay together where parts are carved out. Rows of one patient, or of one day, are
alike: a network that has learned from some of them looks better on the others than it is on a new patient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import DataError
from cambrian.tasks.examples import Blocks, Examples
from cambrian.tasks.phrases import short
from cambrian.tasks.tables.cells import Cells, Mark, read_numbers, read_word

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Indices = NDArray[np.int64]

DRAWS = 50
"""Random orders of the groups; the part is of the one whose classes are most like those of all."""


def read_groups(cells: Cells, what: str, where: Callable[[int], str]) -> Blocks:
    """A block for each word of the column `what`, as 'patient'. `where` says which row of which data is
    number i. Raises DataError for a row without one.

    >>> read_groups(["b", "a", "b"], "'patient'", str).numbers.tolist()
    [1, 0, 1]
    """
    words: list[Any] = [None if _is_no_moment(cell) else read_word(cell) for cell in cells]
    if None in words:
        raise DataError(f"{where(words.index(None))}: no group in {what}: write one, or remove the row")
    return Blocks(np.unique(words, return_inverse=True)[1].astype(np.int64), False, what)


def _is_no_moment(cell: Any) -> bool:
    """Whether this is what numpy has for a missing moment."""
    return isinstance(cell, np.datetime64) and bool(np.isnat(cell))


def read_order(cells: Cells, what: str, where: Callable[[int], str], mark: Mark = "") -> Blocks:
    """A block for each number or moment of the column `what`, the earliest first; `mark` begins the decimals
    of numbers that can be read in two ways. Raises DataError for a cell
    that is neither, and for moments of which some alone have a zone.

    >>> read_order(["2026-02-01", "2025-12-31", "2026-02-01"], "'day'", str).numbers.tolist()
    [1, 0, 1]
    """
    array = np.asarray(cells)
    zoned: list[bool] = []
    values: Any = array if array.dtype.kind == "M" else read_numbers(cells, mark)
    if values is None:
        moments = [_read_moment(read_word(cell)) for cell in cells]
        values = np.array([moment for moment, _ in moments])
        zoned = [has_zone for moment, has_zone in moments if not np.isnat(moment)]
    absent = np.flatnonzero(np.isnat(values) if values.dtype.kind == "M" else np.isnan(values))
    if len(absent):
        i = int(absent[0])
        raise DataError(
            f"{where(i)}: {str(cells[i])!r:.60} in {what} is neither a number nor a day as 2026-11-30,"
            " perhaps with a time, so that the row has no place in the order: write one, or remove the row"
        )
    if len(set(zoned)) > 1:
        i = zoned.index(False)
        raise DataError(
            f"{where(i)}: {str(cells[i])!r:.60} in {what} has no zone, and other rows have one, so that their"
            " order is not known: write a zone such as +02:00 or Z in each, or in none"
        )
    return Blocks(np.unique(values, return_inverse=True)[1].astype(np.int64), True, what)


def _read_moment(word: str | None) -> tuple[np.datetime64, bool]:
    """A moment of ISO 8601, and whether it has a zone: then it is in UTC. Not a time for other words."""
    try:
        moment = datetime.fromisoformat(word or "")
    except ValueError:
        return np.datetime64("NaT", "us"), False
    zone = moment.utcoffset()
    # numpy subtracts, since its years go on before the first of Python's.
    local = np.datetime64(moment.replace(tzinfo=None), "us")
    return local - np.timedelta64(zone or timedelta(0), "us"), zone is not None


def carve_blocks(
    examples: Examples, blocks: Blocks, pool: Indices, count: int, keep: int, rng: np.random.Generator
) -> Indices:
    """Whole blocks of `pool` with about `count` examples, leaving at least `keep` blocks and every class
    behind: the last ones where blocks are ordered, else some that are drawn. Raises DataError where there
    are none."""
    numbers, places = np.unique(blocks.numbers[pool], return_inverse=True)
    if len(numbers) <= keep:
        raise DataError(
            f"{examples.name}: only {len(numbers)} different values of {blocks.what} where {keep + 1} parts"
            " are drawn: give more of them, or the parts yourself"
        )
    sizes = np.bincount(places)
    targets, classes = examples.targets[pool], len(examples.labels)
    whole = np.bincount(targets, minlength=classes)
    orders = (
        [np.arange(len(sizes))[::-1]]
        if blocks.ordered
        else [rng.permutation(len(sizes)) for _ in range(DRAWS)]
    )
    chosen, least, lost = None, np.inf, 0
    for order in orders:
        members = _take_first(order, sizes, count, keep)[places]
        taken = np.bincount(targets[members], minlength=classes)
        if (missing := np.flatnonzero((taken == whole) & (whole > 0))).size:
            lost = int(missing[0])
        elif (distance := np.abs(taken - whole * (count / len(pool))).sum()) < least:
            chosen, least = members, distance
    if chosen is None:
        raise DataError(
            f"{examples.name}: class {short(examples.labels[lost])} is in too few values of {blocks.what} to"
            " be learned from when some are kept for another part: leave the class out, or give the parts"
            " yourself"
        )
    drawn: Indices = pool[chosen]
    return drawn


def _take_first(order: NDArray[Any], sizes: NDArray[Any], count: int, keep: int) -> NDArray[np.bool_]:
    """bool [blocks]: the first ones in this order whose sizes come nearest to `count`, one at least."""
    totals = np.cumsum(sizes[order])[: len(sizes) - keep]
    taken = np.zeros(len(sizes), bool)
    taken[order[: 1 + int(np.abs(totals - count).argmin())]] = True
    return taken


def describe_blocks(blocks: Blocks, where: str, parts: Sequence[Indices], own: bool) -> tuple[str, ...]:
    """What is said of them and of the `parts`, for training, validation and test; `own`: some of these the
    data brought along, and they may part blocks.

    >>> blocks = Blocks(np.array([0, 1, 2]), False, "'patient'")
    >>> describe_blocks(blocks, "t.csv", [np.array([0]), np.array([1]), np.array([2])], False)
    ("t.csv: 3 different values of 'patient': those of one stay together where parts are drawn",)
    """
    numbers = [blocks.numbers[part] for part in parts]
    what = blocks.what
    if blocks.ordered:
        if not own:
            return (f"{where}: by {what} the last are the test part, those before them validation",)
        return (f"{where}: by {what} the last that are not in a part of the data's own are drawn",)
    several = len(np.unique(np.concatenate(numbers)))
    said = f"{where}: {several} different values of {what}: those of one stay together where parts are drawn"
    notes: list[str] = []
    for part, there in zip(("validation", "test"), numbers[1:], strict=True):
        if torn := len(np.intersect1d(numbers[0], there)):
            notes.append(
                f"{where}: {torn} of {len(np.unique(there))} values of {what} in the {part} part of the"
                f" data's own are also in the training part, which flatters the {part} score"
            )
    return (said, *notes)


def choose_blocks(
    what: Mapping[str, str], cells: Mapping[str, Cells], where: Callable[[int], str], mark: Mark = ""
) -> Blocks | None:
    """The blocks by the `cells` of `group` or `order`, whichever is there, which sentences call by `what`;
    None without either. `where` says which row of which data is number i. Raises DataError for both."""
    if len(cells) > 1:
        raise DataError("group= and order= each say how parts are drawn: give one of them")
    for option, column in cells.items():
        if option == "group":
            return read_groups(column, what[option], where)
        return read_order(column, what[option], where, mark)
    return None
