"""Data in memory: arrays, tensors, dictionaries of them, torch `Dataset`s. torch itself is never imported: a
data set is any object with a length and items of an image and a label."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cambrian.errors import DataError
from cambrian.goal import GoalName
from cambrian.tasks.blocks import choose_blocks
from cambrian.tasks.examples import PARTS, TEST, TRAIN, VALIDATION, Examples
from cambrian.tasks.images.arrays import from_arrays
from cambrian.tasks.images.layouts import Form, Layout
from cambrian.tasks.nouns import singular
from cambrian.tasks.readers.features import read_tables
from cambrian.tasks.readers.items import Items, array_of, axes_of, is_tensor
from cambrian.tasks.readers.npz import NAMES, find_keys
from cambrian.tasks.reading import refuse_options
from cambrian.tasks.targets.labels import class_names

LAYOUTS = {2: (TRAIN, TEST), 3: (TRAIN, VALIDATION, TEST)}
REMEDY = (
    "give a path, a name, (inputs, labels) arrays, or a map-style data set with a length and items "
    "(image, label)"
)


@dataclass(frozen=True, eq=False)
class Memory:
    """`source` is a data set; or `(inputs, labels)` arrays; or a dictionary of arrays, named as in an .npz;
    or a pair (train, test) or triple (train, validation, test) of data sets or of arrays, or a dictionary of
    these. It cannot be loaded again by a name: a run directory keeps its own copy, which worker processes and
    `resume` open.

    `image` and `label` are the keys or positions of both in an item of several values; `column` chooses one
    of several labels; `layout` is channels-first or channels-last; `shape`, such as 28x28, makes images of
    rows. With `features`, the inputs are not images but tables [n, columns] of numbers and categories, as
    arrays or with named columns, as pandas has; `categories` names columns of numbers that are categories.
    `goal` says whether the labels are classes, numbers to predict, or several labels an example.
    `group` has a value for each example, the same for those that stay together where parts are drawn, as of
    one patient; `order` numbers or moments, whose last examples are the test part."""

    source: Any
    image: str | int | None = None
    label: str | int | None = None
    column: int | None = None
    layout: Layout | None = None
    shape: str | None = None
    features: bool = False
    categories: tuple[str, ...] = ()
    goal: GoalName | None = None
    group: Any = None
    order: Any = None

    def examples(self) -> Examples:
        examples = self._without_blocks()
        cells = {
            option: _read_values(option, value, len(examples.targets))
            for option, value in (("group", self.group), ("order", self.order))
            if value is not None
        }
        what = {option: f"{option}=" for option in cells}
        name = examples.name
        blocks = choose_blocks(what, cells, lambda i: f"{name}, {singular(examples.noun)} {i + 1}")
        return examples if blocks is None else replace(examples, blocks=blocks)

    def _without_blocks(self) -> Examples:
        if self.features:
            refuse_options(self, ("image", "label", "column", "layout", "shape"), "a table of features")
            return read_tables(_parts_of_tables(self.source), self.categories, self.goal)
        if self.categories:
            raise DataError("categories= is for a table of features: give features=True as well")
        parts = _parts_of(self.source)
        first = parts[TRAIN]
        plain = isinstance(self.source, tuple | list | Mapping)
        name = "data" if plain else type(_dataset_of(first)).__name__
        notes: tuple[str, ...] = ()
        arrays = {}
        tensors = False
        for part, source in parts.items():
            images, labels, remarks, of_tensors = self._arrays(source)
            arrays[part] = (images, labels)
            notes += remarks
            tensors |= of_tensors
        form = Form(self.layout, self.shape, self.column, tensors, self.goal)
        return from_arrays(name, arrays, _names_of(first, self.source), form=form, notes=notes)

    def _arrays(self, source: Any) -> tuple[Any, Any, tuple[str, ...], bool]:
        """Images, labels, sentences about guesses, and whether the images are tensors."""
        if _is_arrays(source):
            refuse_options(self, ("image", "label"), "arrays of images and labels")
            images, labels = source
            return array_of(images), array_of(labels), (), is_tensor(images)
        dataset = _dataset_of(source)
        length = _length_of(dataset)
        items = Items(dataset, length, self.image, self.label)
        notes = items.notes
        if dataset is not source:
            notes += (f"the data set of the {type(source).__name__} is read, not its batches",)
        return items.images, items.labels, notes, items.are_tensors


def _read_values(option: str, values: Any, count: int) -> Any:
    """The values, one for each example of all parts. Raises DataError where there are not as many."""
    array = array_of(values)
    try:
        fits = np.shape(array) == (count,)
    except ValueError:  # lists of several lengths within the list
        raise DataError(
            f"{option}= has a value for each example, {count} in all parts: got lists of several lengths"
        ) from None
    if not fits:
        got = f"got {str(values)!r:.40}" if np.ndim(array) == 0 else f"got shape {np.shape(array)}"
        raise DataError(f"{option}= has a value for each example, {count} in all parts: {got}")
    return array


def _parts_of(source: Any) -> dict[int, Any]:
    """The data set, or arrays, of each part."""
    if isinstance(source, Mapping):
        return _parts_of_mapping(source)
    # [images, labels] means (images, labels); any other list is a data set of items.
    if isinstance(source, list) and len(source) == 2 and _is_arrays(tuple(source)):
        source = tuple(source)
    if _is_arrays(source) or not isinstance(source, tuple):
        return {TRAIN: source}
    if len(source) in LAYOUTS:
        return dict(zip(LAYOUTS[len(source)], source, strict=True))
    raise DataError(f"a tuple of {len(source)} is not a data set: give (train, test), or (inputs, labels)")


def _parts_of_tables(source: Any) -> dict[int, Any]:
    """The (table, labels) of each part: a table is a dictionary of columns, too, or the path of a file."""
    pairs = source if isinstance(source, tuple) and len(source) in LAYOUTS else ()
    if pairs and all(isinstance(pair, tuple) and len(pair) == 2 and _is_table(pair[0]) for pair in pairs):
        return dict(zip(LAYOUTS[len(pairs)], pairs, strict=True))
    if len(pairs) == 2 and _is_table(pairs[0]) and not _is_table(pairs[1], named=True):
        return {TRAIN: source}
    return _parts_of(source)


def _is_table(value: Any, named: bool = False) -> bool:
    """Whether this is a table of features; `named`: one whose columns have names."""
    if isinstance(value, Mapping | str | os.PathLike):
        return True
    return not named and not isinstance(value, tuple) and axes_of(value) == 2


def _parts_of_mapping(source: Mapping[Any, Any]) -> dict[int, Any]:
    """The parts in {"train": ..., "test": ...}, or in a dictionary of arrays called as in an .npz."""
    parts = {PARTS[str(key).lower()]: value for key, value in source.items() if str(key).lower() in PARTS}
    if TRAIN in parts:
        return dict(sorted(parts.items()))
    keys, _ = find_keys([key for key in source if isinstance(key, str)], "the dictionary")
    return {part: (source[images], source[labels]) for part, (images, labels) in keys.items()}


def _names_of(first: Any, source: Any) -> tuple[str, ...] | None:
    """The names of the classes, as the data set has them or one that it is a part of."""
    if isinstance(source, Mapping):
        key = next((key for key in source if str(key).lower() in NAMES), None)
        return None if key is None else class_names(source[key])
    for _ in range(8):  # a Subset of a Subset of ..., which might hold itself
        names = class_names(_attribute(first, "classes"))
        if names is not None:
            return names
        inner = _attribute(first, "datasets")
        first = inner[0] if isinstance(inner, list) and inner else _attribute(first, "dataset")
    return None


def _is_arrays(source: Any) -> bool:
    return isinstance(source, tuple) and len(source) == 2 and all(map(_is_array, source))


def _is_array(value: Any) -> bool:
    """Whether this is an array, or a list of images or of labels, not of items."""
    if isinstance(value, tuple):  # of labels; two or three of anything else are parts
        return bool(value) and (len(value) > max(LAYOUTS) or axes_of(value[0]) == 0)
    if isinstance(value, list):
        return not value or not _is_item(value[0])
    return _has_numbers(value)


def _has_numbers(value: Any) -> bool:
    """Whether this is an array, a tensor or a table; data sets may have a shape, too."""
    shape = _attribute(value, "shape")
    return bool(shape) and any(_attribute(value, name) is not None for name in ("dtype", "to_numpy"))


def _is_item(value: Any) -> bool:
    """Whether a list that holds this is a data set: {"image": ..., "label": ...} or (image, label)."""
    if isinstance(value, Mapping):
        return True
    if not isinstance(value, tuple | list) or len(value) < 2:
        return False
    axes = {axes_of(part) for part in value}
    return len(axes) > 1 or (isinstance(value, tuple) and not isinstance(value[0], int | float))


def _dataset_of(source: Any) -> Any:
    """The data set that a loader of batches reads."""
    inner = _attribute(source, "dataset")
    # A Subset has a `dataset` as well, but items of its own: it is the data set.
    return inner if inner is not None and not hasattr(type(source), "__getitem__") else source


def _length_of(source: Any) -> int:
    """How many items there are. Raises DataError where this is not a map-style data set."""
    kind = type(source).__name__
    if _has_numbers(source):
        raise DataError(f"{kind!r} is one array or table: give two arrays, (inputs, labels), or write a CSV")
    if isinstance(source, str | bytes | bytearray | set | range) or not hasattr(source, "__getitem__"):
        raise DataError(f"cannot use {kind!r} as a data set: {REMEDY}")
    try:
        length = len(source)
    except Exception as error:  # such as of torch's IterableDataset
        raise DataError(f"cannot use {kind!r} as a data set, since it has no length: {REMEDY}") from error
    if not length:
        raise DataError(f"{kind} is empty: expected items (image, label)")
    return length


def _attribute(value: Any, name: str) -> Any:
    try:
        return getattr(value, name, None)
    except Exception:  # user code
        return None
