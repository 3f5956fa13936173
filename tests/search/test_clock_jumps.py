"""The wall clock jumps while a search works: its budget and its trials go by a clock that does not."""

from __future__ import annotations

import itertools
import time

import pytest

import cambrian
from cambrian.estimators.function import Function
from cambrian.search.result import Result

real = time.time


def score(architecture, fidelity):
    return len(architecture) / 100


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_jump_fails_no_trial_and_spends_no_budget(tmp_path, monkeypatch, hours):
    """By an hour in either direction, at every other look at it: as many trials as without, all done."""
    looks = itertools.count()
    monkeypatch.setattr(time, "time", lambda: real() + 3600 * hours * (next(looks) % 2))
    search = cambrian.Search("pnas", "random", Function(score, builds=False), budget="20,10m")
    result = search.run(tmp_path / "run", quiet=True)
    assert next(looks) > 20
    assert [t.value is not None for t in result.trials] == [True] * 20
    assert max(row.elapsed for row in result.rows) < 600
    assert Result.open(tmp_path / "run").trials == result.trials
