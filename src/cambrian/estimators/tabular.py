"""Looking up instead of training: a table of results as an estimator."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from cambrian.architecture import Architecture
from cambrian.estimators.estimator import Context, Estimate
from cambrian.estimators.tables import TABLES, Table
from cambrian.outcome import Fidelity, measured

if TYPE_CHECKING:
    from cambrian.spaces.space import Space
    from cambrian.tasks.task import Task


@dataclass(frozen=True)
class Tabular:
    """Column `objective` of `table` (a name, or the path of a `.csv` or `.npz`), divided by `scale`;
    `metrics` are columns to be reported besides. Cells that are the same function were measured apart:
    where `raw`, each is a measurement of its own."""

    table: str
    objective: str
    metrics: tuple[str, ...] = ()
    raw: bool = True
    needs: ClassVar[tuple[type, ...]] = ()
    delivers: ClassVar[bool] = False

    def estimate(
        self,
        space: Space,
        architecture: Architecture,
        fidelity: Fidelity,
        task: Task | None,
        context: Context,
    ) -> Estimate:
        table = opened(self.table)
        row = table.row(space, architecture)
        metrics = {name: float(table.column(name)[row]) for name in self.metrics}
        yield from ()
        return measured(table.column(self.objective)[row], metrics=metrics)

    def prepare(self) -> None:
        opened(self.table)


@cache
def opened(name: str) -> Table:
    """The table of that name, read once. Raises DataError where its file is missing or damaged."""
    found: Table = TABLES.get(name)()
    return found
