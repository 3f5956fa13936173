"""Path-level transformations (Cai et al., ICML 2018, Sec. 3.1-3.2): a leaf becomes a motif of identities,
which are its copies or the halves of its channels; an identity becomes a layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cambrian.architecture import Architecture, questions, replay
from cambrian.choices import Answer, Choice, OneOf
from cambrian.spaces.hierarchies.tree_cells.trees import IDENTITY, LEAF, POOLS

if TYPE_CHECKING:
    import numpy as np

    from cambrian.spaces.space import Space

BRANCH, LAYER = "branch", "deepen"
SHRINKS = {"cut": BRANCH, "shallow": LAYER}
FIRST = {"merge": LEAF, "operation": IDENTITY}
"""The answers that do nothing."""
KINDS = {BRANCH: "merge", LAYER: "operation"}


@dataclass(frozen=True)
class TreeMorphs:
    """`Morphs` of tree cells. Poolings are not among them: none is an identity."""

    space: Space

    @property
    def morphs(self) -> tuple[str, ...]:
        return (BRANCH, LAYER)

    @property
    def shrinks(self) -> tuple[str, ...]:
        return tuple(SHRINKS)

    def morph(self, kind: str, architecture: Architecture, rng: np.random.Generator) -> Architecture | None:
        """A random edit of that kind; None where there is none."""
        shrinks = kind in SHRINKS
        question = KINDS[SHRINKS.get(kind, kind)]
        edits = list(_list_edits(self.space, question, architecture, shrinks))
        if not edits:
            return None
        edit = edits[int(rng.integers(len(edits)))]
        # What an edit opens does nothing at first: identities, and leaves.
        return replay(self.space, {**architecture, **edit}, lambda choice: FIRST[_name(choice)])


def _list_edits(
    space: Space, question: str, architecture: Architecture, shrinks: bool
) -> Iterator[dict[str, Answer]]:
    nothing = FIRST[question]
    for choice in questions(space, architecture):
        if _name(choice) != question or not isinstance(choice, OneOf):
            continue
        if shrinks and architecture[choice.path] != nothing:
            yield {choice.path: nothing}
        if not shrinks and architecture[choice.path] == nothing:
            for option in choice.options:
                if option != nothing and option not in POOLS:
                    yield {choice.path: option}


def _name(choice: Choice) -> str:
    return choice.path.rsplit("/", 1)[-1]
