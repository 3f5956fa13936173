"""A training that is killed goes on where its last checkpoint left it, and ends as if nothing had been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from cambrian.estimators import training_run
from cambrian.estimators.train import Train
from cambrian.outcome import Fidelity
from small_training import bars, equal, estimated, timeless

SMALL = Train(batch_size=16)
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}  # for `small_training`

CHILD = """
import sys, time
from pathlib import Path
import torch
from small_training import bars, estimated
from cambrian.estimators.train import Train
from cambrian.networks import checkpoint
from cambrian.outcome import Fidelity

write = checkpoint.write
checkpoint.write = lambda *a: (write(*a), time.sleep(0.05))  # so that the kill finds it alive
torch.set_num_threads(int(sys.argv[1]))
train = Train(batch_size=8, cutout=3, score="best", checkpoint_seconds=1e-9)
estimated(train, bars(), Fidelity(4), number=3, checkpoints=Path(sys.argv[2]))
"""


@pytest.mark.damage
def test_killed_in_mid_epoch_and_resumed(tmp_path: Path) -> None:
    """SIGKILL in the second epoch's middle; the resumed training yields the points of the uninterrupted
    one and ends with the same weights, bit for bit, and the same outcome."""
    directory = tmp_path / "checkpoints"
    command = [sys.executable, "-c", CHILD, str(torch.get_num_threads()), str(directory)]
    child = subprocess.Popen(command, env=ENVIRONMENT)
    try:
        deadline = time.monotonic() + 120
        while not newest(directory) > 10 and time.monotonic() < deadline:  # 8 steps an epoch
            time.sleep(0.005)
    finally:
        child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert 10 < newest(directory) < 16

    train = Train(batch_size=8, cutout=3, score="best", checkpoint_seconds=1e9)
    one, other = tmp_path / "resumed.safetensors", tmp_path / "whole.safetensors"
    resumed = estimated(train, bars(), Fidelity(4), number=3, checkpoints=directory, weights=one)
    whole = estimated(train, bars(), Fidelity(4), number=3, weights=other)
    assert equal(load_file(one), load_file(other))
    assert timeless(resumed[1]) == timeless(whole[1])
    assert [p.metrics for p in resumed[0]] == [p.metrics for p in whole[0]]
    assert resumed[1].seconds > resumed[0][0].seconds > 0.05 * 8  # the killed attempt's time counts


@pytest.mark.parametrize(("left", "kept"), [(2000.0, False), (20.0, True)])
def test_of_a_short_time_checkpoints_are_left_often(
    left: float, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a twentieth of it, by a clock of which each look takes a quarter of a second."""
    looks = iter(range(10**9))
    monkeypatch.setattr(training_run.time, "perf_counter", lambda: 0.25 * next(looks))
    monkeypatch.setattr(training_run, "LEAST_PAUSE", 0.0)
    known = {"deadline": time.monotonic() + left, "shorten": True, "checkpoints": tmp_path}
    estimated(Train(batch_size=8), bars(), Fidelity(1), **known)
    assert (newest(tmp_path) > 0) == kept


def newest(directory: Path) -> int:
    """The number of the newest checkpoint in `directory`, 0 where there is none yet."""
    return max((int(path.stem) for path in directory.glob("*.json")), default=0)


def test_a_finished_trainings_checkpoint_is_not_trained_on(tmp_path: Path) -> None:
    """An evaluation killed between its last epoch and its record repeats nothing but the scoring."""
    train = replace(SMALL, checkpoint_seconds=0.0)
    _, first = estimated(train, checkpoints=tmp_path)
    _, again = estimated(train, checkpoints=tmp_path)
    assert again.curve == first.curve
    assert timeless(again) == timeless(first)


def test_another_trainings_checkpoint_is_passed_over(tmp_path: Path, caplog: Any) -> None:
    """What another recipe left in the directory is not continued, and the log says so."""
    estimated(replace(SMALL, checkpoint_seconds=0.0), checkpoints=tmp_path)
    other = replace(SMALL, learning_rate=0.01)
    assert timeless(estimated(other, checkpoints=tmp_path)[1]) == timeless(estimated(other)[1])
    assert "another training" in caplog.text
    assert "from scratch" in caplog.text


def test_checkpoints_come_no_more_often_than_asked(tmp_path: Path) -> None:
    """Zero seconds means one at each epoch's end, of which two are kept; many seconds mean none."""
    estimated(replace(SMALL, checkpoint_seconds=0.0), checkpoints=tmp_path / "each")
    assert [p.stem for p in sorted((tmp_path / "each").glob("*.json"))] == ["00000008", "00000012"]
    estimated(SMALL, checkpoints=tmp_path / "none")
    assert not (tmp_path / "none").exists()
