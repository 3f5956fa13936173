"""A table of results as an estimator: lookup instead of training."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import file_digest
from pathlib import Path
from typing import ClassVar

from cambrian.effort import ANEW, Axis
from cambrian.errors import UsageError
from cambrian.estimators.estimator import Enough, Estimate, Job
from cambrian.estimators.tables import open_table
from cambrian.estimators.tables.replicates import MODES
from cambrian.estimators.tables.table import Column, Table
from cambrian.outcome import Fidelity, Outcome, Point, outcome_of
from cambrian.randomness import stream

SEPARATE = "the table's trainings of other lengths are separate ones"


@lru_cache(maxsize=8)
def _digest(path: Path, changed: int, size: int) -> str:
    """Of a file in that state: a comparison asks before each of hundreds of searches."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()[:16]


def read_content(estimator: object) -> str:
    """The digest of the file that the estimator's values come from; empty where it looks up no file."""
    return estimator.content if isinstance(estimator, Tabular) else ""


@dataclass(frozen=True)
class Tabular:
    """The value is column `objective` of `table` (a name, or the path of a `.csv` or `.npz`) times `scale`,
    as measured at the fidelity's epochs; if the column is a learning curve, its earlier points are yielded.
    `metrics` are further columns to report, `seconds` is the column with the cost of the measurement.
    `questions` names a file's columns of answers if not every architecture is asked the same questions. With
    `minimize` the lowest value is the best.

    With `replicates`, rows with the same answers are measurements of one architecture: their "mean" is the
    value, or one of them is, which the "seed" of the search draws.

    With `raw`, cells that are the same function were measured separately, and each is a trial of its own."""

    table: str
    objective: str
    metrics: tuple[str, ...] = ()
    seconds: str | None = None
    scale: float = 1.0
    raw: bool = False
    questions: tuple[str, ...] = ()
    minimize: bool = field(default=False, metadata={"later": True})
    replicates: str | None = field(default=None, metadata={"later": True})
    needs: ClassVar[tuple[type, ...]] = ()
    builds: ClassVar[bool] = False
    leaves: ClassVar[bool] = False
    delivers: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.replicates not in (None, *MODES):
            raise UsageError(f"replicates is {' or '.join(MODES)}, got {self.replicates!r}")

    @property
    def content(self) -> str:
        """A digest of the file that is read; empty where there is none, as for a published table."""
        path = Path(self.table)
        if not (path.suffix and path.is_file()):
            return ""
        state = path.stat()
        return _digest(path, state.st_mtime_ns, state.st_size)

    def run(self, job: Job) -> Estimate:
        table = self.open()
        row = table.row(job.space, job.architecture)
        if self.replicates == "seed":
            table, row = table.draw(row, stream(job.seed, "tabular", job.identity))
        column = table.column(self.objective)
        cost = table.column(self.seconds) if self.seconds else None
        curve: list[Point] = []
        # A column of separate trainings is no curve: its values at fewer epochs are other measurements.
        if column.curve:
            values = column.until(row, job.fidelity.epochs)
            spent = cost.until(row, job.fidelity.epochs) if cost else [0.0] * len(values)
            for epoch, measure, seconds in zip(column.epochs, values, spent, strict=False):
                value = self.scale * measure
                # Under its own name too: every reader of a curve knows "value".
                curve.append(Point(epoch, {self.objective: value, "value": value}, seconds))
                try:
                    yield curve[-1]
                except Enough:
                    return self._look_up(job, table, row, curve, epoch)
        return self._look_up(job, table, row, curve, job.fidelity.epochs)

    def _look_up(self, job: Job, table: Table, row: int, curve: list[Point], epochs: int) -> Outcome:
        """The outcome after these epochs."""
        column = table.column(self.objective)
        cost = table.column(self.seconds) if self.seconds else None
        begun = job.begun if column.curve else None
        return outcome_of(
            self.scale * column.at(row, epochs),
            metrics={name: table.column(name).at(row, epochs) for name in self.metrics},
            curve=tuple(curve),
            seconds=_price(cost, row, epochs, begun) if cost else 0.0,
            data={} if job.begun is None or column.curve else {ANEW: SEPARATE},
        )

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The epochs after which the table has the objective, where they are several."""
        epochs = self.open().column(self.objective).epochs
        return (Axis("epochs", tuple(map(float, epochs))),) if len(epochs) > 1 else ()

    def prepare(self) -> None:
        self.open()

    def open(self) -> Table:
        """The table, read once."""
        return open_table(self.table, self.questions, self.replicates is not None)


def _price(cost: Column, row: int, epochs: int, begun: Fidelity | None) -> float:
    """The cost of a training; of one that continues another, only the difference."""
    return cost.at(row, epochs) - (cost.at(row, begun.epochs) if begun is not None else 0.0)
