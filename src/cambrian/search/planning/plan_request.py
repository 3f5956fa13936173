"""The wishes of whoever asks for a plan, as every planner reads them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cambrian.errors import UsageError
from cambrian.search.engines.engine import Engine
from cambrian.search.parts.devices import count_abreast
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
    began: float = field(default_factory=time.monotonic)
    """When the budget of time began, by `time.monotonic`: data may have been read since."""
    left: float | None = field(init=False)
    """The seconds of the budget that are left for the plan and all that follows; None without a time."""

    def __post_init__(self) -> None:
        seconds = self.limits.seconds
        left = None if seconds is None else seconds - (time.monotonic() - self.began)
        if left is not None and left <= 0:
            fewer = ", or fewer data, as --limit 10000" if len(self.task.train) > 10_000 else ""
            raise UsageError(
                f"the budget of {seconds:.4g} s was over before the plan could begin: give more time{fewer}"
            )
        object.__setattr__(self, "left", left)

    @property
    def crew(self) -> int:
        """The trials that get on at a time, by which a plan is made."""
        return count_abreast(self.engine, self.device)
