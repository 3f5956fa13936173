"""`search --by-hand`: the found network beside one trained by hand for the same time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cambrian.cli import main
from cambrian.cli.by_hand import train_by_hand
from cambrian.errors import CambrianError, NothingSucceeded, UsageError
from cambrian.search.planning import plan as planning
from cambrian.search.result import Result
from cambrian.spaces import SPACES


@pytest.mark.parametrize(
    "options",
    [
        ["--budget", "20"],
        pytest.param(["--budget", "9s", "--json"], marks=pytest.mark.slow),
        pytest.param(["--strategy", "random"], marks=pytest.mark.slow),
        pytest.param(["--levels", "2"], marks=pytest.mark.slow),
    ],
)
def test_only_a_race_has_a_network_by_hand(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused in a sentence before anything is trained."""
    monkeypatch.setattr(
        sys, "argv", ["cambrian", "search", "digits", "--limit", "200", "--by-hand", *options]
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "--by-hand trains a network for the time of the search" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("kind", "network", "space"),
    [
        ("classes", "resnet", "stages"),
        ("dense", "unet", "encoder-decoder"),
        ("causal", "lstm", "sequence-chain"),
    ],
)
def test_the_network_by_hand_is_one_of_the_portfolio(
    kind: str, network: str, space: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone, for the same budget and with the other changes and options: of masks a U-Net. Weights that fit
    the search's networks, and conditions on its choice, are not its own."""
    asked: list[tuple[Any, ...]] = []

    def plan(*arguments: Any, **options: Any) -> None:
        asked.append((*arguments[1:], options))
        raise InterruptedError

    monkeypatch.setattr(planning, "plan", plan)
    task, planned = (
        SimpleNamespace(columns=(), rendering={}, dense=kind == "dense", causal=kind == "causal"),
        SimpleNamespace(search=SimpleNamespace(budget="2m")),
    )
    options = {
        "changes": {"filters": 8},
        "workers": 1,
        "choose": "params<1k",
        "recipe": {"pretrained": "mine.safetensors", "learning_rate": 0.1},
    }
    with pytest.raises(InterruptedError):
        train_by_hand(task, planned, tmp_path, options)  # type: ignore[arg-type]
    recipe = {"learning_rate": 0.1}
    changes = {"filters": 8, "entrants": network}
    assert asked == [("2m", {"changes": changes, "workers": 1, "recipe": recipe})]
    assert options["choose"] == "params<1k"
    assert network in SPACES.make(space).portfolio


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize(
    ("error", "says"),
    [
        (UsageError("no resnet is so small"), "no resnet is so small"),
        (NothingSucceeded("no trial succeeded\nTraceback"), "no trial succeeded"),
    ],
)
def test_a_failure_by_hand_leaves_the_search_whole(
    error: Exception, says: str, rows: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is planned or trained, or the other library's own: one sentence that says so."""

    def fail(*arguments: Any, **options: Any) -> None:
        raise error

    for each in ("cambrian.search.planning.plan.plan", "cambrian.cli.by_hand.fit_scikit"):
        monkeypatch.setattr(each, fail)
    task = SimpleNamespace(columns=("a",) * rows, rendering={}, dense=False, causal=False, metric="accuracy")
    planned = SimpleNamespace(search=SimpleNamespace(budget="2m"))
    with pytest.raises(CambrianError) as caught:
        train_by_hand(task, planned, tmp_path, {})  # type: ignore[arg-type]
    reason = f"scikit-learn says {type(error).__name__}: {says}" if rows else says
    assert str(caught.value) == f"nothing was trained by hand: {reason}. The search in {tmp_path} is whole"


@pytest.mark.slow
def test_both_networks_are_trained_and_shown(tmp_path: Path) -> None:
    """The second run is of the small residual network alone, under the same budget; the last table has
    both."""
    command = [sys.executable, "-m", "cambrian", "search", "digits", "--budget", "15s", "--by-hand"]
    done = subprocess.run(
        [*command, "--run", str(tmp_path / "run")], capture_output=True, text=True, check=True, timeout=240
    )
    alone = Result.open(tmp_path / "run" / "by-hand")
    assert alone.facts["budget"] == Result.open(tmp_path / "run").facts["budget"]
    assert [t.reason["runner"] for t in alone.trials] == ["resnet"]
    table = done.stdout.partition("in the same time")[2]
    assert "found" in table
    assert "by hand" in table
