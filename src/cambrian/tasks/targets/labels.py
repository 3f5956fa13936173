"""Labels as people have them to targets and class names: distinct values are classes, named by the values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import DataError
from cambrian.tasks.nouns import IMAGES, singular
from cambrian.tasks.phrases import list_names, short
from cambrian.tasks.tables.cells import MISSING
from cambrian.tasks.targets.label_values import read_values, text_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEW = 10  # images a class, below which many classes are worth a sentence


@dataclass(frozen=True, eq=False)
class Classes:
    """`targets` int64[n] below `len(labels)`; each label has an image; `notes` tell of guesses."""

    targets: NDArray[np.int64]
    labels: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_labels(
    values: Any,
    where: str,
    names: Sequence[str] | None = None,
    column: int | None = None,
    noun: str = IMAGES,
) -> Classes:
    """The classes of labels [n], [n, 1] or one-hot [n, classes]. `names` are those of the integers 0, 1,
    ...; `column` chooses one where there are several labels an image. `noun` is what has the labels.

    >>> read_labels([-1, 1, 1], "here").labels
    ('-1', '1')
    """
    array, notes = read_values(values, where, noun, column)
    if names is not None and array.dtype.kind in "iub":
        return _name_classes(array.astype(np.int64), tuple(names), where, noun, notes)
    distinct, targets = np.unique(array, return_inverse=True)
    if array.dtype.kind == "U":
        notes += describe_doubtful(distinct.tolist(), where, noun)
    notes += _remarks(distinct, len(array), where, noun)
    return Classes(targets.reshape(-1).astype(np.int64), tuple(map(str, distinct.tolist())), notes)


def describe_doubtful(labels: Sequence[str], where: str, noun: str) -> tuple[str, ...]:
    """A sentence about classes that are called like cells without a value."""
    doubtful = [label for label in labels if label.lower() in MISSING]
    if not doubtful:
        return ()
    taken = "is taken as a class" if len(doubtful) == 1 else "are taken as classes"
    remedy = f"leave its {noun} out if it means that they have none"
    return (f"{where}: {list_names(doubtful)} {taken}: {remedy}",)


def class_names(names: Any) -> tuple[str, ...] | None:
    """Names of the classes 0, 1, ... as data sets hold them, bytes among them; None where there are none.

    >>> class_names([b"K\\xe4fer", "dog"]), class_names({"cat": 0, "dog": 1}), class_names(10)
    (('Käfer', 'dog'), ('cat', 'dog'), None)
    """
    if isinstance(names, Mapping):
        names = _order_names(names)
    if hasattr(names, "tolist"):
        names = names.tolist()
    if not isinstance(names, list | tuple) or not names:
        return None
    return tuple(text_of(name) if isinstance(name, bytes) else str(name) for name in names)


def _order_names(names: Mapping[Any, Any]) -> list[Any] | None:
    """The names in {0: name, 1: name} or {name: 0, name: 1}, if they count without a gap."""
    # The second is torchvision's `class_to_idx`.
    pairs = names.items() if 0 in names else ((number, name) for name, number in names.items())
    try:
        by_number = {int(number): name for number, name in pairs}
    except (TypeError, ValueError):
        return None
    counts = by_number.keys() == set(range(len(names)))
    return [by_number[i] for i in range(len(by_number))] if counts else None


def _name_classes(
    array: NDArray[np.int64], names: tuple[str, ...], where: str, noun: str, notes: tuple[str, ...]
) -> Classes:
    # MATLAB counts from 1. Where 0 never occurs and the last label is the number of names, no other reading
    # gives every label a name.
    if array.min() == 1 and array.max() == len(names):
        array = array - 1
        notes += (
            f"{where}: the labels count from 1, as many as there are named classes: 1 is {short(names[0])}",
        )
    wrong = np.flatnonzero((array < 0) | (array >= len(names)))
    if len(wrong):
        raise DataError(
            f"{where}: label {int(array[wrong[0]])} of {singular(noun)} {wrong[0]} is out of range for the "
            f"{len(names)} named classes: expected 0 to {len(names) - 1}"
        )
    used, targets = np.unique(array, return_inverse=True)
    present = set(used.tolist())
    unused = [name for i, name in enumerate(names) if i not in present]
    if unused:
        notes += (
            f"{where}: {len(unused)} of {len(names)} named classes have no {singular(noun)} and are left out:"
            f" {list_names(unused)}",
        )
    return Classes(targets.reshape(-1).astype(np.int64), tuple(names[i] for i in used), notes)


def _remarks(distinct: NDArray[Any], examples: int, where: str, noun: str) -> tuple[str, ...]:
    """Sentences about labels that may not be meant as classes."""
    count = len(distinct)
    numbers = distinct.dtype.kind in "iu"
    if numbers and count > max(FEW, examples / 2):
        raise DataError(
            f"{where}: {count} different labels of {examples} {noun} look like numbers to be predicted: give "
            f"goal=numbers, or label the {noun} by few classes"
        )
    # Beside 0, 1, ... it marks images without a label, as in scikit-learn's semi-supervised methods; beside
    # 1 alone it is one of two classes.
    if numbers and count > 2 and distinct[0] == -1:
        return (f"{where}: -1 is taken as a class: leave its {noun} out if it means that they have none",)
    if count > FEW and examples < FEW * count:
        return (f"{where}: {count} classes of {examples} {noun}, fewer than {FEW} each: few to learn from",)
    return ()
