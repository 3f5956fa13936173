"""A run in a notebook's cell: how far it is, and its best architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cambrian.pictures.draw import draw
from cambrian.reports.page import Html, element, join

if TYPE_CHECKING:
    from cambrian.search.result import Result


def glance(result: Result) -> str:
    """HTML that fetches nothing and runs nothing."""
    trials = [t for t in result.trials if t.outcome is not None]
    failed = sum(t.value is None for t in trials)
    best, winner = result.best, result.winner
    facts = [f"{len(trials):,} trials", f"{failed:,} failed"]
    if best is not None:
        facts.append(f"best {best.value:.4g} (trial {best.number})")
    if winner is not None and winner.value is not None:
        facts.append(f"final network {winner.value:.4g}")
    shown = winner or best
    picture = Html(draw(result.space, shown.architecture).svg()) if shown is not None else Html("")
    return join([element("p", ", ".join(facts)), picture])
