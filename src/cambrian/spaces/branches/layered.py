"""What spaces share whose layers read earlier ones: `layer{n}/...` are the questions of layer n, one of
them which layers it reads. Growth and tokens come from their `pick.depth`; layers put in, taken out and
doubled are edits of a list in which numbers of layers change.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from cambrian.architecture import Architecture, replay
from cambrian.choices import Answer
from cambrian.errors import Rejected
from cambrian.spaces.growth.depth_growth import DepthGrowth

if TYPE_CHECKING:
    import numpy as np

Layer = dict[str, Answer]
DEPTH = "layers"
MOST = 30  # layers: papers have up to 15, and a layer may read all earlier ones
TRIES = 20  # draws of a new layer's answers before an edit counts as impossible


class Layered(DepthGrowth):
    """Asks `pick.depth("layers", ...)`; `reads` names the question whose answer are numbers of layers.
    Where `chained`, each layer reads the one before it, too."""

    reads: ClassVar[str] = "reads"
    chained: ClassVar[bool] = False

    @abstractmethod
    def readable(self, layer: int) -> range:
        """The outputs that layer `layer` (from 1) may choose to read; 0 is what lies before the first."""

    def move(self, kind: str, architecture: Architecture, rng: np.random.Generator) -> Architecture | None:
        """A layer inserted, deleted or duplicated. A new layer's answers are drawn; who read a deleted
        one reads what that read; a duplicate reads what its original does."""
        layers = split(architecture)
        after = len(layers) - 1 if kind == "delete" else len(layers) + 1
        if after not in self.levels:
            return None
        at = int(rng.integers(len(layers) + (kind == "insert")))
        return self.edited(architecture, self._edit(kind, at, layers), rng)

    def edited(
        self, architecture: Mapping[str, Answer], layers: Sequence[Layer], rng: np.random.Generator
    ) -> Architecture | None:
        """`architecture` with these layers; what they leave open or is illegal is drawn. None where the
        space rejects it."""
        rest = {path: a for path, a in architecture.items() if not path.startswith("layer")}
        for _ in range(TRIES):
            try:
                return replay(self, {**rest, **together(layers)}, lambda choice: choice.draw(rng))
            except Rejected:
                continue
        return None

    def _edit(self, kind: str, at: int, layers: Sequence[Layer]) -> list[Layer]:
        """The layers after the edit of the one at index `at`."""
        here = layers[at : at + 1]
        new: dict[str, list[Layer]] = {"insert": [{}, *here], "delete": [], "duplicate": [*here, *here]}
        edited = [*layers[:at], *new[kind], *layers[at + 1 :]]
        grown = len(edited) - len(layers)
        instead = [*numbers(here[0], self.reads), *([at] * self.chained)] if kind == "delete" else []
        start = at + (kind != "delete")  # layers from this index on are those whose sources have moved
        return [
            self._renumber(layer, n + 1, at + (kind != "insert"), grown, instead) if n >= start else layer
            for n, layer in enumerate(edited)
        ]

    def _renumber(self, layer: Layer, number: int, changed: int, grown: int, instead: Sequence[int]) -> Layer:
        """Sources after `changed` are called `grown` more; `changed` itself where it is gone, `instead`."""
        found: set[int] = set()
        for source in numbers(layer, self.reads):
            if source == changed and grown < 0:
                found.update(instead)
            else:
                found.add(source + grown if source > changed else source)
        kept = tuple(sorted(found & set(self.readable(number))))
        return {**layer, self.reads: kept} if layer else layer


def split(architecture: Mapping[str, Answer]) -> list[Layer]:
    """The answers of each layer under their names within it."""
    layers: list[Layer] = [{} for _ in range(int(architecture[DEPTH]))]  # type: ignore[arg-type]
    for path, answer in architecture.items():
        found = re.fullmatch(r"layer(\d+)/(.+)", path)
        if found:
            layers[int(found[1]) - 1][found[2]] = answer
    return layers


def together(layers: Sequence[Layer]) -> dict[str, Answer]:
    """The inverse of `split`."""
    found: dict[str, Answer] = {DEPTH: len(layers)}
    for n, layer in enumerate(layers, 1):
        found |= {f"layer{n}/{name}": answer for name, answer in layer.items()}
    return found


def number(layer: Layer, name: str, otherwise: int = 0) -> int:
    """The whole number a layer answers, or `otherwise` where it was not asked."""
    return int(layer.get(name, otherwise))  # type: ignore[arg-type]


def numbers(layer: Layer, name: str) -> list[int]:
    """The whole numbers a layer chose, none where it was not asked."""
    return [int(n) for n in layer.get(name, ())]  # type: ignore[union-attr]
