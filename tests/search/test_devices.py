"""The device of a search, by its name."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import cambrian
from cambrian import Search, cli
from cambrian.errors import UsageError
from cambrian.search.engines.confine import fork_child
from cambrian.search.engines.trial_process import TrialProcess
from cambrian.search.identity.agreement import agree
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.run_directory import LEDGER
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


def test_windows_is_told_so_in_python_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The modules that it lacks would be named else."""
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(ImportError, match="Windows is not supported"):
        _ = cambrian.Search


@pytest.fixture
def begun(tmp_path: Path) -> Callable[..., Path]:
    """Begins a run on the CPU, without a trial, with these settings of its search."""

    def begin(**settings: Any) -> Path:
        search = Search("tiny-chain", "random", budget=1, device="cpu", final=None, **settings)
        ledger = Ledger.create(tmp_path / LEDGER)
        agree(search, ledger)
        ledger.close()
        return tmp_path

    return begin


@pytest.mark.usefixtures("two_gpus")
def test_a_run_goes_on_on_another_device(begun: Callable[..., Path]) -> None:
    """Where all that is compared are counts, it may; the device that is not named is that of the run."""
    place = begun(limits={"params": "1M"}, objectives=["macs"])
    assert Search.resume(place).device == "cpu"
    assert Search.resume(place, device="cuda:1").device == "cuda:1"


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("settings", [{"limits": {"latency": "5ms"}}, {"objectives": ["memory"]}])
def test_measured_on_one_device_and_resumed_on_another(settings: Any, begun: Callable[..., Path]) -> None:
    """A front or a limit of both would compare two quantities."""
    place = begun(**settings)
    assert Search.resume(place, device="cpu").device == "cpu"
    with pytest.raises(UsageError, match=r"has measured (latency|memory) on cpu, and on cuda it is another"):
        Search.resume(place, device="cuda")
