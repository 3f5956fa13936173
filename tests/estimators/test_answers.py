"""Answers under `train.` change the training, and nothing else does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch import nn

from cambrian.architecture import Architecture
from cambrian.errors import UnknownName, UsageError
from cambrian.estimators.job import Job
from cambrian.estimators.train import WEIGHTS, Train
from cambrian.estimators.training_answers import apply_answers
from cambrian.estimators.training_run import TRAINING
from cambrian.outcome import Done, Fidelity
from cambrian.spaces.program.function_space import space
from cambrian.weights import MORPHISM, Inherit
from small_training import SmallConv, bars, estimated, timeless

TWO = Fidelity(2)


@space
def tuned(pick: Any, task: Any) -> nn.Module:
    """A width, and how fast to learn."""
    width = pick("width", [4, 8])
    pick.real("train.lr", 1e-4, 1.0, log=True)
    pick("train.batch_size", [8, 16])
    return nn.Sequential(
        nn.Conv2d(task.channels, width, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, 4),
    )


def curve(train: Train, **answers: Any) -> Any:
    architecture = Architecture({"width": 8, **{f"train.{k}": v for k, v in answers.items()}})
    return timeless(estimated(train, None, Fidelity(2), architecture, tuned)[1])


def test_a_training_is_as_its_architecture_says() -> None:
    """The outcome is that of a recipe with these settings, whatever the estimator's own are."""
    wanted = curve(Train(learning_rate=0.1, batch_size=8), lr=0.1, batch_size=8)
    assert curve(Train(learning_rate=0.7, batch_size=32), lr=0.1, batch_size=8) == wanted
    assert curve(Train(), lr=0.2, batch_size=8).curve != wanted.curve
    assert curve(Train(), lr=0.1, batch_size=16).curve != wanted.curve


def test_settings_by_name() -> None:
    """Long names and the short one; other answers are not the training's."""
    asked = Architecture(
        {"op": "conv", "train.lr": 0.3, "train.optimiser": "adamw", "train.weight_decay": 0.01}
    )
    found = apply_answers(Train(), asked)
    assert found == Train(learning_rate=0.3, optimiser="adamw", weight_decay=0.01)
    assert apply_answers(Train(), Architecture({"op": "conv", "trainer": 3})) == Train()


def test_another_optimiser_has_its_own_usual_rate() -> None:
    """Unless a rate is named, by the recipe or by an answer."""
    asked = {"train.optimiser": "adamw"}
    assert apply_answers(Train(), Architecture(asked)) == Train(optimiser="adamw")
    assert apply_answers(Train(learning_rate=0.01), Architecture(asked)).learning_rate == 0.01
    assert apply_answers(Train(), Architecture({**asked, "train.lr": 0.2})).learning_rate == 0.2


@pytest.mark.parametrize(("first", "then"), [("sgd", "adamw"), ("adamw", "muon")])
def test_a_child_of_another_optimiser_begins_without_moments(first: str, then: str, tmp_path: Path) -> None:
    """As one whose parent's are not kept any more."""
    parent, child = (Architecture({"width": 8, "kernel": 3, "train.optimiser": o}) for o in (first, then))
    finish(parent, keep=tmp_path)
    files = {path.name: path for path in tmp_path.iterdir()}
    assert TRAINING in files
    outcomes = [
        finish(child, weights=Inherit(0, MORPHISM), artifacts=kept)
        for kept in (files, {WEIGHTS: files[WEIGHTS]})
    ]
    assert outcomes[0] == outcomes[1]


def finish(architecture: Architecture, **known: Any) -> Any:
    """The outcome of its training."""
    outcomes: list[Any] = []

    def collect() -> Any:
        outcomes.append((yield from Train().run(Job.of(SmallConv(), architecture, TWO, bars(), **known))))

    for _point in collect():
        pass
    assert isinstance(outcomes[0], Done)
    return timeless(outcomes[0])


def test_what_a_training_does_not_have() -> None:
    """The nearest name; what kind of number; the range."""
    with pytest.raises(UnknownName, match="did you mean 'weight_decay'"):
        apply_answers(Train(), Architecture({"train.weightdecay": 0.1}))
    with pytest.raises(UnknownName, match="unknown training setting 'score'"):
        apply_answers(Train(), Architecture({"train.score": "best"}))
    with pytest.raises(UsageError, match=r"'train.batch_size': expected a whole number, got 8\.5"):
        apply_answers(Train(), Architecture({"train.batch_size": 8.5}))
    with pytest.raises(UsageError, match=r"'train.momentum': expected a number, got 'high'"):
        apply_answers(Train(), Architecture({"train.momentum": "high"}))
    with pytest.raises(UsageError, match="learning_rate is above 0"):
        apply_answers(Train(), Architecture({"train.lr": 0.0}))
