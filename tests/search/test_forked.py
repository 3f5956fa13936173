"""Functions called in child processes: what they return, and every way of not returning."""

from __future__ import annotations

import os
import signal
import time

import pytest
import torch

from cambrian.errors import UsageError
from cambrian.search.planning.forked import Failed, call_each
from cambrian.search.planning.on_gpu import call_here


def fail() -> None:
    raise ValueError("no such thing")


def test_results_come_in_order_and_failures_are_told() -> None:
    """Whatever happens in a child, its neighbours' results are there; each failure says how it ended."""
    ways = [
        lambda: {"speed": 0.5},
        lambda: os.kill(os.getpid(), signal.SIGSEGV),
        fail,
        lambda: time.sleep(60),
        lambda: "x" * 300_000,
        lambda: os.getpid(),
    ]
    results = call_each(ways, at_once=2, seconds=2.0)
    assert results[0] == {"speed": 0.5}
    said = [str(result) for result in results[1:4]]
    assert all(isinstance(result, Failed) for result in results[1:4])
    assert said[0] == "its process was ended by SIGSEGV"
    assert said[1] == "its process failed: ValueError: no such thing"
    assert said[2] == "it took longer than 2 s"
    assert results[4] == "x" * 300_000
    assert results[5] != os.getpid()


def test_an_error_is_cut_within_a_letter() -> None:
    """Its text is kept to a few hundred bytes, of which a letter may be two."""

    def fail_at_length() -> None:
        raise ValueError("x" + "é" * 600)

    (failed,) = call_each([fail_at_length], at_once=1, seconds=5.0)
    assert str(failed).startswith("its process failed: ValueError: xéé")


def test_on_a_gpu_what_fails_is_told_and_its_memory_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, one after another; a wide network that the GPU has no room for ends no plan, and the
    next one has the room that it took. A sentence for the user is none of these."""
    emptied: list[str] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append("emptied"))

    def lack_memory() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nAnd much else.")

    first, second, third = call_here([lambda: 0.5, lack_memory, os.getpid])
    assert (first, third, len(emptied)) == (0.5, os.getpid(), 3)
    assert isinstance(second, Failed)
    assert str(second) == "OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."

    def refuse() -> None:
        raise UsageError("no such recipe")

    with pytest.raises(UsageError, match="no such recipe"):
        call_here([refuse])
