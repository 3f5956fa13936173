"""The scores of a network do not depend on how it was trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from cambrian.estimators.job import Job
from cambrian.estimators.scoring import score_network
from cambrian.goal import Goal
from cambrian.networks.training import precision
from cambrian.networks.training.recipe import Recipe
from cambrian.outcome import Fidelity
from cambrian.tasks.task import Task
from small_training import ARCHITECTURE, SmallConv, bars

CLASSES = bars()
LABELS = replace(
    CLASSES,
    targets=np.eye(4, dtype=np.int64)[CLASSES.targets],
    goal=Goal("labels"),
    metric="mean-average-precision",
)
HEADS = replace(
    CLASSES,
    targets=np.stack([CLASSES.targets // 2, CLASSES.targets % 2], 1),
    labels=("across", "down", "first", "last"),
    goal=Goal("heads", heads=(("direction", 2), ("end", 2))),
    metric="mean-accuracy",
)
NUMBERS = replace(
    CLASSES, targets=CLASSES.targets * 2.5, labels=("place",), goal=Goal("numbers", 3.75, 2.8), metric="r2"
)


@pytest.mark.parametrize("task", [CLASSES, LABELS, HEADS, NUMBERS], ids=lambda task: task.goal.kind)
def test_the_loss_of_a_score_is_the_goals_whatever_it_was_learned_by(task: Task) -> None:
    """Smoothing of targets, and the loss that was descended, are the training's: of networks of two recipes,
    as a search of `train.label_smoothing` has them, the same outputs have the same loss. It is
    scikit-learn's, of several heads the sum, of labels the mean."""
    space = SmallConv()
    torch.manual_seed(0)
    network = space.build(ARCHITECTURE, task)
    job = Job.of(space, ARCHITECTURE, Fidelity(1), task)
    recipes = (Recipe(), Recipe(label_smoothing=0.2), Recipe(loss="squared-error", label_smoothing=0.1))
    losses = [score_network(network, recipe, task, job)["loss"] for recipe in recipes]
    inputs = torch.from_numpy(task.inputs[task.validation]).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        outputs = network.eval()((inputs - 0.25) / 0.15).double()
    true = task.targets[task.validation]
    if task.goal.kind == "classes":
        expected = log_loss(true, outputs.softmax(1).numpy())
    elif task.goal.kind == "labels":
        expected = np.mean([log_loss(true[:, k], outputs[:, k].sigmoid().numpy()) for k in range(4)])
    elif task.goal.kind == "heads":
        parts = [outputs[:, part].softmax(1).numpy() for _, part in task.goal.parts]
        expected = sum(log_loss(true[:, n], part) for n, part in enumerate(parts))
    else:  # Huber's
        error = np.abs(outputs[:, 0].numpy() - (true - 3.75) / 2.8)
        expected = np.where(error <= 1, error**2 / 2, error - 0.5).mean()
    assert losses == pytest.approx([expected] * 3, rel=1e-5)


def test_numbers_are_scored_in_32_bits_on_a_gpu_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the device computes in bfloat16 the scores of numbers are those of the network as it is used: a
    number rounded to 8 bits is off by up to 1/512 of itself, which is more than the error of a good one."""
    space = SmallConv()
    torch.manual_seed(0)
    network = space.build(ARCHITECTURE, NUMBERS)
    job = Job.of(space, ARCHITECTURE, Fidelity(1), NUMBERS)
    expected = score_network(network, Recipe(), NUMBERS, job)
    monkeypatch.setattr(precision, "is_quick_in_half", lambda device: True)
    assert score_network(network, Recipe(), NUMBERS, job) == expected
