"""A table of results as an estimator: lookup instead of training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from cambrian.estimators.estimator import Estimate, Job
from cambrian.estimators.tables import open_table
from cambrian.outcome import Point, outcome_of


@dataclass(frozen=True)
class Tabular:
    """The value is column `objective` of `table` (a name, or the path of a `.csv` or `.npz`) times `scale`,
    as measured at the fidelity's epochs; if the column is a learning curve, its earlier points are yielded.
    `metrics` are further columns to report, `seconds` is the column with the cost of the measurement.
    `questions` names a file's columns of answers if not every architecture is asked the same questions. With
    `minimize` the lowest value is the best.

    With `raw`, cells that are the same function were measured separately, and each is a trial of its own."""

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

    def run(self, job: Job) -> Estimate:
        table = open_table(self.table, self.questions)
        row, column = table.row(job.space, job.architecture), table.column(self.objective)
        cost = table.column(self.seconds) if self.seconds else None
        value = self.scale * column.at(row, job.fidelity.epochs)
        curve: list[Point] = []
        # A column of separate trainings is no curve: its values at fewer epochs are other measurements.
        if column.curve:
            values = column.until(row, job.fidelity.epochs)
            spent = cost.until(row, job.fidelity.epochs) if cost else [0.0] * len(values)
            for epoch, measure, seconds in zip(column.epochs, values, spent, strict=False):
                curve.append(Point(epoch, {self.objective: self.scale * measure}, seconds))
                yield curve[-1]
        return outcome_of(
            value,
            metrics={name: table.column(name).at(row, job.fidelity.epochs) for name in self.metrics},
            curve=tuple(curve),
            seconds=cost.at(row, job.fidelity.epochs) if cost else 0.0,
        )

    def prepare(self) -> None:
        open_table(self.table, self.questions)
