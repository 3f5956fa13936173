"""The contract of a contest, which is the subject of a comparison, and budgets in evaluations or epochs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Protocol

from cambrian.effort import count_epochs
from cambrian.errors import UsageError
from cambrian.estimators.tabular import read_content
from cambrian.outcome import Fidelity, Trial
from cambrian.search.planning.budget import Budget
from cambrian.search.search import Search
from cambrian.spaces.space import Space
from cambrian.strategies.strategy import Strategy


class Contest(Protocol):
    """`budget` is evaluations per search; `epochs` is the budget where it is counted in those that trials pay
    for, which `in_epochs` makes of as many evaluations (see `cambrian.effort`); `unit` names the scores;
    `optimum` is the best possible score: the highest, or the lowest where scores are to `minimize`. `cost` is
    that of a trial in seconds, by the epochs that it `paid` for where nothing else is known of it, `timed`
    whether costs are known. `contest_of` makes the contest of its `spec` in another process; None where it
    has no name. `identity` must be the same when a comparison goes on.
    `home` is a directory that it needs, made `ready` before the searches; `place` is the run directory of a
    search in it."""

    @property
    def budget(self) -> int: ...
    @property
    def epochs(self) -> float | None: ...
    @property
    def title(self) -> str: ...
    @property
    def space(self) -> Space: ...
    @property
    def unit(self) -> str: ...
    @property
    def optimum(self) -> float | None: ...
    @property
    def minimize(self) -> bool: ...
    @property
    def timed(self) -> bool: ...
    @property
    def spec(self) -> dict[str, Any] | None: ...
    @property
    def home(self) -> Path | None: ...
    def in_epochs(self) -> Contest: ...
    def identity(self) -> dict[str, Any]: ...
    def ready(self) -> None: ...
    def search(self, strategy: Strategy, seed: int) -> Search: ...
    def score(self, trial: Trial) -> float: ...
    def cost(self, trial: Trial, paid: float) -> float: ...
    def place(self, label: str, seed: int) -> Path | None: ...


def read_counts(budget: int | str, full: Fidelity) -> tuple[int, float | None]:
    """The evaluations and the epochs of a budget; None for epochs where it is counted in evaluations. Raises
    UsageError for any other budget."""
    if not isinstance(budget, str):
        return budget, None
    limit = Budget.parse(budget)
    if limit.seconds is not None or (limit.trials is None) == (limit.most_epochs is None):
        raise UsageError(
            f"cannot compare for {budget!r}: give a number of evaluations such as 300, or epochs such as"
            " 20000epochs"
        )
    if limit.most_epochs is None:
        return limit.trials or 1, None
    return max(1, math.ceil(limit.most_epochs / count_epochs(full))), limit.most_epochs


def name_epochs(epochs: float | None) -> dict[str, float]:
    """The budget of epochs for a record; comparisons of evaluations do not have one."""
    return {} if epochs is None else {"epochs": epochs}


def name_table(estimator: Any) -> dict[str, str]:
    """The digest of a table of the user's own, for a record: the lines of two tables are not compared."""
    content = read_content(estimator)
    return {"table": content} if content else {}


def limit_search(budget: int, epochs: float | None) -> Budget:
    return Budget(budget) if epochs is None else Budget(epochs=epochs)
