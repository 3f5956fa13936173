"""A disk that refuses: files beyond a size, which a limit of the operating system stands in for."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import continuing
import mocks
from cambrian.architecture import Architecture
from cambrian.errors import DiskRefused, NothingSucceeded
from cambrian.estimators.function import Function
from cambrian.outcome import Crashed, Done, Fidelity
from cambrian.search.engines.engine import Assignment, Engine, Report, Work
from cambrian.search.ledger import store
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.result import Result
from cambrian.search.search import Search
from commands import run_command

GOLDEN = Path(__file__).parents[1] / "golden" / "runs" / "train-finished"
SEARCH = ["search", "digits", "--limit", 200, "--epochs", 1, "--final-epochs", 1, "--run", "run"]


def cambrian(limit: int, *arguments: object, place: Path) -> subprocess.CompletedProcess[str]:
    """A command in a process whose files may have so many bytes (-1: any number)."""
    return run_command(*arguments, place=place, limit=limit)


@pytest.mark.parametrize(("workers", "times"), [(1, 1), pytest.param(2, 6, marks=pytest.mark.slow)])
def test_weights_that_find_no_room(workers: int, times: int, tmp_path: Path) -> None:
    """The run stops with a sentence, however often it is tried, and ends well once there is room: nothing
    is held against the networks."""
    done = cambrian(90_000, *SEARCH, "--budget", 2, "--workers", workers, place=tmp_path)
    for _ in range(times):  # six: more often than a trial may be begun that ends its process
        assert done.returncode == 3, done.stderr
        assert "File too large" in done.stderr.splitlines()[-1]
        assert "resume" in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
        done = cambrian(90_000, "resume", "run", place=tmp_path)
    left = [
        f for place in ("drafts", "artifacts") for f in (tmp_path / "run" / place).rglob("*") if f.is_file()
    ]
    assert not left, "parts of files are left"
    done = cambrian(-1, "resume", "run", place=tmp_path)
    assert done.returncode == 0, done.stderr
    result = Result.open(tmp_path / "run")
    assert result.winner is not None
    assert all(trial.value is not None for trial in (*result.trials, *result.finals))


@pytest.mark.parametrize("limit", [1_000, 20_000])
def test_a_run_that_cannot_be_begun(limit: int, tmp_path: Path) -> None:
    """Neither its ledger nor the data find room: a sentence, and the same command works afterwards."""
    search = [*SEARCH, "--budget", 1, "--strategy", "random", "--space", "tiny-chain", "--workers", 1]
    done = cambrian(limit, *search, place=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("cambrian: cannot ")
    again = ["resume", "run"] if (tmp_path / "run" / "ledger.sqlite").exists() else search
    done = cambrian(-1, *again, place=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["report", "run"], 2),
        (["export", "run", "out"], 2),
        (["draw", "run", "--out", "cell.png"], 2),
        (["draw", "run", "--out", "cell.svg"], 2),
    ],
)
def test_files_that_find_no_room(arguments: list[str], code: int, tmp_path: Path) -> None:
    """A sentence that names the file, and no part of it is left where it was wanted."""
    shutil.copytree(GOLDEN, tmp_path / "run")
    done = cambrian(300, *arguments, place=tmp_path)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "File too large" in done.stderr.splitlines()[-1]
    assert {path.name for path in tmp_path.iterdir()} <= {"run"}
    assert not (tmp_path / "run" / "report.html").exists()


class Refusing:
    """An evaluation whose writing fails so."""

    def __init__(self, code: int) -> None:
        self.code = code

    def __call__(self, architecture: Architecture, fidelity: Fidelity) -> float:
        if self.code:
            raise OSError(self.code, os.strerror(self.code), "/scratch/features")
        return 1.0


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS])
def test_a_function_of_ones_own_that_finds_no_room(code: int, tmp_path: Path) -> None:
    """It stops the run, naming the file, and is evaluated again."""
    function = Refusing(code)

    def search() -> Search:
        return Search("tiny-chain", "random", Function(function, builds=False), budget=2)

    with pytest.raises(DiskRefused, match="/scratch/features"):
        search().run(tmp_path)
    function.code = 0
    assert [trial.value for trial in search().run(tmp_path).trials] == [1.0, 1.0]


class OneIsRefused(Engine):
    """Of two evaluations that end together, the disk refused what the second wrote."""

    slots = 2

    def start(self, work: Work) -> None:
        self.given: list[Assignment] = []

    def submit(self, assignment: Assignment) -> None:
        self.given.append(assignment)

    def wait(self, timeout: float | None = None) -> list[Report]:
        first, second = self.given
        return [
            Report(first.trial.number, first.attempt, outcome=Done(1.0)),
            Report(second.trial.number, second.attempt, refused="the disk refused a file: full"),
        ]

    def cancel(self, number: int) -> None: ...

    def close(self) -> None: ...


def test_what_ended_beside_a_refusal_is_kept(tmp_path: Path) -> None:
    """Only the trial whose file was refused is evaluated again, and neither counts as failed."""
    function = Function(Refusing(0), builds=False)
    with pytest.raises(DiskRefused, match="the disk refused a file: full"):
        Search("tiny-chain", "random", function, budget=2, engine=OneIsRefused()).run(tmp_path)
    ledger = Ledger.read(tmp_path / "ledger.sqlite")
    first, second = (row.trial for row in ledger.rows())
    ledger.close()
    assert (first.value, second.outcome) == (1.0, None)


def test_an_artifact_that_finds_no_room_does_not_count_against_its_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often the run is resumed on the full disk, the trial is evaluated again when there is room."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    def search() -> Search:
        return Search(mocks.Toy(), continuing.Halving(), continuing.Sleeps(0.0001), budget=1, attempts=2)

    for _ in range(3):
        with monkeypatch.context() as patch:
            patch.setattr(store, "move_file", refuse)
            with pytest.raises(DiskRefused, match="the disk refused an artifact"):
                search().run(tmp_path)
    (trial,) = search().run(tmp_path).trials
    assert isinstance(trial.outcome, Done)


def test_a_file_that_is_missing_is_the_evaluations_own_fault(tmp_path: Path) -> None:
    """Only what concerns the disk stops a run: other errors of the system are a failed trial."""
    function = Function(Refusing(errno.ENOENT), builds=False)
    with pytest.raises(NothingSucceeded) as caught:
        Search("tiny-chain", "random", function, budget=2).run(tmp_path)
    for trial in caught.value.result.trials:
        assert isinstance(trial.outcome, Crashed)
        assert "/scratch/features" in trial.outcome.error


def test_a_place_for_files_that_cannot_be_made_is_not_the_architectures_fault(tmp_path: Path) -> None:
    """As where a mode was changed while the search was at work: every later trial was recorded as crashed."""

    def search() -> Search:
        return Search(mocks.Toy(), continuing.Halving(), continuing.Sleeps(0.0001), budget=2)

    (tmp_path / "drafts").write_text("in the way")
    with pytest.raises(DiskRefused, match=r"the disk refused .*drafts/0-1"):
        search().run(tmp_path, quiet=True)
    (tmp_path / "drafts").unlink()
    assert all(isinstance(t.outcome, Done) for t in search().run(tmp_path, quiet=True).trials)
