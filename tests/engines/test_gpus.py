"""Several GPUs of one machine: each worker process sees one, and its successor the same."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

import mocks
from cambrian.search.engines import gpus
from cambrian.search.engines.gpus import VISIBLE, assign_gpus
from cambrian.search.engines.processes import Processes

linux = pytest.mark.skipif(sys.platform != "linux", reason="an environment is read in /proc")


def set_count(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(gpus, "count_gpus", lambda: count)


def read_visible(engine: Processes) -> list[str | None]:
    """What each worker process has for the GPUs that it sees, as the kernel has it."""
    seen: list[str | None] = []
    for member in engine._members:
        place = Path(f"/proc/{member._process.pid}/environ")
        while not (text := place.read_bytes()):  # a process that has just begun has none yet
            continue
        variables = dict(line.decode().split("=", 1) for line in text.split(b"\0") if b"=" in line)
        seen.append(variables.get(VISIBLE))
    return seen


@pytest.mark.parametrize(
    ("listed", "names"),
    [(None, ["0", "1", "2"]), ("2,5,7", ["2", "5", "7"]), ("GPU-a,GPU-b,3", ["GPU-a", "GPU-b", "3"])],
)
def test_workers_have_gpus_in_turn(
    listed: str | None, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Worker i has the GPU i modulo their number, of those that this process may use."""
    set_count(monkeypatch, 3)
    environment = {} if listed is None else {VISIBLE: listed}
    for workers in (2, 3, 7):
        expected = [{VISIBLE: names[i % 3]} for i in range(workers)]
        assert assign_gpus("cuda", workers, environment) == expected


@pytest.mark.parametrize(
    ("device", "workers", "count"),
    [("cpu", 4, 4), ("cuda:1", 4, 4), ("cuda", 4, 1), ("cuda", 4, 0), ("cuda", 1, 4)],
)
def test_nothing_changes_elsewhere(
    device: str, workers: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a CPU, on a GPU that was named, on a single one, and for a single worker, which may use several."""
    set_count(monkeypatch, count)
    assert assign_gpus(device, workers, {}) == [{}] * workers


def test_a_cpu_is_not_asked_for_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """To ask imports torch, which a search in a table does without."""
    monkeypatch.setattr(gpus, "count_gpus", lambda: pytest.fail("asked"))
    assert assign_gpus("cpu", 2, {}) == [{}, {}]


@linux
def test_the_processes_see_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    """In their environment; the one that replaces a dead worker has the GPU that is free now."""
    set_count(monkeypatch, 2)
    monkeypatch.delenv(VISIBLE, raising=False)
    with mocks.started(Processes(workers=3), mocks.work("obey", device="cuda")) as engine:
        assert read_visible(engine) == ["0", "1", "0"]
        victim = engine._members[1]
        os.kill(victim._process.pid, signal.SIGKILL)
        while victim in engine._members:
            for member in engine._crew.listen(20.0):
                engine._take(engine._crew, member)
        assert read_visible(engine) == ["0", "0", "1"]


@linux
def test_the_environment_of_a_cpu_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the user has set there, and however many GPUs there are."""
    set_count(monkeypatch, 2)
    monkeypatch.setenv(VISIBLE, "7")
    with mocks.started(Processes(workers=2), mocks.work("obey")) as engine:
        assert read_visible(engine) == ["7", "7"]
