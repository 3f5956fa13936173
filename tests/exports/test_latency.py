"""The latency that is printed at the end of a run: the run's own measurements, else that of the measure."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from cambrian.architecture import Architecture
from cambrian.exports.latency import AGAIN, list_latencies
from cambrian.networks.measure.latency import Latency as Measure
from cambrian.outcome import Done, Fidelity, Trial
from cambrian.testing import toy_task

PROTOCOL = Measure().protocol("cpu")


class Counting(nn.Module):
    """Notes the threads that torch has, the images and the mode of each forward."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, int, bool]] = []

    def __deepcopy__(self, memo: Any) -> Counting:
        return self  # it is measured on a copy, which is to note what it sees here

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append((torch.get_num_threads(), len(x), self.training))
        return x


def trial(
    number: int, metrics: dict[str, float], filters: int = 8, answer: int = 1, kind: str = "trial"
) -> Trial:
    fidelity = Fidelity(1, skeleton={"filters": filters})
    return Trial(number, Architecture({"a": answer}), fidelity, kind, outcome=Done(0.5, metrics))


def run_of(*trials: Trial, winner: dict[str, float], seconds: float | None = None, spent: float = 0.0) -> Any:
    """A run with these trials, whose winner has these metrics, and its network."""
    last, network = trial(0, winner, kind="final"), Counting()
    budget = None if seconds is None else {"seconds": seconds}
    facts = {"device": "cpu", "budget": budget, "clock": {"seconds": spent, "at": 0.0}}
    return SimpleNamespace(
        trials=list(trials),
        finals=[last],
        winner=last,
        task=toy_task(),
        facts=facts,
        rows=[],
        events=[],
        directory=None,
        network=network,
        model=lambda: SimpleNamespace(network=network),
    )


def took(seconds: float, name: str = "latency") -> dict[str, float]:
    return {name: seconds, f"{name}_spread": 1e-5}


def test_the_run_s_own_measurements_are_printed() -> None:
    """The least of those of the winner's network, by which it kept a limit; networks of another size or
    architecture are others, and nothing is measured anew."""
    trials = (trial(0, took(9e-4)), trial(1, took(2e-4), filters=4), trial(2, took(1e-4), answer=2))
    run = run_of(*trials, winner=took(1.5e-3))
    (row,) = list_latencies(run)
    assert str(row) == f"latency: 900 us ({PROTOCOL}, the least of 2 measurements)"
    assert run.network.seen == []


def test_a_measure_s_settings_are_named() -> None:
    """One by two threads is no latency by one."""
    (row,) = list_latencies(run_of(winner=took(2e-3, "latency(threads=2)")))
    assert str(row).startswith("latency(threads=2): 2 ms (median of 50 forwards of 1 image on cpu, 2 threads")


def test_what_the_run_did_not_measure_is_measured_as_for_a_limit() -> None:
    """By one thread, of one image, in evaluation mode, whatever torch's threads are; a metric of a user's
    function that has the same name is another thing."""
    run = run_of(winner={"latency": 5.0})
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        (row,) = list_latencies(run)
    finally:
        torch.set_num_threads(before)
    assert set(run.network.seen) == {(1, 1, False)}
    assert 0 < row.seconds < 5.0
    assert 1 <= row.measurements <= AGAIN + 1
    assert row.protocol == PROTOCOL


@pytest.mark.parametrize(("spent", "count"), [(100.0, 1), (115.0, 1), (115.1, 0)])
def test_a_late_run_measures_nothing_more(spent: float, count: int) -> None:
    """More than a twentieth and ten seconds beyond its budget of time. What it knows is printed still."""
    assert len(list_latencies(run_of(winner={}, seconds=100.0, spent=spent))) == count
    assert len(list_latencies(run_of(winner=took(1e-3), seconds=100.0, spent=spent))) == 1
