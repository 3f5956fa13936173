"""A run in a notebook's cell: its progress and its best architecture.

Importing this file makes notebooks show results so; `import cambrian` does it with the first name of
`cambrian.search` that is used.
"""

from __future__ import annotations

from cambrian.counts import counted
from cambrian.pictures.draw import draw
from cambrian.reports.page import Html, element, join
from cambrian.reports.verdict import tell_uncompared
from cambrian.search.result import Result, views


def show_result(result: Result) -> str:
    """HTML that fetches nothing and runs nothing."""
    trials = [t for t in result.trials if t.outcome is not None]
    failed = sum(t.value is None for t in trials)
    best, winner = result.best, result.winner
    facts = [counted(len(trials), "trial"), f"{failed:,} failed"]
    if best is not None:
        facts.append(f"best {best.value:.4g} (trial {best.number})")
    if winner is not None and winner.value is not None:
        facts.append(f"final network {winner.value:.4g}")
    warned = tell_uncompared(result.trials) if winner is not None else []
    # The network that is handed over, which need not be the best of the search.
    shown = winner or best
    picture = Html(draw(result.space, shown.architecture).svg()) if shown is not None else Html("")
    return join([element("p", ", ".join(facts)), *(element("p", line) for line in warned), picture])


views.append(show_result)
