"""Insert, delete and duplicate layers where a question names the layers that a layer reads: edits of a list
in which layers change their numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cambrian.architecture import Architecture, replay
from cambrian.choices import Answer
from cambrian.errors import Rejected
from cambrian.spaces.branches.layered import Layer, numbers, split, together
from cambrian.spaces.growth.moves import MOVES, TRIES
from cambrian.spaces.knowledge import Grows
from cambrian.spaces.space import Space

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class LayerMoves:
    """`Moves` of a space that asks `pick.depth("layers", ...)`. `reads` names the question whose answer are
    numbers of layers; `readable(n)` are the outputs that layer n (from 1) may choose to read, 0 being
    before the first. Where `chained`, each layer reads the one before it, too."""

    space: Space
    readable: Callable[[int], range]
    reads: str = "reads"
    chained: bool = False

    @property
    def moves(self) -> tuple[str, ...]:
        return MOVES

    def move(self, kind: str, architecture: Architecture, rng: np.random.Generator) -> Architecture | None:
        """A layer inserted, deleted or duplicated. A new layer's answers are drawn; the readers of a
        deleted one read its sources; a duplicate reads those of its original."""
        layers = split(architecture)
        after = len(layers) - 1 if kind == "delete" else len(layers) + 1
        grows = self.space.know(Grows)
        if grows is None or after not in grows.levels:
            return None
        at = int(rng.integers(len(layers) + (kind == "insert")))
        return self.replay_layers(architecture, self.edit_layers(kind, at, layers), rng)

    def replay_layers(
        self, architecture: Mapping[str, Answer], layers: Sequence[Layer], rng: np.random.Generator
    ) -> Architecture | None:
        """`architecture` with these layers; answers that they leave open, or illegal ones, are drawn. None
        where the space rejects it."""
        # Questions outside of layers, such as a learning rate, keep their answers.
        own = together(split(architecture))
        rest = {path: answer for path, answer in architecture.items() if path not in own}
        for _ in range(TRIES):
            try:
                return replay(self.space, {**rest, **together(layers)}, lambda choice: choice.draw(rng))
            except Rejected:
                continue
        return None

    def edit_layers(self, kind: str, at: int, layers: Sequence[Layer]) -> list[Layer]:
        """The layers after the edit of the one at index `at`."""
        old = layers[at : at + 1]
        new: dict[str, list[Layer]] = {"insert": [{}, *old], "delete": [], "duplicate": [*old, *old]}
        edited = [*layers[:at], *new[kind], *layers[at + 1 :]]
        grown = len(edited) - len(layers)
        # In a chain the layer before the deleted one becomes a source, too.
        instead = [*numbers(old[0], self.reads), *([at] * self.chained)] if kind == "delete" else []
        start = at + (kind != "delete")  # layers from this index on are those whose sources have moved
        return [
            self._renumber(layer, n + 1, at + (kind != "insert"), grown, instead) if n >= start else layer
            for n, layer in enumerate(edited)
        ]

    def _renumber(self, layer: Layer, number: int, changed: int, grown: int, instead: Sequence[int]) -> Layer:
        """Add `grown` to sources after `changed`; replace `changed` by `instead` where it is deleted."""
        sources: set[int] = set()
        for source in numbers(layer, self.reads):
            if source == changed and grown < 0:
                sources.update(instead)
            else:
                sources.add(source + grown if source > changed else source)
        # A chained layer reads the one before it anyway: that source is not in its question.
        kept = tuple(sorted(sources & set(self.readable(number))))
        return {**layer, self.reads: kept} if layer else layer
