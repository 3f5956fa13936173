"""The table of all pairs, as `docs/matrix.md` shows it: `python -m cambrian.testing.matrix > docs/matrix.md`.

It comes from the declarations of the components, by asking for each pair's search; that pairs work is for
`PAIR` to show.
"""

from __future__ import annotations

from typing import Any

from cambrian.spaces import SPACES
from cambrian.spaces.knowledge import Canonical, Encodes, Graphs, Grows, Moves, know
from cambrian.spaces.space import Space
from cambrian.strategies import STRATEGIES
from cambrian.testing.markdown import write_table
from cambrian.testing.pairs import PairCase, refusal

KNOWLEDGE: dict[str, type] = {
    "grows": Grows,
    "tokens": Encodes,
    "graph": Graphs,
    "canonical": Canonical,
    "moves": Moves,
}

HEAD = """# What works with what

Made by `python -m cambrian.testing.matrix > docs/matrix.md`; a test holds it to be current. A pair that is
refused is refused before anything runs, in the sentence of its note. A pair that works has been tried so: a
search of twenty trials, killed in the midst of one (`kill -9`) and resumed, leaves the ledger of a search
nobody disturbed. `make test` tries a part of the pairs with an estimator that costs nothing, `make evidence`
all of them, and all of them once more with real training.

A component of yours is tried in the same way: `cambrian.testing.PairSuite`.
"""


def page() -> str:
    """The whole document, in Markdown."""
    return "\n".join([HEAD, "## Spaces and strategies", "", _pairs(), "", "## Spaces", "", _knowledge(), ""])


def _pairs() -> str:
    notes: dict[str, int] = {}  # number by sentence: pairs refused for one reason share a note

    def cell(space: str, strategy: str) -> str:
        why = refusal(PairCase(space, strategy, _nothing()))
        return "works" if why is None else f"refused [{notes.setdefault(why, len(notes) + 1)}]"

    strategies = STRATEGIES.names()
    rows = [[f"`{space}`", *(cell(space, s) for s in strategies)] for space in SPACES.names()]
    sentences = [f"[{number}] {why}" for why, number in notes.items()]
    return "\n\n".join([write_table(["", *(f"`{s}`" for s in strategies)], rows), *sentences])


def _nothing() -> Any:
    """Any estimator that does not build: it is never run."""
    return {"name": "function", "arguments": {"function": "builtins:len", "builds": False}}


def _knowledge() -> str:
    """The knowledge of each space, and how it is sampled."""
    rows = []
    for name in SPACES.names():
        space: Space = SPACES.make(name)
        known = ["" if know(space, kind) is None else "yes" for kind in KNOWLEDGE.values()]
        rows.append([f"`{name}`", *known, space.measure])
    return write_table(["", *KNOWLEDGE, "sampling"], rows)


if __name__ == "__main__":
    print(page(), end="")
