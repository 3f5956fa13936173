"""Memory that is used again: what the system has to provide anew, and that all is as before afterwards."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from cambrian import memory_reuse
from cambrian.memory_reuse import reuse_memory
from cambrian.search.engines import evaluation

GLIBC = sys.platform == "linux" and platform.libc_ver()[0] == "glibc"
SCRIPT = Path(__file__).parent / "memory_reuse_script.py"


def _run(*arguments: str, **variables: str) -> list[int]:
    """The page faults of each turn in a fresh process: glibc's settings are the whole process's."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, SCRIPT, *arguments], env=kept | variables, capture_output=True, text=True, check=True
    )
    return [int(word) for word in done.stdout.split()]


@pytest.mark.skipif(not GLIBC, reason="glibc's settings")
def test_large_memory_comes_once() -> None:
    """Within, an array of 48 MB is given anew without a page fault; without, page by page each time."""
    pages = 48 * 1024**2 // resource.getpagesize()
    plain, reused = _run("plain"), _run("reused")
    assert min(plain) >= pages / 2, plain
    assert max(reused[1:]) < pages / 100, reused


@pytest.mark.skipif(not GLIBC, reason="glibc's settings")
@pytest.mark.parametrize(
    ("variable", "value"),
    [("MALLOC_MMAP_THRESHOLD_", "1000000"), ("GLIBC_TUNABLES", "glibc.malloc.mmap_threshold=1000000")],
)
def test_the_users_settings_are_left_alone(variable: str, value: str) -> None:
    pages = 48 * 1024**2 // resource.getpagesize()
    assert min(_run("reused", **{variable: value})) >= pages / 2


def test_only_the_outermost_block_sets_and_resets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where an error ends it."""
    values = []
    monkeypatch.setattr(memory_reuse, "_set", lambda chosen, count: values.append(chosen))
    with suppress(ZeroDivisionError), reuse_memory():
        with reuse_memory():
            pass
        1 / 0  # noqa: B018
    with reuse_memory():
        pass
    assert values == [memory_reuse.WITHIN, memory_reuse.AFTER] * 2


def test_evaluations_reuse_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where torch is in use: within an evaluation's steps, and not between them."""
    import torch  # noqa: F401

    within = []

    @contextmanager
    def note() -> Iterator[None]:
        within.append("in")
        yield
        within.append("out")

    monkeypatch.setattr(evaluation, "reuse_memory", note)
    with evaluation.threads(1):
        within.append("step")
    assert within == ["in", "step", "out"]


@pytest.mark.skipif(not GLIBC, reason="glibc's settings")
def test_memory_goes_back_afterwards() -> None:
    """Megabytes in use after a turn within, and after the next array outside was deleted."""
    within, after = _run("resident")
    assert within >= 48
    assert after < within - 40
