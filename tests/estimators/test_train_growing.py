"""Growing images under a deadline: by a clock that a step moves on by what its images cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cambrian.estimators.train import Train
from cambrian.networks.training.step import HeadsLoss, Moment
from cambrian.outcome import Done, Fidelity
from small_training import bars, estimated

GROWING = Train(batch_size=10, first_resolution=0.5, full_from=0.75, warmup=0.1, crop=0)
COSTS: dict[str, Callable[[int], float]] = {
    "pixels": lambda side: (side / 16) ** 2,
    "half of it fixed": lambda side: 0.5 + 0.5 * (side / 16) ** 2,
    "more than pixels": lambda side: (side / 16) ** 3,
}


class Clocks:
    """Both clocks stand at the sum of the steps' costs; the side and the share of each step are noted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cost: Callable[[int], float]) -> None:
        self.now, self.sides, self.shares = 0.0, [], []
        loss, clocks = HeadsLoss.__call__, self

        def ticking(
            self: HeadsLoss, network: nn.Module, inputs: Tensor, targets: Tensor, moment: Moment
        ) -> Tensor:
            clocks.now += cost(inputs.shape[-1])
            clocks.sides.append(inputs.shape[-1])
            clocks.shares.append(moment.done / moment.length)
            return loss(self, network, inputs, targets, moment)

        monkeypatch.setattr(HeadsLoss, "__call__", ticking)
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "process_time", lambda: self.now * torch.get_num_threads())


@pytest.mark.parametrize(
    ("bound", "kind"),
    [
        ("deadline", "half of it fixed"),
        *(pytest.param("deadline", k, marks=pytest.mark.slow) for k in COSTS if k != "half of it fixed"),
        *(pytest.param("seconds", k, marks=pytest.mark.slow) for k in COSTS),
    ],
)
def test_the_time_is_kept_and_full_size_is_reached(
    kind: str, bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a million epochs as much is trained as fits into 300 full steps' time, to a few per cent, also where
    the cost is not that of the pixels; about the last tenth of the steps, a quarter of the time, is of full
    images, exactly so where the cost is as assumed; the schedule comes to its end, and never falls back by a
    fifth."""
    clocks = Clocks(monkeypatch, COSTS[kind])
    timed: dict[str, Any] = {"deadline": 300.0, "shorten": True}
    fidelity = Fidelity(10**6)
    if bound == "seconds":
        timed, fidelity = {}, Fidelity(10**6, seconds=300.0)
    _, outcome = estimated(GROWING, bars(80, 16), fidelity, **timed)
    assert isinstance(outcome, Done)
    assert 0.96 * 300 <= clocks.now <= 1.01 * 300
    assert clocks.sides[0] == 8
    assert clocks.sides == sorted(clocks.sides)
    full = sum(side == 16 for side in clocks.sides) / len(clocks.sides)
    share = 0.25 / (1.5 + 2 / 3 + 0.25)
    assert full == pytest.approx(share, abs=0.01 if kind == "pixels" else 0.05)
    assert clocks.shares[-1] > 0.98
    early = clocks.shares[5:]
    assert all(share > 0.8 * max(early[: k + 1]) for k, share in enumerate(early))


def test_a_training_of_its_epochs_has_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all epochs fit, none is left out."""
    clocks = Clocks(monkeypatch, COSTS["pixels"])
    _, outcome = estimated(GROWING, bars(80, 16), Fidelity(10), deadline=300.0, shorten=True)
    assert isinstance(outcome, Done)
    assert len(clocks.sides) == 40
    assert "planned_epochs" not in outcome.metrics
