"""Looking up instead of training: a table of results as an estimator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from cambrian.architecture import Architecture
from cambrian.estimators.estimator import Context, Estimate
from cambrian.estimators.tables import open_table
from cambrian.outcome import Fidelity, Point, outcome_of

if TYPE_CHECKING:
    from cambrian.spaces.space import Space
    from cambrian.tasks.task import Task


@dataclass(frozen=True)
class Tabular:
    """Column `objective` of `table` (a name, or the path of a `.csv` or `.npz`) times `scale`, as measured
    at the fidelity's epochs; the points of a curve before it where it is one of a curve. `metrics` are
    columns to be reported besides, `seconds` the column of what the measurement cost. `questions` names a
    file's columns of answers where not every architecture is asked the same; with `minimize` the lowest
    value is the best.

    `raw`: cells that are the same function were measured apart, each is a trial of its own."""

    table: str
    objective: str
    metrics: tuple[str, ...] = ()
    seconds: str | None = None
    scale: float = 1.0
    raw: bool = False
    questions: tuple[str, ...] = ()
    minimize: bool = field(default=False, metadata={"later": True})
    needs: ClassVar[tuple[type, ...]] = ()
    builds: ClassVar[bool] = False
    delivers: ClassVar[bool] = False

    def estimate(
        self,
        space: Space,
        architecture: Architecture,
        fidelity: Fidelity,
        task: Task | None,
        context: Context,
    ) -> Estimate:
        table = open_table(self.table, self.questions)
        row, column = table.row(space, architecture), table.column(self.objective)
        cost = table.column(self.seconds) if self.seconds else None
        value = self.scale * column.at(row, fidelity.epochs)
        curve: list[Point] = []
        if column.curve:
            values = column.until(row, fidelity.epochs)
            spent = cost.until(row, fidelity.epochs) if cost else [0.0] * len(values)
            for epoch, measure, seconds in zip(column.epochs, values, spent, strict=False):
                curve.append(Point(epoch, {self.objective: self.scale * measure}, seconds))
                yield curve[-1]
        return outcome_of(
            value,
            metrics={name: table.column(name).at(row, fidelity.epochs) for name in self.metrics},
            curve=tuple(curve),
            seconds=cost.at(row, fidelity.epochs) if cost else 0.0,
        )

    def prepare(self) -> None:
        open_table(self.table, self.questions)
