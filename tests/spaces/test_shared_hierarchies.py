"""Stacks of cells are shared: one network of all answers, equal to each architecture's own bit for bit."""

from __future__ import annotations

from typing import Any

import pytest
from shared_reading import expect_own_networks, share

from cambrian.architecture import sample
from cambrian.randomness import stream
from cambrian.spaces.hierarchies.stacked.space import Stacked
from cambrian.spaces.space import Space

SPACES: dict[str, tuple[Space, dict[str, Any]]] = {
    "stacked": (Stacked(stages=2), {"filters": 2}),
    "stacked cells of PNAS": (Stacked(stages=2, cell="pnas", blocks=2), {"filters": 2}),
}


@pytest.mark.parametrize("name", SPACES)
def test_a_shared_stack_is_each_architectures_own(name: str) -> None:
    """Twenty random architectures, of two ways to stack."""
    space, skeleton = SPACES[name]
    expect_own_networks(space, starts=2, **skeleton)


@pytest.mark.parametrize("name", SPACES)
def test_stacking_is_outer(name: str) -> None:
    """How many stages there are, how wide, and at which image; the cell is not."""
    space, skeleton = SPACES[name]
    outer = share(space, sample(space, stream(4, "start", 1)), **skeleton).outer
    assert outer.keys() >= {"stages", "stage1/widen", "stage1/halve"}
    assert not any(path.startswith("cell/") for path in outer)
