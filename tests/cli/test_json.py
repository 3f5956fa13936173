"""--json: one document on standard output, whatever is asked, whatever goes wrong and whoever prints."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cambrian.cli import main
from cambrian.cli.display.output import as_json
from cambrian.search.ledger.run_directory import read_begun
from commands import run_command
from tiers import slow_but

GOLDEN = Path(__file__).parents[1] / "golden" / "runs" / "train-finished"
QUICK = [
    "digits",
    "--limit",
    "200",
    "--epochs",
    "1",
    "--final-epochs",
    "1",
    "--budget",
    "2",
    "--workers",
    "1",
]
TINY = ["--strategy", "random", "--space", "tiny-chain"]

TALKS = """
import ctypes, os, subprocess, sys
from torch import nn
import cambrian

print("imported")


@cambrian.space
def net(pick, task):
    print("printed")
    os.write(1, b"written\\n")
    ctypes.CDLL(None).puts(b"by a library in C")
    subprocess.run(["echo", "by a program"])
    width = pick("h", [4, 8])
    inputs = task.channels * task.height * task.width
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, width), nn.Linear(width, task.classes))
"""


def with_path(place: Path) -> dict[str, str]:
    """The environment in which workers import what lies in `place`."""
    path = os.pathsep.join([str(place), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def start(*arguments: object, place: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "cambrian", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=place,
        env=with_path(place),
    )


def document(*arguments: object, place: Path, code: int = 0) -> tuple[object, str]:
    """What standard output is, as JSON, and what standard error says."""
    done = run_command(*arguments, place=place, environment=with_path(place))
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout), done.stderr


@pytest.fixture
def run(tmp_path: Path) -> Path:
    shutil.copytree(GOLDEN, tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "run"],
        ["draw", "run"],
        ["draw", "pnasnet-5", "--out", "cell.svg"],
        ["draw", "run", "run"],
        ["report", "run"],
        ["doctor", "run"],
        ["search", "--benchmark", "planted", "--budget", "3"],
        ["compare", "--benchmark", "planted", "--strategies", "evolution", "--seeds", "2", "--budget", "20",
         "--workers", "1"],
    ],
)  # fmt: skip
def test_commands_that_succeed(
    arguments: list[str],
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Their document is all there is."""
    monkeypatch.chdir(tmp_path)
    assert ended([*arguments, "--json"], monkeypatch) == 0
    assert "error" not in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["search", "digits", "--bugdet", "3"], 2),
        (["search", "digits", "--epochs", "many"], 2),
        (["search", "digits", "--epochs", "0"], 2),
        (["search", "digits", "--budget", "soon"], 2),
        (["search", "nowhere"], 2),
        (["search", "--benchmark", "nothing"], 2),
        (["train", "pnasnet-6", "digits"], 2),
        (["train"], 2),
        (["resume", "nowhere"], 3),
        (["status", "nowhere"], 3),
        (["status", "a", "b"], 2),
        (["report", "nowhere"], 3),
        (["draw", "nothing"], 2),
        (["export", "nowhere", "out"], 3),
        (["export", "nowhere"], 2),
        (["predict", "nowhere", "a.png"], 2),
        (["compare", "--benchmark", "planted", "--strategies", "evolutoin"], 2),
        (["compare"], 2),
        (["doctor", "nowhere"], 3),
        (["serach"], 2),
        ([], 2),
    ],
)
def test_mistakes(
    arguments: list[str],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An object with the kind of error and the sentence, which people read on standard error; the exit
    code is what it is without --json, and nothing is left behind."""
    monkeypatch.chdir(tmp_path)
    assert ended([*arguments, "--json"], monkeypatch) == code
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["error"]
    assert found["message"] in err
    assert not (tmp_path / "runs").exists()


def test_a_mistake_of_ours_is_a_document_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What nobody foresaw still has its traceback, and a program that reads the document learns of it."""

    def fail(*arguments: object) -> None:
        raise ZeroDivisionError("made up")

    monkeypatch.setattr("cambrian.cli.options.architectures.architecture_of", fail)
    with pytest.raises(ZeroDivisionError):
        ended(["draw", "pnasnet-5", "--json"], monkeypatch)
    assert json.loads(capsys.readouterr().out) == {"error": "ZeroDivisionError", "message": "made up"}


@pytest.mark.parametrize("workers", slow_but(("1",), ["1", "2"]))
def test_a_space_that_prints(workers: str, tmp_path: Path) -> None:
    """By Python, past it, in C and by another program: all of it on standard error or nowhere."""
    (tmp_path / "talks.py").write_text(TALKS)
    more = ["--strategy", "random", "--space", "talks:net", "--workers", workers]
    found, err = document("search", *QUICK, *more, "--json", place=tmp_path)
    assert isinstance(found, dict)
    assert found["winner"]["role"] == "winner"
    for words in ("imported", "printed", "written", "by a library in C", "by a program"):
        assert words in err


def test_a_search_without_success(tmp_path: Path) -> None:
    """Says so, with all that is known of the run."""
    found, err = document("search", *QUICK, *TINY, "--max-params", 10, "--json", place=tmp_path, code=1)
    assert isinstance(found, dict)
    assert found["message"].startswith("no trial succeeded")
    assert found["message"] in err
    assert (found["trials"], found["failed"], found["best"]) == (2, 2, None)
    (failures,) = found["failures"]
    assert (failures["reason"], failures["count"], failures["first"]) == ("limit", 2, 0)
    assert failures["sentence"] in found["message"]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_search(number: signal.Signals, code: int, tmp_path: Path) -> None:
    """Is a document as well, with the command that goes on and the signal's exit code."""
    endless = [*QUICK[:-4], *TINY, "--budget", 9999, "--workers", 1]
    process = start("search", *endless, "--json", place=tmp_path)
    # A ledger alone is no run that could be resumed.
    while not any(read_begun(path.parent) for path in tmp_path.glob("runs/*/ledger.sqlite")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=240)
    assert process.returncode == code, err
    told = json.loads(out)
    assert told["error"] == "Interrupted"
    assert "go on with: cambrian resume runs/digits-1" in told["message"]


@pytest.mark.parametrize(("forget", "code"), [("", -signal.SIGINT), ("forget_interrupt()", 130)])
def test_an_interrupt_within_code_from_a_string(forget: str, code: int, tmp_path: Path) -> None:
    """Handled, it ends `python -m` by SIGINT all the same, unless it is forgotten: then the code is ours."""
    handled = "try:\n    exec('raise KeyboardInterrupt')\nexcept KeyboardInterrupt:\n    pass\n"
    script = f"import sys\nfrom cambrian.cli import forget_interrupt\n{handled}{forget}\nsys.exit(130)\n"
    (tmp_path / "interrupted.py").write_text(script)
    assert subprocess.run([sys.executable, "-m", "interrupted"], cwd=tmp_path).returncode == code


def test_help_is_for_people(tmp_path: Path) -> None:
    """It comes out on standard error, and the document says where to look."""
    found, err = document("search", "--help", "--json", place=tmp_path)
    assert found == {"message": "see standard error"}
    assert "--budget" in err


def test_numbers_that_json_has_not() -> None:
    """NaN and infinities are null, at any depth: Python's own reader is the only one that takes them."""
    text = as_json({"a": [float("nan"), {"b": float("-inf")}], "c": 1.5})
    assert json.loads(text, parse_constant=pytest.fail) == {"a": [None, {"b": None}], "c": 1.5}


def ended(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> object:
    """The exit code of a command."""
    monkeypatch.setattr(sys, "argv", ["cambrian", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    return stop.value.code
