"""Run directories: names that are claimed, by many at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cambrian.errors import UsageError
from cambrian.search.ledger.run_directory import claim, disclaim

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
