"""The first lines of a search that nobody watches otherwise: its plan, and where it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cambrian.search.display.lines import LineWatch, print_line
from cambrian.search.planning.wording import describe_data, describe_final, describe_machine

if TYPE_CHECKING:
    from cambrian.search.search import Search


def announce(search: Search, place: Path | None) -> LineWatch:
    """Print the plan of `search`; returns the watch that prints its progress."""
    for label, text in search.remarks.get("plan") or _describe(search):
        print_line(f"{label:>9}  {text}")
    if place is not None:
        print_line(f"{'run':>9}  {place}")
    expected = search.remarks.get("expected", {})
    return LineWatch(print_line, {int(level): count for level, count in expected.items()})


def _describe(search: Search) -> Iterator[tuple[str, str]]:
    """(label, text) of each part of a search that was not planned."""
    if search.task is not None:
        yield "data", describe_data(search.task)
    yield "space", _name(search.space)
    yield "strategy", f"{_name(search.strategy)}, {search.budget}"
    yield "each", f"{_name(search.estimator)}: {search.objective}"
    if search.final is not None:
        yield "then", describe_final(search)
        yield "machine", describe_machine(search, search.engine.slots)


def _name(component: object) -> str:
    """The name of a component's type, or of the function behind it."""
    function = getattr(component, "function", None)
    return str(getattr(function, "__name__", None) or type(component).__name__)
