"""Tables of results somebody measured: which row is an architecture's, and what is known of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture
from cambrian.errors import IllegalArchitecture, UnknownName, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Column:
    """`values` is [rows], or [rows, len(epochs)] where it was measured after so many epochs: those of
    one training if `curve`, of trainings of their own otherwise."""

    values: NDArray[Any]
    epochs: tuple[int, ...] = ()
    curve: bool = False

    def at(self, row: int, epochs: int) -> float:
        """Raises UsageError for a number of epochs after which nothing was measured."""
        if not self.epochs:
            return float(self.values[row])
        if epochs not in self.epochs:
            known = ", ".join(map(str, self.epochs)) if len(self.epochs) < 9 else f"1 to {self.epochs[-1]}"
            raise UsageError(f"the table knows of {known} epochs, not of {epochs}")
        return float(self.values[row, self.epochs.index(epochs)])

    def until(self, row: int, epochs: int) -> list[float]:
        """What was measured after each of `epochs`, in order, up to that many."""
        found: list[float] = self.values[row, : bisect_right(self.epochs, epochs)].tolist()
        return found


@dataclass(frozen=True)
class Table:
    """`row(space, architecture)` is found by `rows[identify(space, architecture)]`."""

    name: str
    identify: Callable[[Any, Architecture], Hashable]
    rows: Mapping[Any, int]
    columns: Mapping[str, Column]

    def row(self, space: Any, architecture: Architecture) -> int:
        """Raises IllegalArchitecture for one that nobody measured."""
        found = self.rows.get(self.identify(space, architecture))
        if found is None:
            raise IllegalArchitecture(f"{self.name} has no row for {architecture!r}")
        return found

    def column(self, name: str) -> Column:
        if name not in self.columns:
            raise UnknownName(f"column of {self.name}", name, self.columns)
        return self.columns[name]
