"""Chains are shared: one network of all their answers, equal to each architecture's own bit for bit."""

from __future__ import annotations

from typing import Any

import pytest
from shared_reading import expect_own_networks

from cambrian.spaces.chains.cgp.space import CGP
from cambrian.spaces.chains.macro.space import Macro
from cambrian.spaces.chains.metaqnn.space import MetaQNN
from cambrian.spaces.chains.tiny_chain import TinyChain
from cambrian.spaces.space import Space
from tiers import slow_for

SPACES: dict[str, tuple[Space, dict[str, Any]]] = {
    "cgp": (CGP(), {"width": 0.05}),
    "cgp of residual blocks": (CGP(columns=4, blocks="res"), {"width": 0.05}),
    "macro": (Macro(), {"filters": 4}),
    "metaqnn": (MetaQNN(), {"width": 0.02, "dropout": 0.3}),
    "metaqnn with dense layers": (MetaQNN(image=7), {"width": 0.02, "normalise": False}),
    "tiny-chain": (TinyChain(), {"filters": 3}),
    "tiny-chain of fewer filters than colours": (TinyChain(layers=4), {"filters": 1}),
}

STARTS = {"cgp": 4, "cgp of residual blocks": 4, "metaqnn": 4, "metaqnn with dense layers": 4}


@pytest.mark.parametrize("name", slow_for(("cgp of residual blocks", "metaqnn with dense layers"), SPACES))
def test_a_shared_chain_is_each_architectures_own(name: str) -> None:
    """Twenty random architectures."""
    space, skeleton = SPACES[name]
    expect_own_networks(space, starts=STARTS.get(name, 1), **skeleton)
