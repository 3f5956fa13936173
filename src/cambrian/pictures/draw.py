"""Draw an architecture: its data-flow graph where the space knows it, else the tree of its answers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cambrian.architecture import Architecture, replay
from cambrian.errors import UsageError
from cambrian.files import stage_file
from cambrian.outcome import Trial
from cambrian.pictures import sketches as drawings
from cambrian.pictures import svg as vector
from cambrian.pictures.difference import difference_sketch, difference_text
from cambrian.pictures.family_tree import Family, Format, family_sketch, plain, steps
from cambrian.pictures.graph_parts import overview
from cambrian.pictures.picture import picture
from cambrian.pictures.shapes import Sketch
from cambrian.pictures.terminal import graph_text, printable, tree_text
from cambrian.spaces.knowledge import Graphs, know
from cambrian.spaces.space import Space

__all__ = ["Drawing", "draw", "family_tree", "network_svg", "svg", "text"]


@dataclass(frozen=True)
class Drawing:
    """A picture that a notebook shows, that `save` writes, and that is text where it is printed."""

    words: Callable[[], str]
    sketched: Callable[[], Sketch]

    def __str__(self) -> str:
        return self.words()

    __repr__ = __str__

    @cached_property
    def sketch(self) -> Sketch:
        # Laid out once, and only when a picture is asked for: text alone needs no layout.
        return self.sketched()

    def _repr_svg_(self) -> str:
        return self.svg()

    def svg(self) -> str:
        """Self-contained, legible on light and dark pages."""
        return vector.svg(self.sketch)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a file whose name ends in .svg or .png, whole or not at all."""
        target = Path(path)
        if target.suffix not in (".svg", ".png"):
            raise UsageError(f"cannot draw {target}: the file's name must end in .svg or .png")
        # Staged beside the target, so that a full disk leaves no half picture behind.
        try:
            with stage_file(target) as draft:
                self._write(draft, target.suffix)
        except OSError as error:
            raise UsageError(
                f"the picture cannot be written to {target}: {error.strerror or error}"
            ) from error
        return target

    def _write(self, draft: Path, suffix: str) -> None:
        if suffix == ".svg":
            draft.write_text(self.svg(), encoding="utf-8")
            return
        from cambrian.pictures.raster import png  # needs matplotlib, which SVG does without

        png(self.sketch, draft)


def draw(
    space: Space | str,
    architecture: Architecture | Mapping[str, Any],
    *,
    before: Architecture | Mapping[str, Any] | None = None,
    stages: Sequence[tuple[str, str]] = (),
    title: str | None = None,
) -> Drawing:
    """The architecture, which may be its answers by their paths, of that space, which may be its name; of a
    graph of very many nodes, an overview. With `before`, the changes from that to this. `stages`, rows of
    (label, detail) from input to output, are drawn beside it as the network that repeats it."""
    space = _read_space(space)
    architecture = _read_architecture(space, architecture)
    before = None if before is None else _read_architecture(space, before)
    name = title or f"architecture {architecture.key}"
    if before is not None:
        return _difference(space, before, architecture, title or f"from {before.key} to {architecture.key}")
    # Text shows the whole graph: a terminal scrolls, a picture of thousands of nodes is illegible.
    graphs = know(space, Graphs)
    if graphs is not None:
        graph = graphs.graph(architecture)
        return Drawing(
            lambda: graph_text(graph), lambda: drawings.cell(picture(overview(graph)), name, stages)
        )
    return Drawing(lambda: tree_text(architecture), lambda: drawings.tree(architecture, name))


def _read_space(space: Space | str) -> Space:
    """Raises UnknownName, UsageError for a text that names no space."""
    if not isinstance(space, str):
        return space
    from cambrian.spaces import SPACES

    named: Space = SPACES.parse(space)
    return named


def _read_architecture(space: Space, given: Architecture | Mapping[str, Any]) -> Architecture:
    """Raises IllegalArchitecture for answers that are not of the space."""
    return given if isinstance(given, Architecture) else replay(space, Architecture(given))


def _difference(space: Space, old: Architecture, new: Architecture, title: str) -> Drawing:
    return Drawing(lambda: difference_text(old, new), lambda: difference_sketch(space, old, new, title))


def family_tree(
    trials: Sequence[Trial], winner: Architecture | None = None, *, show: Format = plain
) -> Drawing:
    """Descent of the trials, and the changes on the way to the winner, without one to the best trial.
    Raises UsageError where no trial names a parent."""
    family = Family.of(trials)
    # The winner is known by its architecture: of trials that share it the best, of equals the first.
    same = [n for n, t in family.trials.items() if t.architecture == winner]
    chosen = max(same, key=lambda n: (family.score(n), -n), default=family.best())
    return Drawing(
        lambda: "\n".join(map(printable, steps(family, chosen, show))),
        lambda: family_sketch(family, chosen, f"the family of trial {chosen}", show),
    )


def svg(
    space: Space,
    architecture: Architecture,
    *,
    stages: Sequence[tuple[str, str]] = (),
    title: str | None = None,
) -> str:
    """The architecture as one self-contained SVG."""
    return draw(space, architecture, stages=stages, title=title).svg()


def network_svg(stages: Sequence[tuple[str, str]]) -> str:
    """The network as its stages from input to output: rows of (label, detail)."""
    return vector.svg(drawings.network(stages, "network"))


def text(space: Space, architecture: Architecture) -> str:
    """The architecture for a terminal, a line for every block."""
    return str(draw(space, architecture))
