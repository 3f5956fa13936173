"""`Examples`, the output of a reader: labelled images that are not decoded yet.

Labels are cheap to read and pixels are dear. So a data set is checked, split and cut down to its limit
before the first image is decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from cambrian.goal import CLASSES, Goal
from cambrian.tasks.nouns import IMAGES

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRAIN, VALIDATION, TEST = 0, 1, 2
PARTS = {
    "train": TRAIN,
    "trn": TRAIN,
    "training": TRAIN,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "dev": VALIDATION,
    "development": VALIDATION,
    "eval": VALIDATION,
    "evaluation": VALIDATION,
    "test": TEST,
    "testing": TEST,
    "tst": TEST,
    "t10k": TEST,  # of MNIST: its ten thousand test images
}
"""The names by which data sets call their parts. An image without a part is TRAIN, from which the
missing parts are carved."""


class Decoded(NamedTuple):
    """`inputs` are uint8 or float32 [n, height, width, channels], `notes` sentences the user should read;
    `rendering` says how files became arrays (see `cambrian.tasks.images.rendering` and
    `cambrian.tasks.tables.table_form`), empty where there were none; `columns` how the cells of a table
    became numbers (see `cambrian.tasks.tables.features`); `targets` int64 [n, height, width] are masks that
    are decoded with their images, in place of those of the examples."""

    inputs: NDArray[Any]
    notes: tuple[str, ...] = ()
    rendering: Mapping[str, Any] = {}
    columns: tuple[Mapping[str, Any], ...] = ()
    targets: NDArray[np.int64] | None = None


Decode = Callable[["NDArray[np.int64]", int | None], "Decoded | tuple[NDArray[Any], tuple[str, ...]]"]
"""`decode(indices, size)`: the images at `indices`, each resized to size x size unless `size` is None."""


Fit = Callable[["NDArray[np.int64]"], Decode]
"""`fit(train)`: the `decode` that has learned from the rows at these indices alone."""


@dataclass(frozen=True, eq=False)
class Blocks:
    """Examples that belong together: `numbers` int64[n] from 0, the same for all of one block, as of one
    patient. Blocks that are `ordered` follow one another, as days do: the parts are the last of them. `what`
    says in a sentence what makes a block."""

    numbers: NDArray[np.int64]
    ordered: bool
    what: str


@dataclass(frozen=True, eq=False)
class Examples:
    """`targets` int64[n] below `len(labels)`, or as `goal` has them; `parts` int8[n] of TRAIN, VALIDATION and
    TEST, as the data set gives them."""

    name: str
    targets: NDArray[Any]
    labels: tuple[str, ...]
    parts: NDArray[np.int8]
    decode: Decode
    goal: Goal = CLASSES
    noun: str = IMAGES
    """What they are called (see `cambrian.tasks.nouns`)."""
    fit: Fit | None = None
    """Where decoding learns from the data, as quantiles and vocabularies are, in place of `decode`: nothing
    of the parts that are carved out goes into the network either."""
    blocks: Blocks | None = None
    """Which examples stay together where parts are carved out; None: each stands alone."""


@runtime_checkable
class Reader(Protocol):
    """Implementations are frozen dataclasses whose fields are their JSON settings."""

    def examples(self) -> Examples:
        """Raises DataError, one sentence that names the file and the remedy."""
        ...
