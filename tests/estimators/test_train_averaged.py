"""Trainings whose average of weights is scored and saved, and networks that begin with such weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from cambrian.estimators.estimator import Estimate
from cambrian.estimators.job import Job
from cambrian.estimators.train import WEIGHTS, Train
from cambrian.estimators.training_run import TRAINING
from cambrian.networks.checkpoint import load_tensors, load_weights, save_tensors
from cambrian.networks.training.scoring import scores
from cambrian.outcome import Done, Fidelity, Outcome
from cambrian.weights import Continue, Inherit
from small_training import ARCHITECTURE, SmallConv, bars, equal, estimated, timeless

AVERAGED = Train(batch_size=16, average=0.8)


def as_images(part: Any) -> Any:
    from cambrian.networks.training.batches import images

    task = bars()
    return images(task.inputs[part], task.targets[part], task.mean, task.std)


def finish(estimate: Estimate) -> Outcome:
    while True:
        try:
            next(estimate)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


@pytest.mark.parametrize("score", ["last", "best"])
def test_the_saved_weights_are_the_scored_ones(score: str, tmp_path: Path) -> None:
    """Loaded from the file, they have the outcome's loss; without averaging there are others."""
    file, plain = tmp_path / "averaged.safetensors", tmp_path / "plain.safetensors"
    _, outcome = estimated(Train(batch_size=16, average=0.8, score=score), weights=file)
    estimated(Train(batch_size=16, score=score), weights=plain)
    assert not equal(load_file(file), load_file(plain))
    network = SmallConv().build(ARCHITECTURE, bars())
    load_weights(network, file)
    assert isinstance(outcome, Done)
    loss = scores(network, as_images(bars().validation), 64)["loss"]
    assert loss == pytest.approx(outcome.metrics["loss"], rel=1e-5)


def test_the_training_is_the_same() -> None:
    """Losses on the training part do not know of the average."""
    plain, averaged = (estimated(train)[0] for train in (Train(batch_size=16), AVERAGED))
    assert [p.metrics["train_loss"] for p in plain] == [p.metrics["train_loss"] for p in averaged]


def test_a_resumed_one_has_the_same_average(tmp_path: Path) -> None:
    """From the checkpoint of an epoch before its end, as of a killed evaluation."""
    often = Train(batch_size=16, average=0.8, checkpoint_seconds=0.0)
    whole, resumed = tmp_path / "whole.safetensors", tmp_path / "resumed.safetensors"
    _, expected = estimated(often, weights=whole, checkpoints=tmp_path / "checkpoints")
    for end in ("json", "safetensors"):
        (tmp_path / "checkpoints" / f"00000012.{end}").unlink()
    _, outcome = estimated(often, weights=resumed, checkpoints=tmp_path / "checkpoints")
    assert timeless(outcome) == timeless(expected)
    assert equal(load_file(whole), load_file(resumed))


def rewrite(file: Path, dropped: str = "", **facts: str) -> Path:
    """The file with these facts, and without that tensor."""
    tensors, known = load_tensors(file)
    tensors.pop(dropped, None)
    save_tensors(file, tensors, known | facts)
    return file


def inherit_and_step(file: Path, place: Path, average: float) -> dict[str, torch.Tensor]:
    """The weights of a child of the one in `file` after three steps at a rate that destroys it, as on a
    machine that gives no time for more."""
    wild = Train(batch_size=64, learning_rate=3.0, schedule="constant", warmup=0.0, average=average)
    known: Any = {"weights": Inherit(0), "artifacts": {WEIGHTS: file}, "keep": place}
    finish(wild.run(Job.of(SmallConv(), ARCHITECTURE, Fidelity(3), bars(), **known)))
    return load_file(place / WEIGHTS)


def test_a_few_steps_leave_a_network_that_has_learned_what_it_was(tmp_path: Path) -> None:
    """The average has moved by 1 - .98 ** 3 of what the steps have, at most, where a thousand steps are
    before them; where three are, by more than half of it, since what was learned then is worth little."""
    file = tmp_path / "parent.safetensors"
    estimated(AVERAGED, weights=file)
    learned = [name for name, _ in SmallConv().build(ARCHITECTURE, bars()).named_parameters()]

    def measure_distance(average: float) -> float:
        child, parent = inherit_and_step(file, tmp_path, average), load_file(file)
        return float(torch.cat([(child[name] - parent[name]).flatten() for name in learned]).norm())

    rewrite(file, steps="1000")
    assert measure_distance(0.98) < 0.06 * measure_distance(0.0)
    rewrite(file, steps="3")
    assert measure_distance(0.98) > 0.5 * measure_distance(0.0)


def test_what_is_new_in_an_inherited_network_is_not_kept_by_its_average(tmp_path: Path) -> None:
    """A child without its parent's last layer averages as one that begins with nothing."""
    file = tmp_path / "parent.safetensors"
    estimated(AVERAGED, weights=file)
    rewrite(file, dropped=next(iter(load_file(file))), steps="1000")
    told = inherit_and_step(file, tmp_path, 0.98)
    rewrite(file, steps="0")
    assert equal(told, inherit_and_step(file, tmp_path, 0.98))


def test_steps_are_counted_over_all_trainings(tmp_path: Path) -> None:
    """The file of a child says those of its parent and its own."""
    file = tmp_path / "parent.safetensors"
    estimated(AVERAGED, weights=file)
    _, before = load_tensors(file)
    inherit_and_step(file, tmp_path, 0.98)
    _, after = load_tensors(tmp_path / WEIGHTS)
    assert int(before["steps"]) > 0
    assert int(after["steps"]) - int(before["steps"]) == 3 * -(-len(bars().train) // 64)


def test_an_inherited_training_in_two_parts_is_the_one_at_once(tmp_path: Path) -> None:
    """A part that continues it has its average, and knows what the network had learned before."""
    file = tmp_path / "parent.safetensors"
    estimated(AVERAGED, weights=file)
    rewrite(file, steps="1000")
    train = Train(batch_size=16, schedule="constant", warmup=0.0, average=0.98)

    def run(name: str, epochs: int, weights: Any, artifacts: dict[str, Path]) -> Outcome:
        (tmp_path / name).mkdir()
        known: Any = {"weights": weights, "artifacts": artifacts, "keep": tmp_path / name, "root": Inherit(0)}
        return finish(train.run(Job.of(SmallConv(), ARCHITECTURE, Fidelity(epochs), bars(), **known)))

    whole = run("whole", 4, Inherit(0), {WEIGHTS: file})
    run("part", 2, Inherit(0), {WEIGHTS: file})
    rest = run("rest", 4, Continue(1), {name: tmp_path / "part" / name for name in (WEIGHTS, TRAINING)})
    assert timeless(rest) == timeless(whole)
    assert (tmp_path / "rest" / WEIGHTS).read_bytes() == (tmp_path / "whole" / WEIGHTS).read_bytes()


def test_a_delivered_network_inherits(tmp_path: Path) -> None:
    """With a rate of nearly nothing, the delivered network is the one whose weights it began with, trained on
    training and validation part and scored on the test part."""
    file = tmp_path / "parent.safetensors"
    estimated(AVERAGED, weights=file)
    network = SmallConv().build(ARCHITECTURE, bars())
    load_weights(network, file)
    train = Train(batch_size=16, learning_rate=1e-12, weight_decay=0.0, average=0.9999)
    job = Job.of(
        SmallConv(),
        ARCHITECTURE,
        Fidelity(2),
        bars(),
        weights=Inherit(0),
        artifacts={WEIGHTS: file},
        stage="deliver",
        keep=tmp_path,
    )
    outcome = finish(train.run(job))
    assert isinstance(outcome, Done)
    child, parent = load_file(tmp_path / WEIGHTS), load_file(file)
    learned = [name for name, _ in network.named_parameters()]
    assert all(torch.allclose(child[name], parent[name], atol=1e-6) for name in learned)
    assert "test_accuracy" in outcome.metrics
