"""Thousands of trials in one process leave nothing behind but their rows."""

from __future__ import annotations

import os
import resource

import pytest

import cambrian
from cambrian.estimators.function import Function
from cambrian.outcome import Trial
from cambrian.search.loop.watch import Watch

TRIALS = 5000


def score(architecture, fidelity):
    return len(architecture) / 100


class Gauge(Watch):
    """Open files and the largest memory after each trial."""

    def __init__(self) -> None:
        self.files: list[int] = []
        self.memory: list[int] = []

    def on_end(self, trial: Trial) -> None:
        self.files.append(len(os.listdir("/proc/self/fd")))
        self.memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


@pytest.mark.slow
def test_five_thousand_trials_leak_nothing(tmp_path):
    """Open files stay as they are, the ledger has at most 2 kB a trial, and memory grows by the trials alone,
    which the search keeps: at most 40 MB after the first 500."""
    gauge = Gauge()
    search = cambrian.Search("pnas", "random", Function(score, builds=False), budget=TRIALS)
    search.run(tmp_path / "run", gauge)
    assert len(gauge.files) == TRIALS
    assert max(gauge.files) - min(gauge.files) <= 5
    assert (tmp_path / "run" / "ledger.sqlite").stat().st_size <= 2000 * TRIALS
    assert gauge.memory[-1] - gauge.memory[500] < 40_000
