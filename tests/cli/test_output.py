"""Standard output that is not UTF-8, and standard output that cannot be written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path

import pytest

from cambrian.cli.display.output import PLAIN
from commands import Commands, forked
from tiers import slow_but

GOLDEN = Path(__file__).parents[1] / "golden" / "runs" / "train-finished"
PLACES = [
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "cp1252"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "POSIX"},
]


def cambrian(*arguments: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "cambrian", *map(str, arguments)],
        capture_output=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


@cache
def draw_in_unicode() -> str:
    return cambrian("draw", "pnasnet-5", PYTHONIOENCODING="utf-8").stdout.decode()


@pytest.mark.parametrize("place", slow_but((PLACES[1], PLACES[3]), PLACES), ids=str)
def test_a_drawing_in_another_encoding(place: dict[str, str]) -> None:
    """The same lines, with signs that are there: rails stay rails of the same width."""
    shown = draw_in_unicode()
    done = cambrian("draw", "pnasnet-5", **place)
    assert done.returncode == 0, done.stderr
    plain = "".join(PLAIN.get(sign, sign) for sign in shown)
    assert done.stdout.decode("utf-8") in (plain, shown)  # a C locale may be UTF-8 to Python


@pytest.mark.parametrize("place", slow_but(PLACES[:1], PLACES[:4]), ids=str)
def test_names_that_cannot_be_written(place: dict[str, str], tmp_path: Path) -> None:
    """Every command that looks at a run whose place has a name in other letters ends well."""
    run = tmp_path / "größe–λ"
    shutil.copytree(GOLDEN, run)
    with in_place(place) as commands:
        for command in (
            ["status", run],
            ["resume", run],
            ["report", run],
            ["doctor", run],
            ["status", run / "no"],
        ):
            done = commands.run(*command, environment={**os.environ, **place})
            assert done.returncode == (3 if command[-1] != run else 0), done.stderr
            assert b"Traceback" not in done.stderr


def in_place(place: dict[str, str]) -> AbstractContextManager[Commands]:
    """Commands in an environment. The encoding of streams alone is chosen by a fork too; a locale decides how
    an interpreter reads names of files, from its start."""
    return nullcontext(forked()) if place.keys() == {"PYTHONIOENCODING"} else Commands(place)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """A file's name goes out as it came in."""
    name = b"r\xff"
    done = subprocess.run([sys.executable, "-m", "cambrian", "status", name], capture_output=True)
    assert done.returncode == 3
    assert name in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("more", [[], pytest.param(["--json"], marks=pytest.mark.slow)])
def test_a_full_disk_behind_standard_output(more: list[str]) -> None:
    """One sentence, no traceback."""
    command = [sys.executable, "-m", "cambrian", "draw", "pnasnet-5", *more]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 3
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
@pytest.mark.parametrize("more", slow_but(("",), ["", "--json"]))
def test_streams_that_the_shell_has_closed(closed: str, more: str) -> None:
    """Nobody hears it, and nothing breaks."""
    command = f"{sys.executable} -m cambrian draw pnasnet-5 {more} {closed}"
    assert subprocess.run(command, shell=True, capture_output=True).returncode == 0
