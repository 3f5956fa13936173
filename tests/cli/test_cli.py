"""The command line as a person meets it: real commands on real digits, and every mistake one sentence."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

from cambrian.architecture import Architecture, sample
from cambrian.cli import compare as comparing
from cambrian.cli import main
from cambrian.cli.display.live import LiveWatch
from cambrian.cli.options.architectures import architecture_of
from cambrian.cli.run_search import run_search
from cambrian.errors import UsageError
from cambrian.outcome import Crashed, Fidelity, Infeasible, Outcome, Trial
from cambrian.randomness import stream
from cambrian.search.ledger.rows import Row
from cambrian.search.result import Result
from cambrian.search.success import check_success
from cambrian.spaces.cells.pnas import PNAS
from commands import run_command

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
    "--space",
    "pnas",
]
"""With cells of up to five blocks, so that PNASNet-5's is one of the space's."""


def cambrian(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = run_command(*arguments)
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


def test_train_the_best_of_a_run(run: Path, tmp_path: Path) -> None:
    """The network that the run handed over, in its skeleton: as many weights, on other data."""
    place = tmp_path / "run"
    cambrian("train", run, "digits", "--run", place, "--limit", 300, "--epochs", 1)
    winners = [json.loads(cambrian("status", r, "--json").stdout)["winner"] for r in (run, place)]
    assert winners[0]["architecture"] == winners[1]["architecture"]
    assert winners[0]["metrics"]["params"] == winners[1]["metrics"]["params"]
    assert architecture_of(str(run), 1).architecture == Result.open(run).trials[1].architecture
    with pytest.raises(UsageError, match="has no trial 9: it has 2, from 0"):
        architecture_of(str(run), 9)


def test_an_architecture_as_an_editor_left_it(tmp_path: Path) -> None:
    """With a byte-order mark, and with its space written as on the command line."""
    answers = sample(PNAS(blocks=2), stream(0, "cell")).to_json()
    text = json.dumps({"space": "pnas(blocks=2)", "answers": answers})
    (tmp_path / "marked.json").write_text(text, encoding="utf-8-sig")
    found = architecture_of(str(tmp_path / "marked.json"))
    assert (found.space, found.architecture.to_json()) == (PNAS(blocks=2), answers)


FILES = {
    "illegal.json": {"blocks": 9},
    "number.json": {"space": 5, "answers": {}},
    "wrong.json": {"space": {"name": "pnas", "arguments": {"blocks": "x"}}, "answers": {}},
    "foreign.json": {"space": "os:getcwd", "answers": {}},
    "called.json": {"space": "os:getcwd(blocks=1)", "answers": {}},
    "unread.json": {"space": "(os:getcwd)", "answers": {}},
    "spec.json": {"space": {"name": "os:getcwd"}, "answers": {}},
    "list.json": [1, 2],
}
"""Architecture files that somebody may have been sent."""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["search", "digits", "--epochs", "0"], ["--epochs", "is 1 to"]),
        (["search", "digits", "--images", "0"], ["--images", "is 1 to"]),
        (["search", "digits", "--workers", "0"], ["--workers", "is 1 to"]),
        (["search", "digits", "--seed", "-5"], ["seed", "-5"]),
        (["search", "digits", "--strategy", "os:getcwd"], ["os:getcwd", "no strategy"]),
        (["train", "pnasnet-5", "digits", "--epochs", "0"], ["--epochs", "is 1 to"]),
        (["train", "pnasnet-5", "digits", "--filters", "0"], ["--filters", "is 1 to"]),
        (["train", "pnasnet-5", "digits", "--filters", "1"], ["filters is at least 2"]),
        (["train", "pnasnet-5", "digits", "--skeleton", "smal"], ["did you mean 'small'"]),
        (["train", "pnasnet-5", "digits", "--seed", "-5"], ["seed", "-5"]),
        (["train", "foreign.json", "digits"], ["foreign.json", "os:getcwd", "none of cambrian's own"]),
        (["draw", "spec.json"], ["spec.json", "os:getcwd", "none of cambrian's own"]),
        (["draw", "called.json"], ["called.json", "os:getcwd", "none of cambrian's own"]),
        (["draw", "unread.json"], ["write NAME, NAME(paper)"]),
        (["draw", "illegal.json"], ["blocks", "9"]),
        (["draw", "number.json"], ["cannot read 5 as a space"]),
        (["draw", "wrong.json"], ["pnas", "'x'"]),
        (["draw", "list.json"], ["list.json", "no architecture"]),
        (["draw", "missing.json"], ["missing.json", "neither a file, nor a run", "pnasnet-5"]),
        (["draw", "pnasnet-5", "--out", "nowhere/a.svg"], ["nowhere/a.svg", "No such file or directory"]),
        (["draw", "pnasnet-5", "--out", "nowhere/a.png"], ["nowhere/a.png", "No such file or directory"]),
        (["search", "digitz"], ["digits"]),
        (["search", "digits", "--strategy", "progresive"], ["progressive"]),
        (["search", "digits", "--surrogate", "mlp-ensembel"], ["mlp-ensemble"]),
        (["search", "digits", "--budget", "soon"], ["soon", "30m"]),
        (["search", "digits", "--metric", "acuracy"], ["accuracy"]),
        (["search", "digits", "--device", "gpu"], ["gpu", "cpu"]),
        (["search", "digits", "--levels", "0"], ["levels"]),
        (["train", "pnasnet-6", "digits"], ["pnasnet-5"]),
        (["audit", "digits", "--shortcuts", "train(epochs=0)"], ["epochs is at least 1, got 0"]),
        (["audit", "digits", "--shortcuts", "trian(epochs=1)"], ["did you mean 'train'"]),
        (["audit", "digits", "--truth", "synflow"], ["'synflow' is not a full training"]),
        (["status", "nowhere"], ["nowhere"]),
        (["status", ""], ["run directory is empty"]),
        (["search", "digits", "--run", ""], ["run directory is empty"]),
        (["report", "nowhere"], ["nowhere is not a run directory"]),
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
    for name, content in FILES.items():
        (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code in (2, 3)
    printed = capsys.readouterr().err.splitlines()
    message = [line for line in printed if line.startswith("cambrian: ")]
    assert len(message) == 1, printed
    assert not any(line.startswith(("fitting", "run:")) for line in printed), printed
    for word in words:
        assert word in message[0]
    assert not (tmp_path / "runs").exists(), "a run was begun"


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


def test_doctor_works_without_torch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is missing is what it is asked for: it names it with the command, and goes on."""
    installed = metadata.version

    def without(name: str) -> str:
        if name == "torch":
            raise metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(metadata, "version", without)
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(sys, "argv", ["cambrian", "doctor", "--json"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert found["missing"]["torch"] == "pip install torch"
    assert "torch" not in found["versions"]
    assert "torch" in found["cuda"]


def test_help_does_not_import_torch() -> None:
    """`cambrian --help` answers at once."""
    code = (
        "import sys; sys.argv = ['cambrian', '--help']\n"
        "from cambrian.cli import main\n"
        "try: main()\n"
        "finally: print('imported:', sorted({'torch', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "resume" in done.stdout
    assert done.stdout.splitlines()[-1] == "imported: []"


class Ended:
    """A search that says what it is told to, and ends as `outcome`, or by Ctrl-C."""

    def __init__(self, outcome: Outcome | None, notice: str | None = None) -> None:
        self.outcome, self.notice, self.task, self.final = outcome, notice, None, None
        self.estimators: dict[str, object] = {}

    def run(self, place: Path, watch: LiveWatch) -> Result:
        if self.outcome is None:
            raise KeyboardInterrupt
        trial = Trial(0, Architecture({"blocks": 1}), Fidelity(), outcome=self.outcome)
        result = Result(PNAS(), None, [Row(trial, "key", "done", 1, 0)], {}, [], place)
        check_success(result)
        return result


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Crashed("RuntimeError: boom", "Traceback ..."), "RuntimeError: boom"),
        (Infeasible("oom", "more than 3 GiB"), "more than 3 GiB"),
    ],
)
def test_a_failure_is_told_in_words(
    outcome: Outcome, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not as Python prints a record."""
    with pytest.raises(typer.Exit):
        run_search(Ended(outcome), tmp_path, {}, False)  # type: ignore[arg-type]
    assert f"no trial succeeded; the first of 1: {words}\n" in capsys.readouterr().err


def test_text_is_printed_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What looks like the display's markup is the user's own, and the command to go on can be pasted."""
    monkeypatch.setattr("cambrian.search.ledger.run_directory.read_begun", lambda place: {})
    place = tmp_path / "my [bold]run[/i]"
    with pytest.raises(KeyboardInterrupt):
        run_search(Ended(None, "classes [/red] and [b]"), place, {}, False)  # type: ignore[arg-type]
    printed = capsys.readouterr().err.splitlines()
    assert printed[0] == "note: classes [/red] and [b]"
    assert printed[1] == f"run: {place}"
    command = printed[2].partition("go on with: ")[2]
    assert shlex.split(command) == ["cambrian", "resume", str(place)]


def test_a_comparisons_directory_is_printed_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same for `compare`."""
    place = tmp_path / "my [bold]run[/i]"

    def stopped(watch: object, begin: Callable[[], object]) -> None:
        begin()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        comparing._present(place, False, stopped)
    printed = capsys.readouterr().err.splitlines()
    assert printed[0] == f"run: {place}"
    command = next(line for line in printed if "go on with" in line).partition("go on with: ")[2]
    assert shlex.split(command) == ["cambrian", "compare", "--run", str(place)]
