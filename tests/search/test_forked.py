"""Functions called in child processes: what they return, and every way of not returning."""

from __future__ import annotations

import os
import signal
import time

from cambrian.search.planning.forked import Failed, call_each


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
