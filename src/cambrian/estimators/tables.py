"""Tables of results somebody measured: which row is an architecture's, and what is known of it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture
from cambrian.errors import IllegalArchitecture, UnknownName
from cambrian.registry import Registry

if TYPE_CHECKING:
    from numpy.typing import NDArray

TABLES = Registry(
    "table",
    {
        "nb201": "cambrian.benchmarks.nb201:table",
    },
)


@dataclass(frozen=True)
class Table:
    """`rows[identify(space, architecture)]` is an architecture's row, `columns[name]` float[rows].
    `curves[name]` is float[rows, epochs], after each epoch of one training; `seconds` names the column
    of what a whole training cost, `epochs` says how many that was."""

    file: str
    identify: Callable[[Any, Architecture], Hashable]
    rows: Mapping[Hashable, int]
    columns: Mapping[str, NDArray[Any]]
    curves: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def row(self, space: Any, architecture: Architecture) -> int:
        found = self.rows.get(self.identify(space, architecture))
        if found is None:
            raise IllegalArchitecture(f"{self.file} has no row for {architecture!r}")
        return found

    def column(self, name: str) -> NDArray[Any]:
        if name not in self.columns:
            raise UnknownName(f"column of {self.file}", name, self.columns)
        return self.columns[name]


def answers(space: Any, architecture: Architecture) -> Hashable:
    """An architecture's answers in the order of their paths."""
    return tuple(architecture[path] for path in sorted(architecture))
