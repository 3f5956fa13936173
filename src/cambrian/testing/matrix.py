"""The table of all pairs, as `docs/matrix.md` shows it: `python -m cambrian.testing.matrix > docs/matrix.md`.

It comes from the declarations of the components, by asking for each pair's search; that pairs work is for
`PAIR` to show.
"""

from __future__ import annotations

from typing import Any

from cambrian.architecture import questions, sample
from cambrian.outcome import Fidelity
from cambrian.paths import kind_of
from cambrian.randomness import stream
from cambrian.search.parts.compatibility import trains_supernets
from cambrian.spaces import SPACES
from cambrian.spaces.knowledge import Canonical, Encodes, Graphs, Grows, Morphs, Moves, know
from cambrian.spaces.sharing import is_shared
from cambrian.spaces.space import Space
from cambrian.strategies import STRATEGIES
from cambrian.testing.markdown import write_table
from cambrian.testing.pairs import PairCase, refusal
from cambrian.weights import Inherit

KNOWLEDGE: dict[str, type] = {
    "grows": Grows,
    "tokens": Encodes,
    "graph": Graphs,
    "canonical": Canonical,
    "moves": Moves,
    "morphisms": Morphs,
}

HEAD = """# What works with what

Made by `python -m cambrian.testing.matrix > docs/matrix.md`; a test holds it to be current. A pair that is
refused is refused before anything runs, in the sentence of its note. A pair that works has been tried so: a
search of twenty trials, killed in the midst of one (`kill -9`) and resumed, leaves the ledger of a search
nobody disturbed. `make test` tries a part of the pairs with an estimator that costs nothing, `make evidence`
all of them, and all of them once more with real training.

A component of yours is tried in the same way: `cambrian.testing.PairSuite`.
"""


SHARING = """## Shared weights

One network, a supernet, holds all answers to the *shared* questions of a space; it is made for one answer to
each *outer* one. For every architecture it is, bit for bit, the network of that architecture with the same
weights: `pytest tests/spaces -k shared`. In paths # is a number.
"""


def page() -> str:
    """The whole document, in Markdown."""
    parts = [HEAD, "## Spaces and strategies", "", _pairs(), "", "## Spaces", "", _knowledge(), "", SHARING]
    return "\n".join([*parts, _sharing(), ""])


def _pairs() -> str:
    notes: dict[str, int] = {}  # number by sentence: pairs refused for one reason share a note

    def cell(space: str, strategy: str) -> str:
        estimator = _choose_estimator(STRATEGIES.make(strategy))
        why = refusal(PairCase(space, strategy, estimator, fidelity=Fidelity(9)))
        if why is None:
            return "works"
        # Without their names a sentence serves all pairs that are refused for this reason.
        # Registered names in their places alone: `darts` is a space and a strategy, and is advised as well.
        why = why.replace(f" {space} is not", " this space is not")
        why = why.replace(f" question of {space} has", " question of this space has")
        why = f"the strategy {why.removeprefix(f'{strategy} ')}" if why.startswith(f"{strategy} ") else why
        return f"refused [{notes.setdefault(why, len(notes) + 1)}]"

    strategies = STRATEGIES.names()
    rows = [[f"`{space}`", *(cell(space, s) for s in strategies)] for space in SPACES.names()]
    sentences = [f"[{number}] {why}" for why, number in notes.items()]
    return "\n\n".join([write_table(["", *(f"`{s}`" for s in strategies)], rows), *sentences])


def _choose_estimator(strategy: Any) -> Any:
    """One that serves the strategy's requests."""
    if trains_supernets(strategy):
        return "one-shot"
    return "train" if Inherit in getattr(strategy, "requests", ()) else _nothing()


def _nothing() -> Any:
    """Any estimator that does not build and takes a fidelity: it is never run."""
    return {"name": "function", "arguments": {"function": "operator:add", "builds": False}}


def _knowledge() -> str:
    """The knowledge of each space, and how it is sampled."""
    rows = []
    for name in SPACES.names():
        space: Space = SPACES.make(name)
        known = ["" if know(space, kind) is None else "yes" for kind in KNOWLEDGE.values()]
        rows.append([f"`{name}`", *known, space.measure])
    return write_table(["", *KNOWLEDGE, "sampling"], rows)


def _sharing() -> str:
    """Of each space, which questions are shared and which are outer."""
    rows = [[f"`{name}`", *map(_list_kinds, sort_questions(SPACES.make(name)))] for name in SPACES.names()]
    return write_table(["", "shared", "outer"], rows)


def sort_questions(space: Space, walks: int = 100) -> tuple[list[str], list[str]]:
    """The kinds of questions of some samples, the shared ones and the outer ones."""
    kinds: dict[str, bool] = {}
    for n in range(walks):
        for choice in questions(space, sample(space, stream(0, "sharing", n))):
            kinds.setdefault(kind_of(choice.parts or (choice.path,)), is_shared(space, choice))
    return [kind for kind in kinds if kinds[kind]], [kind for kind in kinds if not kinds[kind]]


def _list_kinds(kinds: list[str]) -> str:
    return ", ".join(f"`{kind}`" for kind in kinds)


if __name__ == "__main__":
    print(page(), end="")
