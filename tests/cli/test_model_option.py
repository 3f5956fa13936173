"""`cambrian search --model`: a network of the user's own, from the command to what is taken home."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

import cambrian.cli.commands  # noqa: F401  (registers the commands)
from cambrian.cli.app import app
from cambrian.cli.options.models import fit_model
from cambrian.errors import Unread, UsageError
from commands import run_command

MINE = """
import torch
from torch import nn


def net(task):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(task.channels, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, task.classes))
"""


@pytest.mark.slow
def test_the_front_of_a_network_in_one_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's network is the first trial and is trained beside the winner; its weights, which are there
    already, are trained at a low rate; the run is resumed, reported, exported and used like any other."""
    (tmp_path / "mine_of_the_test.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    done = run_command(
        *(
            "search",
            "digits",
            "--limit",
            200,
            "--model",
            "mine_of_the_test:net",
            "--budget",
            3,
            "--run",
            "run",
        ),
        *("--objectives", "accuracy,params", "--epochs", 1, "--final-epochs", 1, "--workers", 2),
    )
    assert done.returncode == 0, done.stderr
    assert "7 questions: 1 block, 2 widths, 2 kernels, 1 norm, 1 activation" in done.stdout
    assert "its weights are kept and trained on, at a learning rate of 0.02" in done.stdout
    assert "at the front's knees from your network's weights" in done.stdout
    assert "your network" in done.stdout
    found = json.loads(run_command("resume", "run", "--json").stdout)
    roles = [final["role"] for final in found["finals"]]
    assert found["trials"] == 3
    assert found["winner"]["role"] == "winner"
    assert any(role in ("baseline your network", "winner", "front") for role in roles)
    report = Path(json.loads(run_command("report", "run", "--json").stdout)["report"]).read_text()
    assert "Trained from your network" in report
    assert run_command("export", "run", "out").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (("--model", "no_such_module:net"), UsageError, "cannot load model 'no_such_module:net'"),
        (("--model", "net"), UsageError, "write it as in mine:net"),
        (("--model", "os:getcwd(wide=1)"), UsageError, "has no setting 'wide'"),
        (("--model", "os:getcwd", "--space", "pnas"), Unread, "--space is another space"),
        (("--model", "os:getcwd"), UsageError, "os:getcwd gives str: a model is a torch.nn.Module"),
    ],
)
def test_a_wrong_model_is_refused(arguments: tuple[str, ...], kind: type[Exception], words: str) -> None:
    """In a sentence, before anything is planned."""
    done = CliRunner().invoke(app, ["search", "digits", *arguments])
    assert isinstance(done.exception, kind)
    assert words in str(done.exception)


@pytest.mark.parametrize(
    ("columns", "named", "wanted"), [((), None, "sgd"), ((), "adamw", "adamw"), ("a", None, None)]
)
def test_weights_are_tuned_by_sgd(columns: Sequence[str], named: str | None, wanted: str | None) -> None:
    """Whose low rate keeps what was learned: muon's steps are long whatever the gradient's are. The plan has
    AdamW for a table, and what somebody names counts."""
    fitted = SimpleNamespace(pretrained={"body": 3}, fixed=(), describe=lambda: "a network")
    recipe: dict[str, Any] = {"optimiser": named}
    space = SimpleNamespace(for_task=lambda task: fitted)
    fit_model(space, SimpleNamespace(columns=columns), recipe, as_json=False)  # type: ignore[arg-type]
    assert recipe["optimiser"] == wanted
