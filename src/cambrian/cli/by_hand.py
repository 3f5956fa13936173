"""The found network beside one that was trained by hand for the same time; for the rows of a table and the
classes of texts, beside what most people would try first of scikit-learn."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cambrian.cli.app import say
from cambrian.cli.scikit_models import fit_scikit, suits_scikit
from cambrian.errors import CambrianError, UsageError
from cambrian.search.display.tally import number_text, value_text

if TYPE_CHECKING:
    from cambrian.outcome import Trial
    from cambrian.search.planning.planned import Plan
    from cambrian.search.result import Result
    from cambrian.tasks.task import Task

BOOSTING = "gradient boosting (scikit-learn)"
LINEAR = "linear model of n-grams (scikit-learn)"
NETWORK, DENSE_NETWORK, TEXT_NETWORK = "resnet", "unet", "lstm"
"""A small residual network, which most people would try first; for the class of each pixel a U-Net, for a
running text a recurrent one."""


def check_raced(planned: Plan, as_json: bool) -> None:
    """Raise UsageError unless the plan is a race, whose portfolio has the network, or scikit-learn has a
    model for the data."""
    if planned.search.task is not None and suits_scikit(planned.search.task) and not as_json:
        return
    if planned.preset is not None or planned.search.budget.seconds is None or as_json:
        raise UsageError(
            "--by-hand trains a network for the time of the search: give a time and no --strategy, and leave"
            " --json out"
        )


def train_by_hand(task: Task, planned: Plan, place: Path, options: dict[str, Any]) -> None:
    """Train the small residual network, or U-Net, alone for the time of the search in `place`, with the
    search's own recipe, or a model of scikit-learn, and print both. Raises CambrianError where
    that fails, whose sentence says that the search is whole."""
    try:
        if suits_scikit(task):
            _compare_scikit(task, place)
        else:
            _compare_network(task, planned, place, options)
    except CambrianError as error:
        # Of a training that failed the first line: its traceback is in the run that is named.
        reason = str(error).partition("\n")[0].rstrip(".")
        raise CambrianError(
            f"nothing was trained by hand: {reason}. The search in {place} is whole"
        ) from error
    except KeyboardInterrupt:
        say(f"stopped; the search in {place} is whole", to_json=True)
        raise


def _compare_scikit(task: Task, place: Path) -> None:
    from cambrian.search.result import Result
    from cambrian.tasks.targets.metrics import is_share

    try:
        score = fit_scikit(task)
    except Exception as error:  # another library, which has rules of its own for rows and classes
        raise CambrianError(f"scikit-learn says {type(error).__name__}: {error}") from error
    shown = number_text(score, is_share(task.metric))
    _print_both(Result.open(place), BOOSTING if task.columns else LINEAR, (shown, ""))


def _compare_network(task: Task, planned: Plan, place: Path, options: dict[str, Any]) -> None:
    from rich.console import Console

    from cambrian.cli.display.live import watch_search
    from cambrian.search.display.shares import find_shares
    from cambrian.search.planning.plan import plan
    from cambrian.search.result import Result

    network, kind = _choose_network(task)
    alone = plan(task, planned.search.budget, **_leave_out(options, network))
    say(f"by hand: a small {kind} alone, {alone.search.budget}")
    with watch_search(Console(stderr=True), {}, find_shares(alone.search)) as watch:
        by_hand = alone.search.run(place / "by-hand", watch)
    found = Result.open(place)
    _print_both(found, "by hand", _describe(by_hand))
    if _are_same(found.winner, by_hand.winner):
        say("both are the same network, trained in the same way: the difference is chance")


def _leave_out(options: dict[str, Any], network: str) -> dict[str, Any]:
    """The options of the search that hold for a network by hand: weights are of another network, and
    conditions choose among several."""
    kept = {name: value for name, value in options.items() if name != "choose"}
    if "recipe" in kept:
        kept["recipe"] = {name: value for name, value in kept["recipe"].items() if name != "pretrained"}
    return {**kept, "changes": {**kept.get("changes", {}), "entrants": network}}


def _are_same(one: Trial | None, other: Trial | None) -> bool:
    """Whether both are there, of one architecture and size."""
    if one is None or other is None:
        return False
    return (one.architecture, one.fidelity.skeleton) == (other.architecture, other.fidelity.skeleton)


def _choose_network(task: Task) -> tuple[str, str]:
    """The name of the network in its portfolio, and what it is called."""
    if task.causal:
        return TEXT_NETWORK, "recurrent network (LSTM)"
    return (DENSE_NETWORK, "U-Net") if task.dense else (NETWORK, "residual network")


def _print_both(found: Result, name: str, other: tuple[str, str]) -> None:
    from rich.table import Table

    from cambrian.cli.display.tables import print_table

    title = None if name in (BOOSTING, LINEAR) else "in the same time"
    table = Table(title=title, box=None, title_justify="left", header_style="dim")
    table.add_column("network")
    add = partial(table.add_column, justify="right", no_wrap=True)
    add("test")
    add("params")
    table.add_row("found", *_describe(found))
    table.add_row(name, *other)
    print_table(table)


def _describe(run: Result) -> tuple[str, str]:
    from cambrian.outcome import Done
    from cambrian.search.display.shares import find_shares

    winner = run.winner
    if winner is None or not isinstance(winner.outcome, Done):
        return ("failed", "")
    return value_text(winner, find_shares(run)), f"{winner.outcome.metrics.get('params', 0):,.0f}"
