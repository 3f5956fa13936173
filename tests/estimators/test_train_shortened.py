"""Trainings that have a deadline: as many steps as fit, to the end of the schedule."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest

from cambrian.effort import count_paid
from cambrian.estimators import pace
from cambrian.estimators.estimator import Job, OutOfTime
from cambrian.estimators.train import Train
from cambrian.outcome import Done, Fidelity, Trial
from small_training import ARCHITECTURE, SmallConv, bars, estimated

STEPS = 4  # of an epoch: 60 images in batches of 16


def long_ago() -> float:
    return time.monotonic() - 1.0


@pytest.mark.parametrize(("stage", "steps"), [("search", 4), ("deliver", 6)])
def test_a_deadline_that_is_over_leaves_one_step(stage: str, steps: int, tmp_path: Any) -> None:
    """It is scored, its weights are there, and it says how much of its epochs it was trained."""
    weights = tmp_path / "weights.safetensors"
    points, outcome = estimated(
        stage=stage, deadline=long_ago(), shorten=True, weights=weights, fidelity=Fidelity(5)
    )
    assert isinstance(outcome, Done)
    assert outcome.metrics["epochs"] == pytest.approx(1 / steps, abs=1e-3)
    assert outcome.metrics["planned_epochs"] == 5.0
    assert len(points) == 1
    assert weights.exists()
    assert 0 <= outcome.value <= 1


def test_a_trial_of_the_search_has_no_result_then() -> None:
    """It would be another measurement than its neighbours'."""
    with pytest.raises(OutOfTime):
        estimated(deadline=long_ago())


def test_time_enough_changes_nothing() -> None:
    """Bit for bit the numbers of a training without a deadline."""
    late = {"deadline": time.monotonic() + 3600.0, "shorten": True}
    one, other = (estimated(**known)[1] for known in ({}, late))
    assert (one.value, one.metrics) == (other.value, other.metrics)


def test_a_share_of_the_fidelitys_epochs_is_said() -> None:
    """By the recipe's own length, of which an epoch at least is left; of the whole there is nothing to
    say."""
    for length, epochs in ((0.5, 2), (0.1, 1), (1.0, 4)):
        train = Train(batch_size=16, length=length)
        points, outcome = estimated(train, fidelity=Fidelity(4))
        assert len(points) == epochs == train.plan_epochs(ARCHITECTURE, Fidelity(4))
        assert outcome.metrics.get("epochs") == (None if length == 1 else epochs)
        assert "planned_epochs" not in outcome.metrics
        assert count_paid(Trial(0, ARCHITECTURE, Fidelity(4), outcome=outcome)) == epochs


def test_the_schedule_reaches_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that goes on a second with each step, of 80 steps as many are taken as fit into 30 seconds,
    and the last learning rate is the cosine's at its end."""
    rates: list[float] = []
    clock = iter(range(10**6))
    monkeypatch.setattr(pace.time, "monotonic", lambda: float(next(clock)))

    class Noted(Train):
        def rate(self, step: int, steps: int, steps_per_epoch: int) -> float:
            rates.append(super().rate(step, steps, steps_per_epoch) / self.learning_rate)
            return rates[-1] * self.learning_rate

    _, outcome = estimated(
        Noted(batch_size=16, warmup=0.0), fidelity=Fidelity(20), deadline=30.0, shorten=True
    )
    assert isinstance(outcome, Done)
    taken = len(rates)
    assert 25 <= taken <= 30
    assert outcome.metrics["epochs"] == pytest.approx(taken / STEPS, abs=1e-3)
    assert rates[0] == 1.0
    assert rates[-1] == pytest.approx(0.5 * (1 + math.cos(math.pi * (taken - 1) / taken)))


def test_a_shortened_training_that_is_killed_ends_as_short(tmp_path: Any) -> None:
    """The number of its steps is in the checkpoint: it goes on with the same schedule."""
    from cambrian.networks.training.augment import Augment
    from cambrian.networks.training.batches import images
    from cambrian.networks.training.trainer import Training
    from small_training import ARCHITECTURE, SmallConv

    task = bars()
    data = images(task.inputs[task.train], task.targets[task.train], task.mean, task.std)

    def training() -> Training:
        network = SmallConv().build(ARCHITECTURE, task)
        return Training(network, data, Train(batch_size=16), Augment(), 5)

    one, other = training(), training()
    one.run_epoch()
    one.fit(7)
    other.restore(*one.state())
    for each in (one, other):
        each.run_epoch()
        assert (each.finished, each.length, each.epochs_trained) == (True, 7, 7 / STEPS)


def test_contexts_have_no_deadline_by_themselves() -> None:
    """Nothing is cut unless somebody says when."""
    job = Job.of(SmallConv(), ARCHITECTURE)
    assert job.deadline is None
    assert not job.shorten
