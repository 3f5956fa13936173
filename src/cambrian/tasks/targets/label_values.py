"""Labels in whatever form people have them, as an array of strings, booleans or integers.

One-hot rows are one label each; missing, continuous and several labels an image are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import DataError
from cambrian.options import shorten
from cambrian.tasks.nouns import ROWS, one_of, singular
from cambrian.tasks.tables.cells import MISSING, read_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXACT = 2**53  # the whole numbers that floats hold exactly
NO_TYPES = "expected labels that are integers or strings"
POSSIBLE = ("none", "-")  # classes among words of a table, unlike the other cells without a value


def find_missing(words: Sequence[str], noun: str) -> list[int]:
    """The places of the words that are no labels: among numbers all cells without a value, among other words
    in a table those that cannot be a class. `noun` is what has the labels.

    >>> find_missing(["1", "-", "NA"], "rows"), find_missing(["a", "-", "NA"], "rows")
    ([1, 2], [2])
    """
    doubtful = [i for i, word in enumerate(words) if word.strip().lower() in MISSING]
    others = [word for word in words if word.strip().lower() not in MISSING] if doubtful else []
    if others and read_numbers(others) is not None:
        return doubtful
    return [
        i
        for i in doubtful
        if not words[i].strip() or (noun == ROWS and words[i].strip().lower() not in POSSIBLE)
    ]


def text_of(label: bytes) -> str:
    """Bytes as UTF-8, or where they are not, as Latin-1."""
    try:
        return label.decode()
    except UnicodeDecodeError:
        return label.decode("latin-1")


def read_values(
    values: Any, where: str, noun: str, column: int | None = None
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """The labels [n], one for each of what `noun` says: strings without spaces around them, booleans or
    integers; and a sentence where that was a guess. `column` chooses one of several labels. Raises DataError
    where there are none, for one that is missing or continuous, and for several without a `column`."""
    array, notes = _one_each(_array_of(values, where, noun), where, noun, column)
    if not len(array):
        raise DataError(f"{where}: there are no labels, so there is nothing to learn from")
    return _plain(array, where, noun), notes


def _array_of(values: Any, where: str, noun: str) -> NDArray[Any]:
    """An array [n, ...]; a list that numpy cannot make one array of becomes an array of objects."""
    # A tensor and a column of pandas are known by their methods: neither library is imported for it.
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    if hasattr(values, "to_numpy"):
        values = values.to_numpy()
    if isinstance(values, list | tuple):
        return _of_list(
            [v.item() if np.ndim(v) == 0 and hasattr(v, "item") else v for v in values], where, noun
        )
    try:
        array = np.asarray(values)
    except (TypeError, ValueError):
        array = np.empty((), object)
    if not array.ndim:
        raise DataError(f"{where}: expected one label per {singular(noun)}, got {type(values).__name__!r}")
    return array


def _of_list(values: list[Any], where: str, noun: str) -> NDArray[Any]:
    """Strings stay apart from numbers, which numpy would turn into strings."""
    array = np.empty(len(values), object)
    array[:] = [_flat(value) for value in values]
    several = [i for i, value in enumerate(array) if isinstance(value, np.ndarray)]
    if len(several) < len(values) or not several:
        return array
    if len({len(value) for value in array}) > 1:
        raise _several(where, noun, f"{min(map(len, array))} to {max(map(len, array))}")
    return np.stack(array.tolist())


def _flat(value: Any) -> Any:
    """An array of the label's several values, if it has any, else the label."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    if not isinstance(value, list | tuple | set | np.ndarray) and not hasattr(value, "__array__"):
        return value
    try:
        # A set has no order of its own: sorted, errors are the same every time.
        array = np.asarray(sorted(value, key=str) if isinstance(value, set) else value)
    except (TypeError, ValueError):
        return value
    return array.item() if array.size == 1 else array.reshape(-1)


def _one_each(
    array: NDArray[Any], where: str, noun: str, column: int | None
) -> tuple[NDArray[Any], tuple[str, ...]]:
    if array.ndim == 1 or not array.size:
        return array.reshape(-1), ()
    table = array.reshape(len(array), -1)
    if column is not None:
        if not -table.shape[1] <= column < table.shape[1]:
            raise DataError(f"{where}: column={column}, but there are {table.shape[1]} labels {one_of(noun)}")
        return table[:, column], ()
    if table.shape[1] == 1:
        return table[:, 0], ()
    if _is_one_hot(table):
        return table.argmax(1), (
            f"{where}: the labels are one-hot, {table.shape[1]} values of which one is 1: its column is the "
            "class",
        )
    raise _several(where, noun, str(table.shape[1]))


def _is_one_hot(table: NDArray[Any]) -> bool:
    if table.dtype.kind not in "iufb":
        return False
    return bool(((table == 0) | (table == 1)).all() and (table.sum(1) == 1).all())


def _several(where: str, noun: str, count: str) -> DataError:
    # Of a table `column` is not read.
    choose = (
        "give one column, or learn each by itself, as by scikit-learn's MultiOutputClassifier"
        if noun == ROWS
        else "choose one with column=0, 1, ..."
    )
    return DataError(
        f"{where}: there are several labels {one_of(noun)} ({count}), where one is expected: {choose}, or if"
        " they are scores of the classes, give targets.argmax(1)"
    )


def _plain(array: NDArray[Any], where: str, noun: str) -> NDArray[Any]:
    """Strings without spaces around them, booleans, or integers."""
    kind = array.dtype.kind
    if kind in "OT":  # T: NumPy 2's strings of any length
        array = _of_objects(array.astype(object).tolist(), where, noun)
        kind = array.dtype.kind
    if kind == "S":
        array = np.array([text_of(label) for label in array.tolist()])
    if kind in "SU":
        return _strip(array, where, noun)
    if kind == "f":
        return _whole(array, where, noun)
    if kind not in "iub":
        raise DataError(f"{where}: {NO_TYPES}, got {array.dtype}")
    return array


def _strip(array: NDArray[Any], where: str, noun: str) -> NDArray[Any]:
    # NumPy 1 does not have `np.strings`.
    array = np.strings.strip(array) if hasattr(np, "strings") else np.char.strip(array)
    missing = find_missing(array.tolist(), noun)
    if missing:
        raise _missing(where, noun, missing[0], len(missing))
    return array


def _whole(array: NDArray[Any], where: str, noun: str) -> NDArray[Any]:
    missing = np.flatnonzero(np.isnan(array))
    if len(missing):
        raise _missing(where, noun, int(missing[0]), len(missing))
    # Beyond EXACT two whole numbers can be the same float, hence two classes one.
    sizes = np.abs(array.astype(np.float64))  # float16 does not reach EXACT
    wrong = np.flatnonzero(~np.isfinite(array) | (array != np.floor(array)) | (sizes > EXACT))
    if len(wrong):
        raise DataError(
            f"{where}: label {array[wrong[0]]} of {singular(noun)} {wrong[0]} is not an integer: labels are"
            " classes, not continuous measurements: number the classes 0, 1, 2, ..., label them by strings,"
            " or predict them as numbers with goal=numbers, or a cambrian.Regressor"
        )
    return array.astype(np.int64)


def _of_objects(values: list[Any], where: str, noun: str) -> NDArray[Any]:
    """Objects that are all strings, or all numbers, as an array of such."""
    missing = [i for i, value in enumerate(values) if _is_missing(value)]
    if missing:
        raise _missing(where, noun, missing[0], len(missing))
    if any(isinstance(value, list | tuple | np.ndarray) for value in values):
        raise _several(where, noun, "lists")
    values = [text_of(value) if isinstance(value, bytes) else value for value in values]
    words = [isinstance(value, str) for value in values]
    if all(words):
        return np.array(values)
    numbers = [isinstance(value, int | float | np.number | np.bool_) for value in values]
    if not all(w or n for w, n in zip(words, numbers, strict=True)):
        wrong = next(i for i in range(len(values)) if not (words[i] or numbers[i]))
        raise DataError(
            f"{where}: {NO_TYPES}, got {type(values[wrong]).__name__!r} for {singular(noun)} {wrong}"
        )
    if any(words):
        first, other = words.index(True), words.index(False)
        raise DataError(
            f"{where}: some labels are strings and some are numbers ({values[first]!r:.60} of"
            f" {singular(noun)} {first}, {shorten(values[other]):.60} of {singular(noun)} {other}):"
            " write all as strings or all as integers"
        )
    array = np.array(values)  # of objects, where an integer needs more than 64 bits
    if array.dtype.kind not in "iufb":
        raise DataError(f"{where}: {NO_TYPES}, got numbers that do not fit into 64 bits")
    return array


def _is_missing(value: Any) -> bool:
    # NA and NaT are pandas', known by name since pandas is not imported.
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _missing(where: str, noun: str, first: int, count: int) -> DataError:
    more = f", as do {count - 1} more" if count > 1 else ""
    return DataError(
        f"{where}: {singular(noun)} {first} has no label{more}: label the {noun}, or leave them out"
    )
