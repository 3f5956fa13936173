"""The training estimator: what it sees, what it reports, and that a kill changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import f1_score, log_loss, matthews_corrcoef, roc_auc_score
from torch import nn

from cambrian.errors import UsageError
from cambrian.estimators import ESTIMATORS
from cambrian.estimators.estimator import Estimator, Job, Prepares
from cambrian.estimators.train import Train
from cambrian.estimators.training_data import subset, training_images
from cambrian.networks.training import scoring, step
from cambrian.networks.training.scoring import scores
from cambrian.outcome import Done, Fidelity, Infeasible
from cambrian.testing.estimators import EstimatorCase, EstimatorSuite
from small_training import ARCHITECTURE, SmallConv, bars, equal, estimated, timeless, with_inputs

SMALL = Train(batch_size=16)
PLACES = [str(Path(__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(PLACES)}  # for `small_training`


def garbage(task: Any, which: Any) -> Any:
    return with_inputs(task, which, np.random.default_rng(5).integers(0, 255, task.inputs[which].shape))


def test_a_network_that_learns_in_bfloat16_is_scored_in_32_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU, where it is used in 32 bits: steps ask for the one, scores for the other."""
    asked: dict[str, set[str]] = {"steps": set(), "scores": set()}

    def note(kind: str) -> Any:
        def open_context(device: torch.device, precision: str = "auto") -> Any:
            asked[kind].add(precision)
            return nullcontext()

        return open_context

    monkeypatch.setattr(step, "half_precision", note("steps"))
    monkeypatch.setattr(scoring, "half_precision", note("scores"))
    for stage in ("search", "deliver"):
        estimated(replace(SMALL, precision="bfloat16"), fidelity=Fidelity(1), stage=stage)
    assert asked == {"steps": {"bfloat16"}, "scores": {"auto"}}


def test_learns_what_can_be_learnt() -> None:
    """Bars are told apart in search and on delivery; guessing would be right one time in four."""
    for stage in ("search", "deliver"):
        _, outcome = estimated(replace(SMALL, crop=0), bars(160), Fidelity(15), stage=stage)
        assert outcome.value >= 0.9
        assert outcome.curve[-1].metrics["train_loss"] < outcome.curve[0].metrics["train_loss"] / 2


def test_is_registered_and_named() -> None:
    """A spec makes the same settings again, and the class fulfils the contract."""
    train = Train(learning_rate=0.3, flip=False)
    spec = ESTIMATORS.spec(train)
    assert spec is not None
    assert spec["name"] == "train"
    assert ESTIMATORS.make(spec) == train
    assert isinstance(train, Estimator)
    assert train.delivers


PREPARED = """
import sys
from small_training import bars, estimated
from cambrian.estimators.train import Train
assert "torch" not in sys.modules
Train().prepare()
known = set(sys.modules)
estimated()
print(len(set(sys.modules) - known))
"""


def test_a_prepared_training_imports_next_to_nothing() -> None:
    """Importing the estimator leaves torch alone; after `prepare` a training, which would import some 800
    modules, finds them there."""
    assert isinstance(Train(), Prepares)
    done = subprocess.run(
        [sys.executable, "-c", PREPARED], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) <= 10


def test_a_point_an_epoch_and_an_outcome() -> None:
    """Points carry the value under the task's metric; the outcome the last, the best, and the sizes."""
    points, outcome = estimated()
    assert [p.step for p in points] == [1, 2, 3]
    assert isinstance(outcome, Done)
    assert outcome.curve == tuple(points)
    assert set(points[0].metrics) == {"value", "accuracy", "balanced_accuracy", "loss", "train_loss"}
    assert outcome.value == points[-1].metrics["value"] == points[-1].metrics["accuracy"]
    values = [p.metrics["value"] for p in points]
    assert outcome.metrics["best_value"] == max(values)
    assert outcome.metrics["best_epoch"] == values.index(max(values)) + 1
    assert outcome.metrics["params"] == 8 * 9 + 8 + 16 + 8 * 8 * 9 + 8 + 8 * 4 + 4
    assert outcome.metrics["macs"] == 64 * 8 * 9 + 16 * 8 * 8 * 9 + 8 * 4
    assert 0 < points[0].seconds <= points[-1].seconds <= outcome.seconds


def test_the_value_is_the_tasks_metric() -> None:
    """Under balanced accuracy, classes count equally however many examples they have."""
    task = bars(metric="balanced-accuracy")
    rare = task.validation[task.targets[task.validation] != 0]
    few = replace(task, validation=np.sort(np.append(rare, task.validation[:1])))
    _, outcome = estimated(task=few)
    assert outcome.value == outcome.metrics["balanced_accuracy"]
    assert outcome.value != outcome.metrics["accuracy"]


@pytest.mark.parametrize("metric", ["roc-auc", "log-loss", "macro-f1", "mcc"])
def test_a_value_by_probabilities_or_choices_is_scikit_learns(metric: str, tmp_path: Path) -> None:
    """Of the delivered network on the test part, as its probabilities give it; every point has the metric,
    and of the two dear ones only the one that is asked for."""
    oracle = {
        "roc-auc": lambda true, rows: roc_auc_score(true, rows, multi_class="ovr"),
        "log-loss": log_loss,
        "macro-f1": lambda true, rows: f1_score(true, rows.argmax(1), average="macro"),
        "mcc": lambda true, rows: matthews_corrcoef(true, rows.argmax(1)),
    }[metric]
    task, weights = bars(metric=metric), tmp_path / "weights.safetensors"
    points, searched = estimated(replace(SMALL, label_smoothing=0.1), task)
    key = metric.replace("-", "_")
    assert all(point.metrics["value"] == point.metrics[key] for point in points)
    values = [point.metrics["value"] for point in points]
    assert searched.metrics["best_value"] == (min(values) if metric == "log-loss" else max(values))
    assert len({"roc_auc", "log_loss"} & points[0].metrics.keys()) == (key in ("roc_auc", "log_loss"))
    _, delivered = estimated(replace(SMALL, label_smoothing=0.1), task, stage="deliver", weights=weights)
    network = SmallConv().build(ARCHITECTURE, task)
    network.load_state_dict(load_file(weights))
    inputs = torch.from_numpy(task.inputs[task.test]).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        rows = network.eval()((inputs - 0.25) / 0.15).softmax(1).double()
    rows = (rows / rows.sum(1, keepdim=True)).numpy()
    true = task.targets[task.test]
    assert delivered.value == pytest.approx(oracle(true, rows), rel=1e-5)
    assert delivered.metrics["test_loss"] == pytest.approx(log_loss(true, rows), rel=1e-5)


def test_a_search_never_sees_test() -> None:
    """With the test part's images and labels replaced by garbage every number of a search is the same."""
    task = bars()
    assert timeless(estimated(task=task)[1]) == timeless(estimated(task=garbage(task, task.test))[1])


def test_validation_does_not_influence_training(tmp_path: Path) -> None:
    """Other validation images change the scores of a search, and no weight of it."""
    task = bars()
    _, one = estimated(task=task, weights=tmp_path / "one.safetensors")
    _, other = estimated(task=garbage(task, task.validation), weights=tmp_path / "other.safetensors")
    assert one.metrics["loss"] != other.metrics["loss"]
    assert equal(load_file(tmp_path / "one.safetensors"), load_file(tmp_path / "other.safetensors"))


def test_delivery_trains_on_validation_and_scores_test_once(tmp_path: Path) -> None:
    """Delivered weights depend on validation and not on test; the curve knows nothing but the training
    loss, and the value is that of the saved weights on test."""
    task = bars()
    names = [tmp_path / f"{n}.safetensors" for n in ("plain", "test", "validation")]
    tasks = [task, garbage(task, task.test), garbage(task, task.validation)]
    outcomes = [estimated(task=t, stage="deliver", weights=n)[1] for t, n in zip(tasks, names, strict=True)]
    plain, test, validation = map(load_file, names)
    assert equal(plain, test)
    assert not equal(plain, validation)
    assert all(set(p.metrics) == {"train_loss"} for o in outcomes for p in o.curve)
    network = SmallConv().build(ARCHITECTURE, task)
    network.load_state_dict(plain)
    inputs = torch.from_numpy(task.inputs[task.test]).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        right = network.eval()((inputs - 0.25) / 0.15).argmax(1).numpy() == task.targets[task.test]
    assert outcomes[0].value == outcomes[0].metrics["test_accuracy"] == pytest.approx(right.mean())
    assert {"test_balanced_accuracy", "test_loss", "params", "macs"} <= set(outcomes[0].metrics)


def test_chance_is_a_function_of_seed_and_request() -> None:
    """The same request gives the same outcome, whatever row it is and whatever torch's global generators
    were at, and leaves them alone; another replicate or seed gives another."""
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = timeless(estimated(number=4)[1])
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(2)
    assert timeless(estimated(number=4)[1]) == first
    assert timeless(estimated(number=5)[1]) == first
    assert timeless(estimated(number=4, replicate=1)[1]) != first
    assert timeless(estimated(number=4, seed=1)[1]) != first


def test_fraction_is_stratified_nested_and_shared() -> None:
    """Of each class its share; a smaller fraction is part of a larger one; the seed decides, not the
    trial."""
    targets = np.repeat(np.arange(3), [60, 30, 10])
    indices = np.arange(100)
    half, fifth = subset(indices, targets, 0.5, 0), subset(indices, targets, 0.2, 0)
    assert np.bincount(targets[half]).tolist() == [30, 15, 5]
    assert np.bincount(targets[fifth]).tolist() == [12, 6, 2]
    assert set(fifth) < set(half)
    assert np.all(np.diff(half) > 0)
    assert set(subset(indices, targets, 0.5, 1)) != set(half)
    assert len(subset(indices, targets, 1e-6, 0)) == 3
    # Numbers have no classes: two of them, as a batch of one has no variance.
    pair = subset(indices, np.zeros(100, int), 1e-6, 0)
    assert len(pair) == 2
    assert set(pair) < set(subset(indices, np.zeros(100, int), 0.1, 0))
    assert len(training_images(bars(), Fidelity(fraction=0.5), "search", 0, "cpu")) == 32


def test_resolution_scales_what_is_seen() -> None:
    """Images arrive in the fidelity's size, and the multiply-accumulates are those of that size."""
    task = bars(side=16)
    assert training_images(task, Fidelity(resolution=8), "search", 0, "cpu").side == (8, 8)
    _, small = estimated(task=task, fidelity=Fidelity(1, resolution=8))
    assert small.metrics["macs"] == 64 * 8 * 9 + 16 * 8 * 8 * 9 + 8 * 4


def test_data_are_decoded_once() -> None:
    """Two evaluations of one task share the tensors."""
    task = bars()
    one, other = (training_images(task, Fidelity(e), "search", 0, "cpu") for e in (1, 9))
    assert one is other


def test_limits_are_enforced_before_training() -> None:
    """A network over a limit is an outcome without a curve, with the limit in its sentence."""
    points, outcome = estimated(limits={"params": 100})
    assert points == []
    assert isinstance(outcome, Infeasible)
    assert outcome.reason == "limit"
    assert "100" in outcome.detail


def test_the_best_epoch_can_be_kept(tmp_path: Path) -> None:
    """With score="best" the value and the saved weights are those of the best epoch."""
    train = replace(SMALL, score="best", learning_rate=3.0, gradient_clip=0.0, schedule="constant")
    task, fidelity = bars(), Fidelity(5)
    for trial in range(20):  # until a trial whose best epoch is not its last
        _, outcome = estimated(train, task, fidelity, replicate=trial, weights=tmp_path / "w.safetensors")
        if isinstance(outcome, Done) and outcome.metrics["best_value"] > outcome.curve[-1].metrics["value"]:
            break
    values = [p.metrics["value"] for p in outcome.curve]
    assert outcome.value == max(values) > values[-1]
    network = SmallConv().build(ARCHITECTURE, task)
    network.load_state_dict(load_file(tmp_path / "w.safetensors"))
    held = training_images(replace(task, train=task.validation), fidelity, "search", 0, "cpu")
    assert scores(network, held, 64)["accuracy"] == pytest.approx(outcome.value)


@dataclass(frozen=True)
class Exploding(SmallConv):
    """Networks that give infinity from call `call` on; `calls` counts."""

    call: int = 1

    def build(self, architecture: Any, task: Any, **skeleton: Any) -> nn.Module:
        network = super().build(architecture, task)
        network.calls = 0  # type: ignore[assignment]

        def explode(module: Any, inputs: Any, output: torch.Tensor) -> torch.Tensor:
            module.calls += 1
            CALLS.append(module.calls)
            return output * (float("inf") if module.calls >= self.call else 1.0)

        network.register_forward_hook(explode)
        return network


CALLS: list[int] = []


@pytest.mark.parametrize("call", [2, 12])
def test_an_exploding_loss_stops_within_ten_steps(call: int) -> None:
    """It ends as Infeasible("nan") at most ten forward passes after the first infinite one."""
    CALLS.clear()
    task = bars(800)
    estimate = Train(batch_size=4).run(Job.of(Exploding(call), ARCHITECTURE, Fidelity(2), task))
    with pytest.raises(StopIteration) as end:
        next(estimate)
    assert isinstance(end.value.value, Infeasible)
    assert end.value.value.reason == "nan"
    assert len(CALLS) <= call + 10


@dataclass(frozen=True)
class LastStep(SmallConv):
    """Networks whose gradient is not a number in backward pass `last`, and none before."""

    last: int = 1

    def build(self, architecture: Any, task: Any, **skeleton: Any) -> nn.Module:
        network = super().build(architecture, task)
        passes = []

        def spoil(gradient: torch.Tensor) -> torch.Tensor:
            passes.append(gradient)
            return gradient * float("nan") if len(passes) == self.last else gradient

        next(network.parameters()).register_hook(spoil)
        return network


@pytest.mark.parametrize("stage", ["search", "deliver"])
def test_a_last_update_that_goes_astray_is_found(stage: str, tmp_path: Path) -> None:
    """The losses of training are finite and the weights are not: no network is handed over."""
    task, weights = bars(), tmp_path / "w.safetensors"
    steps = 3 * Train(batch_size=16).batches(60 if stage == "search" else 90)
    points, outcome = estimated(task=task, space=LastStep(steps), stage=stage, weights=weights)
    assert isinstance(outcome, Infeasible)
    assert outcome.reason == "nan"
    assert outcome.curve == tuple(points)
    assert len(points) == (2 if stage == "search" else 3)
    assert not weights.exists()


@dataclass(frozen=True)
class Looking(SmallConv):
    """Networks whose forward looks at numbers."""

    def build(self, architecture: Any, task: Any, **skeleton: Any) -> nn.Module:
        network = super().build(architecture, task)
        network.register_forward_hook(lambda module, inputs, output: output + 0 * output.mean().item())
        return network


def test_what_cannot_be_counted_can_be_trained() -> None:
    """The outcome has no multiply-accumulates, and all else."""
    plain, outcome = estimated()[1].metrics, estimated(space=Looking())[1]
    assert outcome.metrics == {k: v for k, v in plain.items() if k != "macs"}


def test_a_stage_that_is_none_is_refused() -> None:
    """A misspelt stage is a sentence naming the stages, before anything is trained."""
    with pytest.raises(UsageError, match="search, deliver"):
        estimated(stage="final")


def test_training_needs_a_task() -> None:
    """Without data there is nothing to train on, which the message says."""
    estimate = SMALL.run(Job.of(SmallConv(), ARCHITECTURE))
    with pytest.raises(UsageError, match="needs a task"):
        next(estimate)


def test_augmentation_is_chosen_by_the_task() -> None:
    """Digits are shifted by a pixel and never mirrored; photographs are mirrored; settings win."""
    assert str(Train().augmentation(bars(side=8), Fidelity())) == "shifts up to 1 px"
    assert str(Train().augmentation(bars(side=32, channels=3), Fidelity())) == "shifts up to 4 px, flips"
    assert (
        str(Train().augmentation(bars(side=32, channels=3), Fidelity(resolution=16))) == "shifts up to 2 px"
    )
    assert str(Train(crop=0, flip=True, cutout=2).augmentation(bars(), Fidelity())) == "flips, cutout of 2 px"
    # At a lower resolution a hole leaves half of a side at least.
    small = Train(crop=0, flip=False, cutout=16).augmentation(bars(), Fidelity(resolution=4))
    assert str(small) == "cutout of 2 px"


class TestConformance(EstimatorSuite):
    """The suite that every estimator passes."""

    def case(self) -> EstimatorCase:
        return EstimatorCase(replace(SMALL, checkpoint_seconds=0.0), SmallConv(), bars(64))
