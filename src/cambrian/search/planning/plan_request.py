"""The wishes of whoever asks for a plan, as every planner reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cambrian.search.engines.engine import Engine
from cambrian.search.planning.budget import Budget
from cambrian.spaces.space import Space
from cambrian.strategies.strategy import Strategy

if TYPE_CHECKING:
    from cambrian.tasks.task import Task


@dataclass(frozen=True)
class PlanRequest:
    """The arguments of `cambrian.plan`, read: `limits` are the budget, `device` is one of this machine. None
    leaves a choice to the planner."""

    task: Task
    limits: Budget
    device: str
    engine: Engine
    space: Space | str | Mapping[str, Any] | None
    strategy: Strategy | str | Mapping[str, Any] | None
    surrogate: str | None
    paper: bool
    recipe: Mapping[str, Any]
    changes: Mapping[str, Any]
    baselines: tuple[str, ...] | None
    settings: Mapping[str, Any]
    """Those of `Search`."""
    audit: bool = False
    """Whether a quick audit may choose the fidelity."""

    @property
    def crew(self) -> int:
        """The trials at a time."""
        return self.engine.slots
