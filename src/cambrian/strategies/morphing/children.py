"""The children of a network by random morphisms."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from cambrian.architecture import Architecture
from cambrian.outcome import Fidelity, Trial
from cambrian.problem import Problem
from cambrian.spaces.knowledge import Morphs, know
from cambrian.strategies.evolution.population import Member

if TYPE_CHECKING:
    import numpy as np

    from cambrian.spaces.space import Space

TRIES = 20
"""Draws of a child before all of them count as known."""


def morphs_of(space: Space) -> Morphs:
    """The morphisms that the space knows; a strategy that needs them is refused where it knows none."""
    morphing = know(space, Morphs)
    assert morphing is not None
    return morphing


def apply_morphs(
    morphing: Morphs, kinds: Sequence[str], architecture: Architecture, count: int, rng: np.random.Generator
) -> tuple[Architecture, list[str]]:
    """The architecture after `count` random morphisms of these kinds, each equally likely, and the kinds that
    were possible."""
    applied: list[str] = []
    for _ in range(count):
        # In random order, the first that is possible: others leave their share to it.
        for kind in rng.permutation(kinds).tolist():
            child = morphing.morph(kind, architecture, rng)
            if child is not None and child != architecture:
                architecture = child
                applied.append(kind)
                break
    return architecture, applied


def draw_child(
    morphing: Morphs,
    kinds: Sequence[str],
    parent: Architecture,
    count: int,
    taken: Collection[Architecture],
    rng: np.random.Generator,
) -> tuple[Architecture, list[str]] | None:
    """A child that is none of `taken`, and the morphisms that made it; None where no draw gives one."""
    for _ in range(TRIES):
        child, applied = apply_morphs(morphing, kinds, parent, count, rng)
        if child != parent and child not in taken:
            return child, applied
    return None


def row_of(trial: Trial) -> int:
    """The row whose artifacts are the trial's: of one that was measured before, the earlier one."""
    return trial.number if trial.cached is None else trial.cached


def rank_members(members: Iterable[Member]) -> list[Member]:
    """Those with a value, best first, earlier ones first among equals, each architecture once."""
    first: dict[Architecture, Member] = {}
    for member in sorted((m for m in members if m.value > -math.inf), key=lambda m: -m.value):
        first.setdefault(member.architecture, member)
    return list(first.values())


def lengthen(problem: Problem, epochs: int | None) -> Fidelity | None:
    """The problem's fidelity with so many epochs; None, which is the problem's own, where nobody names
    any."""
    return None if epochs is None else msgspec.structs.replace(problem.fidelity, epochs=epochs)
