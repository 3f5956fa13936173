"""Networks of branches are shared: one network of all answers, bit for bit each architecture's own."""

from __future__ import annotations

from typing import Any

import pytest
from shared_reading import expect_own_networks, share

from cambrian.architecture import sample
from cambrian.randomness import stream
from cambrian.spaces.branches.memory_banks.space import MemoryBanks
from cambrian.spaces.space import Space

SPACES: dict[str, tuple[Space, dict[str, Any]]] = {
    "memory-banks": (MemoryBanks(), {"filters": 3}),
    "one memory bank": (MemoryBanks(layers=3, banks=1), {"filters": 3}),
}


@pytest.mark.parametrize("name", SPACES)
def test_a_shared_network_is_each_architectures_own(name: str) -> None:
    """Twenty random architectures; nothing that a network depends on is outer."""
    space, skeleton = SPACES[name]
    assert set(share(space, sample(space, stream(4, "start", 0)), **skeleton).outer) <= {
        "train.learning_rate"
    }
    expect_own_networks(space, **skeleton)
