"""The challengers of a race's leader: networks one step away from it, which begin with its weights."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import TYPE_CHECKING

import msgspec

from cambrian.architecture import Architecture
from cambrian.neighbourhood import neighbours
from cambrian.spaces.knowledge import Morphs, know, name_function
from cambrian.strategies.morphing.children import TRIES, apply_morphs
from cambrian.weights import MORPHISM

if TYPE_CHECKING:
    import numpy as np

    from cambrian.spaces.space import Space


class Challenger(msgspec.Struct, frozen=True):
    """A network beside the leader. `move` is the one by which it takes the leader's weights, and `step` the
    kind of its difference."""

    architecture: Architecture
    move: str
    step: str


def draw_challengers(
    space: Space,
    leader: Architecture,
    count: int,
    known: Callable[[Hashable], bool],
    rng: np.random.Generator,
    morphs: bool,
) -> list[Challenger]:
    """At most `count` challengers of different functions, none of which is `known`. With `morphs`, network
    morphisms come first, after which a child is as good as the leader before its first step; neighbours, one
    answer away, where the space knows none or has no more."""
    drawn: dict[Hashable, Challenger] = {}
    kinds = [_list_neighbours(space, leader, rng)]
    if morphs and know(space, Morphs) is not None:
        kinds.insert(0, _list_children(space, leader, rng))
    for challenger in (each for kind in kinds for each in kind):
        if len(drawn) == count:
            break
        function = name_function(space, challenger.architecture)
        if not known(function):
            drawn.setdefault(function, challenger)
    return list(drawn.values())


def _list_children(space: Space, leader: Architecture, rng: np.random.Generator) -> Iterator[Challenger]:
    """Children of one morphism each: two at once would not say which of them helped."""
    morphing = know(space, Morphs)
    assert morphing is not None
    for _ in range(TRIES):
        child, applied = apply_morphs(morphing, morphing.morphs, leader, 1, rng)
        if applied:
            yield Challenger(child, MORPHISM, applied[0])


def _list_neighbours(space: Space, leader: Architecture, rng: np.random.Generator) -> Iterator[Challenger]:
    near = neighbours(space, leader, rng)
    for place in rng.permutation(len(near)).tolist():
        yield Challenger(near[place], "", "neighbour")
