"""What a run's network gets right on test images that are made harder, in Python and on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn
from typer.testing import CliRunner

import cambrian
import cambrian.cli.commands
from cambrian.cli.app import app
from cambrian.errors import RunError, UnknownName
from cambrian.networks.robustness.corruptions import corrupt
from cambrian.search.loop.final import Final


@cambrian.space
def linear_net(pick: Any, task: Any) -> Any:
    bias = pick("bias", [True, False])
    inputs = task.channels * task.height * task.width
    return lambda: nn.Sequential(nn.Flatten(), nn.Linear(inputs, task.classes, bias=bias))


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A linear network of digits."""
    task, fidelity = cambrian.load("digits", limit=400), cambrian.Fidelity(6)
    final = Final(fidelity, top=1, baselines=())
    search = cambrian.Search(linear_net, "random", "train", task, 1, final=final, fidelity=fidelity)
    return search.run(tmp_path_factory.mktemp("robust") / "run")


def test_the_numbers_are_accuracies_on_the_test_part(result: Any) -> None:
    """Clean and corrupted ones as `predict` gives them; the mean is over kinds and severities; an attack
    costs accuracy, a stronger one more; the same seed gives the same."""
    task = result.task
    measured, again, stronger = (
        cambrian.robustness(result, kinds=("fog", "pixelate"), eps=eps, steps=8) for eps in (0.03, 0.03, 0.1)
    )
    assert measured == again
    images, targets = np.asarray(task.inputs[task.test]), task.targets[task.test]

    def share_right(pixels: Any) -> float:
        return float(np.mean(result.predict(pixels).probabilities.argmax(1) == targets))

    assert measured.images == len(images)
    assert measured.clean == pytest.approx(share_right(images))
    assert measured.corrupted["fog"][3] == pytest.approx(share_right(corrupt(images, "fog", 4, 0)))
    assert measured.mean == pytest.approx(np.mean(list(measured.corrupted.values())))
    assert stronger.attacked < measured.attacked < measured.clean


def test_the_command_says_the_same(result: Any) -> None:
    """As JSON, and as a table with a row for each kind; a wrong name is one sentence."""
    arguments = ["robustness", str(result.directory), "--kinds", "fog,jpeg", "--images", "40", "--steps", "2"]
    given = json.loads(CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False).stdout)
    assert given["images"] == 40
    assert list(given["corrupted"]) == ["fog", "jpeg"]
    told = CliRunner().invoke(app, arguments, catch_exceptions=False).stderr.splitlines()
    assert told == [
        f"  {part}, {done} of 11 done" for part, done in (("fog", 0), ("jpeg", 5), ("attack", 10))
    ]
    shown = CliRunner().invoke(app, arguments, catch_exceptions=False).stdout
    assert f"mean corruption accuracy: {100 * given['mean']:.2f} %, seed 0" in shown
    assert f"{100 * given['attacked']:.2f} %" in shown.splitlines()[-1]
    with pytest.raises(UnknownName, match="did you mean 'fog'"):
        CliRunner().invoke(
            app, ["robustness", str(result.directory), "--kinds", "fogs"], catch_exceptions=False
        )


def test_a_run_without_a_network_has_no_robustness(tmp_path: Path) -> None:
    """It says what is missing."""
    task = cambrian.load("digits", limit=100)
    search = cambrian.Search(linear_net, "random", "train", task, 1, final=None)
    result = search.run(tmp_path / "run")
    with pytest.raises(RunError, match="had no final stage, which trains a network"):
        cambrian.robustness(result)
