"""Hierarchies are shared: one network of their answers, equal to each architecture's own bit for bit."""

from __future__ import annotations

from typing import Any

import pytest
from shared_reading import expect_own_networks, share

from cambrian.architecture import sample
from cambrian.networks.sharing.switches import Fork
from cambrian.randomness import stream
from cambrian.spaces.hierarchies.hierarchical.space import Hierarchical
from cambrian.spaces.hierarchies.stacked.space import Stacked
from cambrian.spaces.hierarchies.tree_cells.space import TreeCells
from cambrian.spaces.space import Space
from tiers import slow_for

SPACES: dict[str, tuple[Space, int, dict[str, Any]]] = {
    "motifs": (Hierarchical(motifs=(2,), nodes=(3, 3)), 20, {"filters": 4}),
    "two cells a stage": (Hierarchical(motifs=(2,), nodes=(3, 3)), 6, {"filters": 2, "cells": 2}),
    "motifs of motifs": (Hierarchical(motifs=(2, 2), nodes=(2, 3, 3)), 6, {"filters": 4}),
    "flat": (Hierarchical(motifs=(), nodes=(4,)), 20, {"filters": 4}),
    "trees": (TreeCells(), 8, {"filters": 4}),
    "stacked nasbench201": (Stacked(), 20, {"filters": 4}),
    "stacked pnas": (Stacked(cell="pnas", blocks=2), 20, {"filters": 4}),
}


@pytest.mark.parametrize(
    "name",
    slow_for(
        ("stacked pnas", "motifs of motifs", "two cells a stage", "trees", "stacked nasbench201"), SPACES
    ),
)
def test_a_shared_hierarchy_is_each_architectures_own(name: str) -> None:
    """Random architectures; of stackings under several widths and halvings, which are outer."""
    space, count, skeleton = SPACES[name]
    expect_own_networks(space, count, starts=4 if isinstance(space, Stacked | TreeCells) else 1, **skeleton)


def test_the_second_state_back_may_be_a_cell_or_the_stem() -> None:
    """Where nothing lies between two stages, the second one's first cell reads the output of the first
    stage's last cell but one, or, where that has one cell, the stem's: it has weights for both."""
    space = Stacked(stages=2, cells=2, cell="pnas", blocks=1)
    start = sample(space, stream(0, "stacked"))
    stages = {"stages": 2}
    for s in (1, 2):
        stages |= {f"stage{s}/cells": 2, f"stage{s}/widen": 1.0, f"stage{s}/halve": False}
    cell = {path: answer for path, answer in start.items() if path.startswith("cell/")}
    supernet = share(space, {**cell, **stages}, filters=2)
    fits = [m for m in supernet.modules() if isinstance(m, Fork) and m.options == (True, False)]
    assert len(fits) == 1
    assert set(supernet.outer) == {"stages", *(f"stage{s}/{q}" for s in (1, 2) for q in ("widen", "halve"))}


def test_a_motif_has_weights_for_every_edge_it_may_lie_on() -> None:
    """Of a cell of three nodes, three edges that may hold either of two motifs; with each of its own three
    edges open to the primitives."""
    space = Hierarchical(motifs=(2,), nodes=(3, 3))
    supernet = share(space, sample(space, stream(0, "motifs")), filters=2)
    forks = [m for m in supernet.modules() if isinstance(m, Fork)]
    motifs = [fork for fork in forks if fork.options == ("motif1", "motif2")]
    primitives = [fork for fork in forks if fork.options == space.primitives]
    assert (len(motifs), len(primitives)) == (3 * 3, 3 * 3 * 2 * 3)
