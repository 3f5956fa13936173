"""Partial channels: operations see a part of them, the others pass, and all are shuffled."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import gate_cases
from cambrian.errors import Unbuildable
from cambrian.networks.sharing.mixing import Candidates, Only, PartialChannels, shuffle_channels
from cambrian.networks.sharing.switches import Fork
from cambrian.spaces.cells.darts import DARTS


def test_a_shuffle_is_undone_by_the_other_shuffle() -> None:
    """K groups, then C / K groups, give the input; one group changes nothing."""
    x = torch.arange(24.0).reshape(1, 12, 1, 2)
    assert torch.equal(shuffle_channels(shuffle_channels(x, 4), 3), x)
    assert torch.equal(shuffle_channels(x, 1), x)
    assert sorted(shuffle_channels(x, 4).flatten().tolist()) == x.flatten().tolist()


def test_the_first_channels_are_operated_on_and_the_others_pass() -> None:
    """By hand: doubled, the rest pooled where the operation halves the image; then shuffled."""
    x = torch.randn(2, 8, 4, 4)

    class Halve(nn.Module):
        def forward(self, y: torch.Tensor) -> torch.Tensor:
            return 2 * y[..., ::2, ::2]

    mixed = PartialChannels(Only(0), 4)(Candidates("op", [Halve()], [(x,)]))
    rest = nn.functional.max_pool2d(x[:, 2:], 2)
    expected = shuffle_channels(torch.cat([2 * x[:, :2, ::2, ::2], rest], 1), 4)
    assert torch.equal(mixed, expected)


def test_all_channels_are_darts_with_weights_of_edges() -> None:
    """With a share of 1 the supernet is the plain one; gates of edges are learned beside those of
    operations, and sum to 1 at each node."""
    space, skeleton = DARTS(nodes=2), {"filters": 4, "cells": 2}
    job = gate_cases.make_job("pc-darts", {"channel_share": 1}, space=space, skeleton=skeleton)
    supernet, step = gate_cases.make_step(job)
    plain, _ = gate_cases.make_step(gate_cases.make_job("darts", space=space, skeleton=skeleton))
    shapes = [list(map(tuple, (p.shape for p in s.parameters()))) for s in (supernet, plain)]
    assert shapes[0] == shapes[1]
    gate_cases.take(step)
    gates = step.gates()
    assert {name: len(gate) for name, gate in gates.items() if name.endswith("inputs")} == {
        f"{kind}/node{n}/inputs": n + 1 for kind in ("normal", "reduction") for n in (1, 2)
    }
    assert all(sum(gate) == pytest.approx(1) for gate in gates.values())


def test_a_quarter_of_the_channels_has_smaller_operations() -> None:
    """Which run as any architecture as well, so that children can be scored."""
    job = gate_cases.make_job("pc-darts", {"channel_share": 4})
    supernet, step = gate_cases.make_step(job)
    convolutions = [
        m for f in supernet.modules() if isinstance(f, Fork) for m in f.modules() if isinstance(m, nn.Conv2d)
    ]
    assert {m.in_channels for m in convolutions} == {1, 2, 4}  # of 4, 8 and 16
    assert torch.isfinite(gate_cases.take(step))
    supernet.choose(job.request.outer)
    assert supernet(torch.randn(2, 2, 8, 8)).shape == (2, 3)


def test_a_share_that_does_not_divide_is_refused_in_a_sentence() -> None:
    job = gate_cases.make_job("pc-darts", {"channel_share": 3})
    with pytest.raises(Unbuildable, match="1/3 of 4 channels is not a whole number: choose a number of"):
        gate_cases.make_step(job)
