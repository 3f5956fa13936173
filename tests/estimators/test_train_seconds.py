"""Trainings for so many seconds of their own time, by clocks that go on with each step."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from safetensors.torch import load_file

from cambrian.errors import UsageError
from cambrian.estimators import pace
from cambrian.estimators.train import Train
from cambrian.estimators.training_clock import PATIENCE, TrainingClock
from cambrian.outcome import Done, Fidelity
from small_training import equal, estimated, timeless


class Killed(BaseException):
    """The process ends here."""


class Ticking:
    """A processor clock that goes on by `each(k)` seconds a thread with step k; it kills the training before
    step `kill`. Rates are noted, as shares of the peak."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, each: Any = 1.0, kill: int = -1) -> None:
        self.now, self.rates = 0.0, []
        ticking = self

        class Noted(Train):
            def rate(self, step: int, steps: int, steps_per_epoch: int) -> float:
                if step == kill:
                    raise Killed
                ticking.now += each(step) if callable(each) else each
                ticking.rates.append(super().rate(step, steps, steps_per_epoch) / self.learning_rate)
                return ticking.rates[-1] * self.learning_rate

        self.train = Noted
        monkeypatch.setattr(time, "process_time", lambda: self.now * torch.get_num_threads())


@pytest.mark.parametrize(("epochs", "seconds", "steps"), [(10**6, 30.0, 30), (5, 30.0, 20), (5, 0.001, 1)])
def test_as_many_steps_as_fit(
    epochs: int, seconds: float, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step takes a second: as many steps as seconds, at most the epochs (4 steps each), at least one."""
    clock = Ticking(monkeypatch)
    points, outcome = estimated(clock.train(batch_size=16), fidelity=Fidelity(epochs, seconds=seconds))
    assert isinstance(outcome, Done)
    assert len(clock.rates) == steps
    assert outcome.metrics["steps"] == steps
    assert outcome.metrics["epochs"] == steps / 4
    assert "planned_epochs" not in outcome.metrics
    assert len(points) == -(-steps // 4)


def test_the_schedule_goes_by_the_steps_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a million epochs 100 steps fit: from the fourth step on the rate is the line's over 100 steps with
    a warm-up over 20, at most a few per cent of the length wrong."""
    clock = Ticking(monkeypatch)
    train = clock.train(batch_size=16, schedule="linear", warmup=0.2)
    estimated(train, fidelity=Fidelity(10**6, seconds=100.0))
    expected = [(k + 1) / 20 if k < 20 else 1 - (k - 20) / 80 for k in range(100)]
    assert clock.rates[4:] == pytest.approx(expected[4:], abs=0.05)
    assert max(clock.rates[:4]) < 0.05
    assert len(clock.rates) == 100


@pytest.mark.parametrize("change", [3.0, 1 / 3])
def test_a_speed_that_changes_is_noticed(change: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """After 40 of 100 seconds each step takes three times as long, or a third: the length is fitted again,
    the time is kept, and the rate comes to its end."""
    clock = Ticking(monkeypatch, lambda step: 1.0 if step < 40 else change)
    train = clock.train(batch_size=16, schedule="linear", warmup=0.0)
    estimated(train, fidelity=Fidelity(10**6, seconds=100.0))
    assert clock.now == pytest.approx(100, rel=0.03)
    assert len(clock.rates) == pytest.approx(40 + 60 / change, rel=0.03)
    assert clock.rates[-1] < 0.05


def test_slow_first_steps_do_not_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first six steps take ten times as long as the others; the time is used to its end all the same."""
    clock = Ticking(monkeypatch, lambda step: 10.0 if step < 6 else 1.0)
    estimated(clock.train(batch_size=16), fidelity=Fidelity(10**6, seconds=300.0))
    assert clock.now == pytest.approx(300, rel=0.02)


def test_a_single_slow_step_changes_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Step 100 takes as long as 40 others: the length loses these, and no more than a tenth besides."""
    clock = Ticking(monkeypatch, lambda step: 40.0 if step == 100 else 1.0)
    train = clock.train(batch_size=16, schedule="linear", warmup=0.0)
    estimated(train, fidelity=Fidelity(10**6, seconds=240.0))
    assert len(clock.rates) == pytest.approx(201, abs=1)
    assert clock.rates[105] > 0.9 * (1 - 105 / 201)


@pytest.mark.parametrize("kill", [6, 13, 18, 29])
def test_killed_and_resumed(kill: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The seconds before a kill count: resumed, it takes the steps of an uninterrupted one, bit for bit."""
    setting: dict[str, Any] = {"batch_size": 16, "checkpoint_seconds": 1e-9, "epoch_steps": 6}
    fidelity, place = Fidelity(10**6, seconds=30.0), tmp_path / "checkpoints"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        estimated(Ticking(patch, kill=kill).train(**setting), fidelity=fidelity, checkpoints=place)
    files = tmp_path / "resumed.safetensors", tmp_path / "whole.safetensors"
    outcomes: list[Any] = []
    for file, checkpoints in zip(files, (place, None)):
        with monkeypatch.context() as patch:
            train = Ticking(patch).train(**setting)
            known = {"fidelity": fidelity, "weights": file, "checkpoints": checkpoints}
            outcomes.append(estimated(train, **known)[1])
    assert timeless(outcomes[0]) == timeless(outcomes[1])
    assert outcomes[0].metrics["steps"] == 30
    assert equal(*map(load_file, files))


def test_killed_while_it_is_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time is over within an epoch, and the kill comes before its score: resumed, it is scored."""
    setting: dict[str, Any] = {"batch_size": 16, "checkpoint_seconds": 1e-9, "epoch_steps": 1000}
    fidelity = Fidelity(10, seconds=9.0)

    def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("cambrian.estimators.train.score_network", die)
        dying = Ticking(patch).train(**setting)
        with pytest.raises(Killed):
            estimated(dying, fidelity=fidelity, checkpoints=tmp_path)
    points, outcome = estimated(
        Ticking(monkeypatch).train(**setting), fidelity=fidelity, checkpoints=tmp_path
    )
    assert isinstance(outcome, Done)
    assert outcome.metrics["steps"] == 9
    assert len(points) == 1


def test_a_deadline_ends_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two times the shorter one counts."""
    wall = iter(range(10**6))
    clock = Ticking(monkeypatch)
    monkeypatch.setattr(pace.time, "monotonic", lambda: float(next(wall)))
    fidelity = Fidelity(10**6, seconds=50.0)
    estimated(clock.train(batch_size=16), fidelity=fidelity, deadline=20.0, shorten=True)
    assert 15 <= len(clock.rates) <= 20


def test_scores_take_no_training_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock stands while a network is scored, and on another device it is the wall's."""
    monkeypatch.setattr(time, "process_time", iter((10.0, 13.0, 50.0, 51.0)).__next__)
    monkeypatch.setattr(time, "perf_counter", iter((0.0, 0.1, 9.0, 9.1, 20.0, 27.0)).__next__)
    clock, other = TrainingClock("cpu", 100.0), TrainingClock("cuda")
    threads = torch.get_num_threads()
    for _ in range(2):
        with clock.running():
            pass
    with other.running():
        pass
    assert clock.seconds == pytest.approx(100 + 4 / threads)
    assert other.seconds == 7.0


def test_other_work_on_the_cores_takes_a_tenth_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 20 s on the wall a process that had 19 s of the processor on each thread has trained for 19, one
    that had a second for 18.2; afterwards the same again."""
    threads = torch.get_num_threads()
    wall, processor = [0.0], [0.0]
    monkeypatch.setattr(time, "process_time", lambda: processor[0])
    monkeypatch.setattr(time, "perf_counter", lambda: wall[0])
    for had, seconds in ((19.0, 19.0), (1.0, 20 / PATIENCE)):
        clock = TrainingClock("cpu", 5.0)
        for turn in (1, 2):
            with clock.running():
                wall[0] += 20.0
                processor[0] += had * threads
                assert clock.seconds == pytest.approx(5 + turn * seconds)
            wall[0] += 100.0  # between two epochs
            assert clock.seconds == pytest.approx(5 + turn * seconds)


def test_fidelities_without_seconds_are_as_they_were() -> None:
    """Their JSON does not mention them; others differ, also by hash, and none is zero."""
    assert "seconds" not in msgspec.to_builtins(Fidelity(3))
    assert Fidelity(3, seconds=1.0) != Fidelity(3)
    assert len({Fidelity(3), Fidelity(3, seconds=1.0), Fidelity(3, seconds=2.0)}) == 3
    with pytest.raises(UsageError, match="seconds is above 0"):
        Fidelity(3, seconds=0.0)
