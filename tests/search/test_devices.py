"""The device of a search, by its name."""

from __future__ import annotations

import os
import sys
import time

import pytest
import torch

from cambrian import cli
from cambrian.errors import UsageError
from cambrian.search.engines.confine import fork_child
from cambrian.search.engines.trial_process import TrialProcess
from cambrian.search.parts import devices
from cambrian.search.parts.devices import choose_device, usual_workers


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("name", "chosen"),
    [("auto", "cuda"), ("cpu", "cpu"), ("cuda", "cuda"), ("cuda:0", "cuda:0"), ("cuda:1", "cuda:1")],
)
def test_a_device_that_is_there(name: str, chosen: str) -> None:
    assert choose_device(name) == chosen


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("cuda:2", "device 'cuda:2' was asked for, but torch sees 2, cuda:0 to cuda:1"),
        ("cuda:x", "unknown device 'cuda:x': use auto, cpu, cuda, or one of several GPUs, as cuda:1"),
        ("cuda1", "unknown device 'cuda1'"),
        ("mps", "unknown device 'mps'"),
    ],
)
def test_a_device_that_is_not_there(name: str, sentence: str) -> None:
    """One sentence, and no traceback of torch's in the midst of the first training."""
    with pytest.raises(UsageError) as error:
        choose_device(name)
    assert sentence in str(error.value)


def test_a_single_gpu_has_one_number(two_gpus: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UsageError, match="torch sees one CUDA device, cuda:0"):
        choose_device("cuda:1")


@pytest.mark.parametrize("system", ["darwin", "freebsd14"])
def test_elsewhere_than_on_linux_one_trains_at_a_time(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the process of the search: workers fork, which the frameworks of macOS do not bear."""
    monkeypatch.setattr(devices.sys, "platform", system)
    assert usual_workers("cpu") == usual_workers("cuda") == 1


@pytest.mark.parametrize("waits", [True, False])
def test_a_trial_that_has_ended_is_known_without_waitid(waits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS has it from Python 3.13 on. The status is the same, asked once or twice."""
    if not waits:
        monkeypatch.delattr(os, "waitid")
    trial = TrialProcess.__new__(TrialProcess)
    trial._status, (end, start) = None, os.pipe()
    trial.pid = fork_child(lambda: os._exit(len(os.read(end, 9))), private=[])
    os.setpgid(trial.pid, trial.pid)
    assert not trial.dead
    os.write(start, b"abc")
    while not trial.dead:
        time.sleep(0.001)
    assert trial.dead
    assert [os.waitstatus_to_exitcode(trial.kill()) for _ in range(2)] == [3, 3]
    os.close(end)
    os.close(start)


def test_windows_is_told_so_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not by the traceback of the first module that is not there."""
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SystemExit, match="Windows is not supported"):
        cli.main()
