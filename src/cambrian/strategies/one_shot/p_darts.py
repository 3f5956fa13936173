"""P-DARTS: Chen et al., "Progressive Differentiable Architecture Search: Bridging the Depth Gap between
Search and Evaluation" (ICCV 2019). In three stages the supernet becomes deeper and the options of each gate
fewer; skip connections are dropped out at first, and bounded in the derived cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cambrian.errors import UsageError
from cambrian.settings import SHARE, Span
from cambrian.strategies.one_shot.deriving import Deriving
from cambrian.strategies.one_shot.stages import Stage, Stages


@dataclass(frozen=True)
class PDARTS(Deriving):
    """`keep` options of each gate are left after a stage, one number for each but the last, and the outputs
    of skip connections are dropped out at first with a probability of `dropout`, one for each stage. `cells`
    are the depths of the stages (none: the run's in all of them). `epochs` are those of all stages together.
    The derived normal cell has `most_skips` skip connections at most. The gradient of gates is clipped to the
    norm `gate_clip` (0: not clipped)."""

    keep: tuple[int, ...] = (5, 3)
    dropout: tuple[float, ...] = (0.0, 0.4, 0.7)
    cells: tuple[int, ...] = ()
    most_skips: Annotated[int, Span(0, 1000)] = 2
    gate_clip: Annotated[float, Span(0)] = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        stages = len(self.keep) + 1
        _refuse_unless(all(n >= 1 for n in self.keep), f"keep are numbers from 1 on, got {list(self.keep)}")
        _refuse_unless(
            len(self.dropout) == stages and all(SHARE.holds(rate) for rate in self.dropout),
            f"dropout is a number from 0 to below 1 for each of {stages} stages, one more than keep has"
            f" numbers, got {list(self.dropout)}",
        )
        _refuse_unless(
            len(self.cells) in (0, stages) and all(n >= 1 for n in self.cells),
            f"cells are numbers from 1 on for each of {stages} stages, or none, got {list(self.cells)}",
        )

    @staticmethod
    def paper() -> PDARTS:
        """25 epochs of each stage with 5, 11 and 17 cells, in the first 10 of which gates rest (Sec. 4.1).
        Their gradient is clipped to 5, as that of the weights (the released code)."""
        return PDARTS(epochs=75, chunks=15, gate_rate=6e-4, frozen=10, cells=(5, 11, 17), gate_clip=5.0)

    @property
    def method(self) -> tuple[str, dict[str, Any]]:
        return "p-darts", self.list_settings("gate_clip") if self.gate_clip else {}

    @property
    def stages(self) -> Stages:
        depths = [{"cells": n} for n in self.cells] or [{} for _ in self.dropout]
        parts = zip(depths, self.dropout, (*self.keep, 0), strict=True)
        stages = [Stage(depth, {"dropout": rate}, left) for depth, rate, left in parts]
        return Stages(tuple(stages), self.most_skips)


def _refuse_unless(right: bool, expected: str) -> None:
    if not right:
        raise UsageError(f"strategy 'p-darts': {expected}")
