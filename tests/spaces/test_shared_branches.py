"""Networks of branches are shared: one network of all answers, equal to each architecture's own bit for
bit.
"""

from __future__ import annotations

from typing import Any

import pytest
from shared_reading import expect_own_networks, share

from cambrian.architecture import sample
from cambrian.randomness import stream
from cambrian.spaces.branches.anchor_points.space import AnchorPoints
from cambrian.spaces.branches.enas_macro.space import ENASMacro
from cambrian.spaces.branches.fabric.space import Fabric
from cambrian.spaces.branches.free_graph.space import FreeGraph
from cambrian.spaces.branches.memory_banks.space import MemoryBanks
from cambrian.spaces.branches.network_morphism.space import NetworkMorphism
from cambrian.spaces.space import Space
from tiers import slow_for

SPACES: dict[str, tuple[Space, dict[str, Any]]] = {
    "anchor-points": (AnchorPoints(), {"width": 0.2}),
    "anchor-points that add": (AnchorPoints(combine="sum", strides=(1, 2)), {"width": 0.2}),
    "anchor-points of either kind": (AnchorPoints(combine="either", layers=5), {"width": 0.1}),
    "enas-macro": (ENASMacro(), {"filters": 4}),
    "enas-macro of the paper": (ENASMacro.paper(), {"filters": 2}),
    "fabric": (Fabric(), {"filters": 4}),
    "sparse fabric": (Fabric(layers=3, scales=4, dense=False), {"filters": 4}),
    "free-graph": (FreeGraph(), {"width": 0.05}),
    "free-graph with a learning rate": (FreeGraph(layers=2, learning_rate=True), {"width": 0.05}),
    "network-morphism": (NetworkMorphism(), {"filters": 2}),
    "memory-banks": (MemoryBanks(), {"filters": 3}),
    "one memory bank": (MemoryBanks(layers=3, banks=1), {"filters": 3}),
}


@pytest.mark.parametrize("name", slow_for(("enas-macro of the paper",), SPACES))
def test_a_shared_network_is_each_architectures_own(name: str) -> None:
    """Twenty random architectures; nothing that a network depends on is outer."""
    space, skeleton = SPACES[name]
    assert set(share(space, sample(space, stream(4, "start", 0)), **skeleton).outer) <= {
        "train.learning_rate"
    }
    expect_own_networks(space, **skeleton)
