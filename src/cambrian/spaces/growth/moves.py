"""Insert, delete and duplicate layers by moving answers from one layer's questions to the next's; answers
that belong to no layer stay as they are (see `DepthMap.layers`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cambrian.architecture import Architecture, Walkable, replay
from cambrian.choices import Answer
from cambrian.errors import Rejected
from cambrian.spaces.growth.layer_map import DepthMap

if TYPE_CHECKING:
    import numpy as np

MOVES = ("insert", "delete", "duplicate")
TRIES = 20  # draws of a new layer's answers before an edit counts as impossible


def move_layer(
    space: Walkable, layer_map: DepthMap, kind: str, architecture: Architecture, rng: np.random.Generator
) -> Architecture | None:
    """`architecture` with a random layer inserted, deleted or duplicated; None where the depth does not
    allow it. A new layer's answers are drawn at random, and so are those illegal in their new place."""
    depth = int(architecture[layer_map.depth])  # type: ignore[arg-type]
    after = depth - 1 if kind == "delete" else depth + 1
    if after not in layer_map.levels or (depth == 0 and kind != "insert"):
        return None
    at = int(rng.integers(depth + 1 if kind == "insert" else depth))
    wanted = {**_shift(layer_map, kind, at, architecture), layer_map.depth: after}
    for _ in range(TRIES):
        try:
            return replay(space, wanted, lambda choice: choice.draw(rng))
        except Rejected:
            continue
    return None


def _shift(layer_map: DepthMap, kind: str, at: int, architecture: Architecture) -> dict[str, Answer]:
    """The answers under the paths they have after the edit at layer `at`, counted from 0."""
    places = layer_map.layers
    shifted: dict[str, Answer] = {}
    for path, answer in architecture.items():
        if path not in places:
            shifted[path] = answer
            continue
        name, layer, nth = places[path]
        for new in _landing(kind, at, layer):
            # Without a path at the new place the old one stays; `replay` draws illegal answers anew.
            shifted[layer_map.paths.get((name, new, nth), path)] = answer
    return shifted


def _landing(kind: str, at: int, layer: int) -> tuple[int, ...]:
    """Where a layer lies after the edit: nowhere, in one place, or in two."""
    if layer < at:
        return (layer,)
    if kind == "delete":
        return () if layer == at else (layer - 1,)
    return (layer, layer + 1) if kind == "duplicate" and layer == at else (layer + 1,)
