"""The found network beside one that was trained by hand for the same time."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cambrian.cli.app import say
from cambrian.errors import UsageError
from cambrian.search.tally import value_text

if TYPE_CHECKING:
    from cambrian.outcome import Trial
    from cambrian.search.planning.planned import Plan
    from cambrian.tasks.task import Task

NETWORK = "resnet"
"""A small residual network, which most people would try first."""


def check_raced(planned: Plan, as_json: bool) -> None:
    """Raise UsageError unless the plan is a race, whose portfolio has the network."""
    if planned.preset is not None or planned.search.budget.seconds is None or as_json:
        raise UsageError(
            "--by-hand trains a network for the time of the search: give a time and no --strategy, and leave"
            " --json out"
        )


def train_by_hand(task: Task, planned: Plan, place: Path, options: dict[str, Any]) -> None:
    """Train the small residual network alone for the time of the search in `place`, with the search's own
    recipe, and print both."""
    from rich.console import Console
    from rich.table import Table

    from cambrian.cli.live import watch_search
    from cambrian.search.planning.plan import plan
    from cambrian.search.result import Result

    changes = {**options.pop("changes", {}), "entrants": NETWORK}
    alone = plan(task, planned.search.budget, changes=changes, **options)
    say(f"by hand: a small residual network alone, {alone.search.budget}")
    with watch_search(Console(stderr=True), {}) as watch:
        by_hand = alone.search.run(place / "by-hand", watch)
    table = Table(title="in the same time", box=None, title_justify="left", header_style="dim")
    table.add_column("network")
    add = partial(table.add_column, justify="right")
    add("test")
    add("params")
    for name, result in (("found", Result.open(place)), ("by hand", by_hand)):
        table.add_row(name, *_describe(result.winner))
    Console().print(table)


def _describe(winner: Trial | None) -> tuple[str, str]:
    from cambrian.outcome import Done

    if winner is None or not isinstance(winner.outcome, Done):
        return ("failed", "")
    return value_text(winner), f"{winner.outcome.metrics.get('params', 0):,.0f}"
