"""The first lines of a search that nobody watches otherwise: its plan, and where it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cambrian.outcome import ENDLESS
from cambrian.search.display.lines import LineWatch, print_line
from cambrian.search.display.shares import find_shares
from cambrian.search.parts.compatibility import trains_supernets
from cambrian.search.planning.wording import (
    describe_data,
    describe_final,
    describe_machine,
    describe_training,
    find_training,
)
from cambrian.strategies.inner import has_trait

if TYPE_CHECKING:
    from cambrian.search.search import Search


def announce(search: Search, place: Path | None) -> LineWatch:
    """Print the plan of `search`; returns the watch that prints its progress."""
    for label, text in search.remarks.get("plan") or _describe(search):
        print_line(f"{label:>9}  {text}")
    if place is not None:
        print_line(f"{'run':>9}  {place}")
    expected = search.remarks.get("expected", {})
    counts = {int(level): count for level, count in expected.items()}
    return LineWatch(print_line, counts, shares=find_shares(search))


def _describe(search: Search) -> Iterator[tuple[str, str]]:
    """(label, text) of each part of a search that was not planned."""
    if search.task is not None:
        yield "data", describe_data(search.task)
    yield "space", _name(search.space)
    yield "strategy", f"{_name(search.strategy)}, {search.budget}"
    yield "each", f"{_name(search.estimator)}: {search.objective}{_describe_length(search)}"
    if search.final is not None:
        yield "then", describe_final(search)
        yield "machine", describe_machine(search, search.engine.slots)


def _describe_length(search: Search) -> str:
    """The training of each network, as the end of a phrase; empty where none is trained for some epochs."""
    fidelity, task = search.fidelity, search.task
    # A supernet's epochs are the strategy's to say, and seconds end a training sooner.
    asked = not trains_supernets(search.strategy) and fidelity.epochs < ENDLESS and fidelity.seconds is None
    if task is None or not asked or find_training(search) is None:
        return ""
    images = max(1, round(fidelity.fraction * len(task.train)))
    most = "at most " if has_trait(search.strategy, "list_fidelities") else ""
    return f"; {most}{describe_training(search, fidelity.epochs, images)}"


def _name(component: object) -> str:
    """The name of a component's type, or of the function behind it."""
    function = getattr(component, "function", None)
    return str(getattr(function, "__name__", None) or type(component).__name__)
