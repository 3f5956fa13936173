"""The places of an architecture where a morphism of one kind can be made, and the children that it gives
there.

A space's morphisms are random edits (`Morphs`). Drawn until nothing new comes, they are a list, from which a
controller chooses.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cambrian.architecture import Architecture, replay
from cambrian.choices import Answer
from cambrian.errors import Rejected
from cambrian.randomness import stream
from cambrian.spaces.knowledge import Morphs

if TYPE_CHECKING:
    import numpy as np

    from cambrian.spaces.space import Space

PATIENCE, MOST = 25, 300
"""Draws in a row without anything new that end a list, and draws of a list."""


@dataclass(frozen=True)
class Site:
    """A place of an architecture: `token` is the index of the question there, `name` the place as text, and
    `children` are those that the morphism gives there, by the answers that are new."""

    token: int
    name: str
    children: Mapping[str, Architecture]


def list_sites(morphing: Morphs, kind: str, parent: Architecture) -> list[Site]:
    """The sites of morphisms of that kind, in the order of the parent's questions. Deterministic."""
    rng = stream(0, "sites", kind, parent.key)
    children: dict[Architecture, None] = {}
    dry = 0
    for _ in range(MOST):
        child = morphing.morph(kind, parent, rng)
        # None is said of the architecture, not of the draw: there are no others.
        if child is None or dry >= PATIENCE:
            break
        dry = dry + 1 if child in children or child == parent else 0
        if child != parent:
            children.setdefault(child)
    return _sort_by_place(parent, children)


def _sort_by_place(parent: Architecture, children: Iterable[Architecture]) -> list[Site]:
    order = {path: n for n, path in enumerate(parent)}
    places: dict[str, dict[str, Architecture]] = defaultdict(dict)
    for child in children:
        name, variant = _name_edit(parent, child)
        places[name].setdefault(variant, child)
    sites = [
        Site(_find_token(name, order), name, dict(sorted(variants.items())))
        for name, variants in places.items()
    ]
    return sorted(sites, key=lambda site: (site.token, site.name))


def _name_edit(parent: Architecture, child: Architecture) -> tuple[str, str]:
    """The place of the edit, and its new answers as text. One answer that is another names a place alone; of
    a layer put in, the place is the layer's, and its answers are all of those."""
    changed = [path for path in child if child[path] != parent.get(path)]
    shared = [path for path in changed if path in parent]
    if len(changed) == 1:
        return changed[0], str(child[changed[0]])
    # The first change may be that of the depth, which every layer that is put in makes.
    inner = [path for path in changed if "/" in path] or changed
    if len(shared) == len(changed) == len(inner):
        return inner[0], "; ".join(f"{path} {child[path]}" for path in inner)
    place = inner[0].rsplit("/", 1)[0]
    answers = [f"{path.rsplit('/', 1)[-1]} {child[path]}" for path in child if path.startswith(f"{place}/")]
    return place, "; ".join(answers)


def _find_token(name: str, order: Mapping[str, int]) -> int:
    """The index of the question at that place, or of the first one within it; the last one beyond the end."""
    return order.get(name, next((n for p, n in order.items() if p.startswith(f"{name}/")), len(order) - 1))


def apply_edits(
    space: Space, parent: Architecture, children: Iterable[Architecture], rng: np.random.Generator
) -> Architecture:
    """The parent with the edits of all `children` at once; one that does not go with those before it is left
    out."""
    edited = parent
    for child in children:
        edits = {path: answer for path, answer in child.items() if answer != parent.get(path)}
        try:
            edited = replay(space, {**edited, **edits}, lambda choice: choice.draw(rng))
        except Rejected:
            continue
    return edited


def read_tokens(architecture: Architecture) -> tuple[str, ...]:
    """The architecture as a sequence of tokens, one for each question; questions that differ in their numbers
    alone have the same ones.

    >>> read_tokens(Architecture({"layers": 2, "layer1/width": 8, "layer2/width": 8}))
    ('layers 2', 'layer#/width 8', 'layer#/width 8')
    """
    kinds = (re.sub(r"\d+", "#", path) for path in architecture)
    return tuple(f"{kind} {_shorten(a)}" for kind, a in zip(kinds, architecture.values(), strict=True))


def _shorten(answer: Answer) -> str:
    # Of real numbers no two are alike: their first digit is what a controller can learn of.
    return f"{answer:.1g}" if isinstance(answer, float) else str(answer)
