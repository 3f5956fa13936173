"""The command line as a person meets it: real commands on real digits, and every mistake one sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cambrian.cli import main

QUICK = [
    "--limit",
    "300",
    "--epochs",
    "1",
    "--final-epochs",
    "1",
    "--final-filters",
    "8",
    "--final-cells",
    "1",
]


def cambrian(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cambrian", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == code, done.stderr + done.stdout
    return done


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two random cells, kept to a few seconds."""
    place = tmp_path_factory.mktemp("cli") / "run"
    done = cambrian(
        "search", "digits", "--strategy", "random", "--budget", 2, "--workers", 2, "--run", place, *QUICK
    )
    for word in ("space", "strategy", "winner", "baseline pnasnet-5", "latency", "everything lies in"):
        assert word in done.stdout, done.stdout
    return place


def test_search_ends_with_a_winner(run: Path) -> None:
    """status reads the run back: two trials, none failed, a tested network, nothing running."""
    found = json.loads(cambrian("status", run, "--json").stdout)
    assert (found["trials"], found["failed"], found["running"]) == (2, 0, 0)
    assert 0 <= found["winner"]["metrics"]["test_accuracy"] <= 1
    assert found["winner"]["role"] == "winner"


def test_resume_of_a_finished_run_changes_nothing(run: Path) -> None:
    """Resuming what is complete trains nothing and reports the same."""
    before = json.loads(cambrian("status", run, "--json").stdout)
    after = json.loads(cambrian("resume", run, "--json").stdout)
    for key in ("trials", "best", "winner", "finals"):
        assert after[key] == before[key]


def test_report_draw_export_predict(run: Path, tmp_path: Path) -> None:
    """What a user does after a search, in order."""
    assert "<svg" in Path(json.loads(cambrian("report", run, "--json").stdout)["report"]).read_text()
    for name in ("cell.svg", "cell.png"):
        cambrian("draw", run, "--out", tmp_path / name)
        assert (tmp_path / name).stat().st_size > 500
    cambrian("export", run, tmp_path / "out")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "blank.png")
    rows = json.loads(cambrian("predict", tmp_path / "out", tmp_path / "blank.png", "--json").stdout)
    assert rows[0]["label"] in set("0123456789")
    assert 0 < rows[0]["probability"] <= 1


def test_train_an_edited_architecture(tmp_path: Path) -> None:
    """A drawn architecture's JSON, edited by hand, trains on a data set with other filters and cells."""
    answers = json.loads(cambrian("draw", "pnasnet-5", "--json").stdout)
    answers["block1/operation1"] = "identity"
    (tmp_path / "mine.json").write_text(json.dumps(answers))
    place = tmp_path / "run"
    cambrian("train", tmp_path / "mine.json", "digits", "--run", place, "--limit", 300, "--epochs", 1,
             "--filters", 8, "--cells", 1)  # fmt: skip
    found = json.loads(cambrian("status", place, "--json").stdout)
    assert found["winner"]["architecture"] == answers


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["search", "digitz"], ["digits"]),
        (["search", "digits", "--strategy", "progresive"], ["progressive"]),
        (["search", "digits", "--surrogate", "mlp-ensembel"], ["mlp-ensemble"]),
        (["search", "digits", "--budget", "soon"], ["soon", "30m"]),
        (["search", "digits", "--metric", "acuracy"], ["accuracy"]),
        (["search", "digits", "--device", "gpu"], ["gpu", "cpu"]),
        (["search", "digits", "--levels", "0"], ["levels"]),
        (["train", "pnasnet-6", "digits"], ["pnasnet-5"]),
        (["status", "nowhere"], ["nowhere"]),
        (["resume", "nowhere"], ["nowhere"]),
        (["export", "nowhere", "out"], ["nowhere"]),
        (["predict", "nowhere", "a.png"], ["nowhere"]),
        (["draw", "pnasnet-5", "--out", "cell.bmp"], [".svg"]),
        (["doctor", "--repair", "nowhere"], ["nowhere"]),
    ],
)
def test_mistakes_are_one_sentence(
    arguments: list[str],
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A wrong name or place is one line on stderr with what would be right, never a traceback."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["cambrian", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code in (2, 3)
    printed = capsys.readouterr().err.splitlines()
    message = [line for line in printed if line.startswith("cambrian: ")]
    assert len(message) == 1, printed
    for word in words:
        assert word in message[0]


def test_an_edited_architecture_names_the_path(tmp_path: Path) -> None:
    """An illegal answer in a file is refused with its path and the nearest option."""
    answers = json.loads(cambrian("draw", "pnasnet-5", "--json").stdout)
    (tmp_path / "bad.json").write_text(json.dumps({**answers, "block2/operation1": "sep7x9"}))
    done = cambrian("train", tmp_path / "bad.json", "digits", "--run", tmp_path / "run", code=2)
    assert "block2/operation1" in done.stderr
    assert "sep7x7" in done.stderr


def test_doctor_says_what_is_installed() -> None:
    """Versions by name, as JSON too."""
    found = json.loads(cambrian("doctor", "--json").stdout)
    assert found["versions"]["torch"].startswith("2.")
