"""Run directories of the first edition open, report and resume."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from golden_searches import HERE, RUNS

import cambrian
from cambrian.outcome import Done
from cambrian.search.result import Result
from cambrian.search.search import Search

DIRECTORIES = sorted(path.name for path in (HERE / "runs").iterdir())


@pytest.fixture
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of the golden run that the test is parametrised with."""
    return copied(request.param, tmp_path)


def copied(name: str, place: Path) -> Path:
    """SQLite writes beside what it reads, so that the recorded files are never opened themselves."""
    return Path(shutil.copytree(HERE / "runs" / name, place / name))


def test_all_are_kept() -> None:
    """Each search has a finished run and a killed one."""
    assert sorted(f"{name}-{ending}" for name in RUNS for ending in ("finished", "killed")) == DIRECTORIES


@pytest.mark.parametrize("run", DIRECTORIES, indirect=True)
def test_opens_and_reports(run: Path) -> None:
    """Trials have their architectures and values, and the report is written."""
    result = Result.open(run)
    assert result.best is not None
    assert all(isinstance(trial.architecture, cambrian.Architecture) for trial in result.trials)
    assert cambrian.report(result, run / "report.html").stat().st_size > 1000


@pytest.mark.parametrize("run", ["function-killed"], indirect=True)
def test_a_killed_search_goes_on(run: Path, tmp_path: Path) -> None:
    """Resumed, the killed search ends with the trials of the one that nobody disturbed."""
    expected = Result.open(copied("function-finished", tmp_path))
    result = Search.resume(run).run(run)
    assert [(t.architecture, t.value, t.parent) for t in result.trials] == [
        (t.architecture, t.value, t.parent) for t in expected.trials
    ]


@pytest.mark.parametrize("run", ["train-killed"], indirect=True)
def test_a_killed_final_stage_goes_on(run: Path) -> None:
    """What had ended stays as it was, and the run ends with a trained network."""
    before = Result.open(run)
    result = Search.resume(run).run(run)
    for trial in before.trials + [t for t in before.finals if t.outcome is not None]:
        assert trial in result.trials + result.finals
    assert result.winner is not None
    assert isinstance(result.winner.outcome, Done)
    assert not result.model().training


@pytest.mark.parametrize("run", ["train-finished"], indirect=True)
def test_a_finished_run_hands_over_its_network(run: Path) -> None:
    """The weights of the first edition load into the network that is built now."""
    result = Result.open(run)
    assert result.winner is not None
    assert sum(p.numel() for p in result.model().parameters()) > 100
