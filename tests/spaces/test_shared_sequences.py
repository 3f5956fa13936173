"""Recurrent cells and transformers are shared: one network of all answers, equal to each architecture's
own bit for bit.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from shared_reading import INPUTS, expect_own_networks, share

from cambrian.architecture import sample
from cambrian.randomness import stream
from cambrian.spaces.sequences.autoformer.space import AutoFormer
from cambrian.spaces.sequences.recurrent.darts_rnn import DARTSRNN
from cambrian.spaces.sequences.recurrent.nascell import NASCell
from cambrian.spaces.space import Space

SPACES: dict[str, tuple[Space, dict[str, Any]]] = {
    "darts-rnn": (DARTSRNN(), {"hidden": 6, "layers": 2}),
    "enas-rnn": (DARTSRNN.enas(), {"hidden": 6}),
    "nascell": (NASCell(), {"hidden": 6, "layers": 2}),
    "autoformer": (AutoFormer(), {}),
    "autoformer of absolute positions": (
        AutoFormer((24, 32), (1, 2, 3), (0.5, 2.0), (1, 3), 8),
        {"relative": False},
    ),
}


@pytest.mark.parametrize("name", SPACES)
def test_a_shared_sequence_is_each_architectures_own(name: str) -> None:
    """Twenty random architectures; nothing is outer."""
    space, skeleton = SPACES[name]
    assert share(space, sample(space, stream(4, "start", 0)), **skeleton).outer == {}
    expect_own_networks(space, **skeleton)


def test_heads_are_whole() -> None:
    """A network of fewer heads has the first heads' queries, keys and values: the largest one whose
    other heads are cut off computes the same."""
    space = AutoFormer((32,), (2, 4), (2.0,), (2, 2), 8)
    supernet = share(space, space.architecture(32, [(4, 2.0)] * 2))
    supernet.choose(space.architecture(32, [(2, 2.0)] * 2))
    fewer = supernet.eval()(INPUTS)
    weights = supernet.network.state_dict()
    for n in range(2):
        weights[f"full.layers.{n}.attention.projection.weight"][:, 16:] = 0
    supernet.choose(space.architecture(32, [(4, 2.0)] * 2))
    torch.testing.assert_close(supernet(INPUTS), fewer)
