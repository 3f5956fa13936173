"""Run directories: names that are claimed, by many at once, and places that are refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import cambrian.cli.commands  # noqa: F401  (registers the commands)
import mocks
from cambrian.cli.app import app
from cambrian.errors import RunError, UsageError
from cambrian.search.ledger.run_directory import check_apart, claim, disclaim, name_place
from cambrian.search.search import Search

CLAIM = """
import sys
from cambrian.search.ledger.run_directory import claim
sys.stdin.readline()
for _ in range(20):
    print(claim("photos"))
"""


def test_names_begun_at_once_are_different(tmp_path: Path) -> None:
    """Six processes that wait for one another take twenty names each: none is taken twice, none left out."""
    command = [sys.executable, "-c", CLAIM]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": tmp_path}
    claimers = [subprocess.Popen(command, **pipes) for _ in range(6)]  # type: ignore[call-overload]
    for process in claimers:
        process.stdin.write("\n")
        process.stdin.flush()
    names = [name for process in claimers for name in process.communicate()[0].split()]
    assert sorted(names) == sorted(f"runs/photos-{n}" for n in range(1, 121))
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {Path(name).name for name in names}


def test_what_is_there_is_passed_over(tmp_path: Path) -> None:
    """Whatever it is: a run, a file, a link to nowhere."""
    (tmp_path / "a-1").mkdir()
    (tmp_path / "a-2").write_text("")
    (tmp_path / "a-3").symlink_to("nowhere")
    assert claim("a", tmp_path) == tmp_path / "a-4"


def test_a_name_is_given_back_while_nothing_lies_there(tmp_path: Path) -> None:
    """And with it the directory that was made for it, unless others are in it."""
    first, second = claim("a", tmp_path / "runs"), claim("a", tmp_path / "runs")
    (second / "ledger").write_text("")
    disclaim(first)
    disclaim(second)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["a-2"]
    (second / "ledger").unlink()
    disclaim(second)
    assert not (tmp_path / "runs").exists()


def test_where_none_can_be_made(tmp_path: Path) -> None:
    """One sentence that has the place: a file in the way, a name too long, a directory that nobody
    may write in."""
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    for root, name in ((tmp_path / "file", "a"), (tmp_path / "link", "a"), (tmp_path, "a" * 300)):
        with pytest.raises(UsageError, match="cannot make the run directory"):
            claim(name, root)
    if os.geteuid() != 0:
        (tmp_path / "closed").mkdir(mode=0o500)
        with pytest.raises(UsageError, match="Permission denied"):
            claim("a", tmp_path / "closed")


@pytest.mark.parametrize(
    ("command", "run"),
    [
        (["search", "pets"], "pets"),
        (["search", "pets"], "pets/run"),
        (["search", "."], None),
        (["train", "pnasnet-5", "pets"], "pets"),
        (["audit", "pets"], "pets"),
    ],
)
def test_a_run_does_not_lie_among_the_data(
    command: list[str], run: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folders would be read as classes by the next command: it is refused before anything is written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pets" / "cat").mkdir(parents=True)
    done = CliRunner().invoke(app, command if run is None else [*command, "--run", run])
    assert isinstance(done.exception, UsageError)
    assert "would lie in the folder of the data" in str(done.exception)
    assert [path.name for path in tmp_path.rglob("*")] == ["pets", "cat"]


@pytest.mark.parametrize("command", [["search", ""], ["train", "pnasnet-5", ""], ["audit", ""]])
def test_an_empty_path_is_no_folder(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a shell's variable that is not set: the data are missing, and nothing is in their folder."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, command)
    assert isinstance(done.exception, UsageError)
    assert "the path of the data is empty" in str(done.exception)
    assert not list(tmp_path.iterdir())


def test_a_run_may_lie_beside_the_data(tmp_path: Path) -> None:
    """In a folder that holds both; the name of a known data set is no folder."""
    (tmp_path / "pets").mkdir()
    check_apart(tmp_path / "runs", str(tmp_path / "pets"))
    check_apart(tmp_path / "pets-run", str(tmp_path / "pets"))
    check_apart(tmp_path / "digits", "digits")


def test_a_name_that_no_file_can_have_is_a_sentence() -> None:
    """A text with a null character, which the system would cut or refuse."""
    with pytest.raises(UsageError, match="has a null character"):
        name_place("runs/a\0b")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_not_utf_8_runs_here_alone(tmp_path: Path) -> None:
    """Messages between processes are JSON, which cannot carry it."""
    place = tmp_path / os.fsdecode(b"caf\xe9")

    def run(name: str, engine: str) -> int:
        search = Search(mocks.Toy(), "random", mocks.Mock(), budget=2, engine=engine, workers=1)
        return len(search.run(place / name, quiet=True).trials)

    assert run("serial", "serial") == 2
    with pytest.raises(RunError, match=r"not UTF-8.*or engine 'serial'"):
        run("processes", "processes")
