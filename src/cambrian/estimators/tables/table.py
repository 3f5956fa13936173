"""Tables of measured results: the row of an architecture, and the columns of its metrics."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture
from cambrian.errors import IllegalArchitecture, UnknownName, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Column:
    """`values` is [rows], or [rows, len(epochs)] if it was measured after several numbers of epochs: within
    one training if `curve`, in separate trainings otherwise."""

    values: NDArray[Any]
    epochs: tuple[int, ...] = ()
    curve: bool = False

    def at(self, row: int, epochs: int) -> float:
        """The value of a row after `epochs`. Raises UsageError for epochs without a measurement."""
        if not self.epochs:
            return float(self.values[row])
        if epochs not in self.epochs:
            valid = ", ".join(map(str, self.epochs)) if len(self.epochs) < 9 else f"1 to {self.epochs[-1]}"
            raise UsageError(f"the table knows of {valid} epochs, not of {epochs}")
        return float(self.values[row, self.epochs.index(epochs)])

    def until(self, row: int, epochs: int) -> list[float]:
        """The values of a row up to `epochs`, in the order of the epochs."""
        values: list[float] = self.values[row, : bisect_right(self.epochs, epochs)].tolist()
        return values


@dataclass(frozen=True)
class Table:
    """`row(space, architecture)` is `rows[identify(space, architecture)]`. `codes` are the columns that are
    one matrix in a file, `graphs` the questions that each column of graphs was split into. Where repeated
    rows are merged, `columns` has their means, `single` the measurements, and `groups[row]` the rows there of
    each row here."""

    name: str
    identify: Callable[[Any, Architecture], Hashable]
    rows: Mapping[Any, int]
    columns: Mapping[str, Column]
    codes: tuple[str, ...] = ()
    graphs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    single: Mapping[str, Column] | None = None
    groups: Sequence[Sequence[int]] = ()

    def draw(self, row: int, rng: np.random.Generator) -> tuple[Table, int]:
        """The table of single measurements, and one of those that were merged into a row."""
        assert self.single is not None  # repeated rows are merged
        chosen = self.groups[row]
        return replace(self, columns=self.single), chosen[int(rng.integers(len(chosen)))]

    def row(self, space: Any, architecture: Architecture) -> int:
        """The row of an architecture. Raises IllegalArchitecture if the table does not have one."""
        number = self.rows.get(self.identify(space, architecture))
        if number is None:
            raise IllegalArchitecture(f"{self.name} has no row for {architecture!r}")
        return number

    def column(self, name: str) -> Column:
        if name not in self.columns:
            raise UnknownName(f"column of {self.name}", name, self.columns)
        return self.columns[name]
