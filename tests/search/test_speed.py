"""The speed that plans go by."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cambrian.networks.measure.macs import macs
from cambrian.search.planning.race_plan import BASE, count_work
from cambrian.search.planning.speed import measure_speed
from cambrian.spaces import SPACES
from cambrian.testing import toy_task


def test_a_measured_step_is_a_whole_one_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with the optimiser's, which is most of the time of a network that is embeddings for the greater
    part, and begins with gradients of none."""
    gradients: list[torch.Tensor] = []
    step = torch.optim.SGD.step

    def count(self: torch.optim.SGD, closure: None = None) -> None:
        (first, *_) = self.param_groups[0]["params"]
        gradients.append(first.grad.clone())
        step(self, closure)

    monkeypatch.setattr(torch.optim.SGD, "step", count)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 4, 10))
    before = [p.clone() for p in network.parameters()]
    assert measure_speed(network, (3, 4, 4), "cpu") > 0
    assert 2 <= len(gradients) <= 4
    assert all(torch.equal(g, gradients[0]) for g in gradients)
    assert all(torch.equal(p, b) for p, b in zip(network.parameters(), before, strict=True))


def test_the_work_of_a_network_counts_what_the_optimiser_walks_through() -> None:
    """Beside the multiply-accumulates, of which a lookup of embeddings has none."""
    task, space = toy_task(images=8), SPACES.parse("stages")
    network = next(iter(space.portfolio.values()))
    built = space.build(network, task, filters=BASE)
    parameters = sum(p.numel() for p in built.parameters())
    shape = task.channels, task.height, task.width
    assert count_work(space, task, network) == macs(built, shape) + parameters
