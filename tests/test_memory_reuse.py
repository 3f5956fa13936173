"""Memory that is used again: what the system has to provide anew, and that all is as before afterwards."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "memory_reuse_script.py"


def _run(*arguments: str, **variables: str) -> list[int]:
    """The page faults of each turn in a fresh process: glibc's settings are the whole process's."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, SCRIPT, *arguments], env=kept | variables, capture_output=True, text=True, check=True
    )
    return [int(word) for word in done.stdout.split()]


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's settings")
def test_large_memory_comes_once() -> None:
    """Within, an array of 48 MB is given anew without a page fault; without, page by page each time."""
    pages = 48 * 1024**2 // resource.getpagesize()
    plain, reused = _run("plain"), _run("reused")
    assert min(plain) >= pages / 2, plain
    assert max(reused[1:]) < pages / 100, reused


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's settings")
def test_the_users_settings_are_left_alone() -> None:
    pages = 48 * 1024**2 // resource.getpagesize()
    assert min(_run("reused", MALLOC_MMAP_THRESHOLD_="1000000")) >= pages / 2


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's settings")
def test_memory_goes_back_afterwards() -> None:
    """Megabytes in use after a turn within, and after the next array outside was deleted."""
    within, after = _run("resident")
    assert within >= 48
    assert after < within - 40
