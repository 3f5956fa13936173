"""Runs that are refused or stopped before they begin: nothing is left that was made for them, nothing is gone
that was there before, and the directory is free for the next."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import cambrian
import mocks
from cambrian import Search
from cambrian.architecture import sample
from cambrian.cli.options.run import check_unused
from cambrian.cli.run_search import run_search
from cambrian.errors import RunBusy, RunChanged, RunError, Unbuildable, UsageError
from cambrian.randomness import stream
from cambrian.search.engines.engine import Work
from cambrian.search.engines.serial import Serial
from cambrian.search.ledger import lock as locks
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.lock import Lock
from cambrian.search.ledger.run_directory import read_begun
from cambrian.search.parts.components import task_of
from cambrian.strategies.random import Random
from cambrian.testing import toy_task


@cambrian.space
def frozen(pick: Any, task: Any) -> Any:
    """Networks that cannot be trained: refused when a run begins."""
    from torch import nn

    pick("n", [4, 8])
    network = nn.Sequential(nn.Flatten(), nn.Linear(task.channels * task.height * task.width, task.classes))
    return network.requires_grad_(False)


class Choosy(Random):
    """Refuses the problem, as a strategy may that cannot search the space."""

    def start(self, problem: Any) -> Any:
        raise UsageError("not in this space")


class Stopped(Random):
    """Ctrl-C comes before the first trial."""

    def start(self, problem: Any) -> Any:
        raise KeyboardInterrupt


class Unreachable(Serial):
    def start(self, work: Work) -> None:
        raise RunError("the cluster cannot be reached")


def searching(**settings: Any) -> Search:
    return Search(
        **{"space": mocks.Toy(), "strategy": "random", "estimator": mocks.Mock(), "budget": 2} | settings
    )


REFUSED: dict[str, dict[str, Any]] = {
    "space": {"space": frozen, "estimator": "train", "task": toy_task()},
    "strategy": {"strategy": Choosy(), "task": toy_task()},
    "engine": {"engine": Unreachable()},
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refused_run_leaves_nothing(kind: str, tmp_path: Path) -> None:
    """Neither the folders on the way, and the same again is refused in the same words; another search begins
    there."""
    said = set()
    for _ in range(2):
        with pytest.raises((UsageError, RunError)) as caught:
            searching(**REFUSED[kind]).run(tmp_path / "some" / "run", quiet=True)
        said.add(str(caught.value))
        assert not list(tmp_path.iterdir())
    assert len(said) == 1
    assert len(searching().run(tmp_path / "some" / "run", quiet=True).trials) == 2


def test_what_was_there_stays(tmp_path: Path) -> None:
    """Files of the user's, data that were prepared before, and a run that others began."""
    task = task_of(toy_task())
    task.save(tmp_path / "task")
    (tmp_path / "lock").touch()
    (tmp_path / "notes.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Unbuildable):
        searching(**REFUSED["space"] | {"task": task}).run(tmp_path, quiet=True)
    assert sorted(tmp_path.rglob("*")) == before
    searching().run(tmp_path, quiet=True)
    with pytest.raises(RunChanged):
        searching(seed=1).run(tmp_path, quiet=True)
    assert len(searching().run(tmp_path, quiet=True).trials) == 2


def test_a_name_that_was_claimed_for_a_refused_run_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Unbuildable):
        searching(**REFUSED["space"]).run(quiet=True)
    assert not list(tmp_path.iterdir())


def test_a_refused_question_unlocks_the_directory(tmp_path: Path) -> None:
    """By other settings than the run's, and by the strategy: the next search may ask there."""
    with pytest.raises(UsageError, match="not in this space"):
        searching(**REFUSED["strategy"]).ask(tmp_path / "run")
    assert not list(tmp_path.iterdir())
    first = searching()
    first.ask(tmp_path / "run")
    first.close()
    other = searching(seed=1)
    with pytest.raises(RunChanged):
        other.ask(tmp_path / "run")
    again = searching()
    trial = again.ask(tmp_path / "run")
    assert trial is not None
    assert trial.number == 0
    again.close()


def test_stopped_before_it_began(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C before the settings are kept leaves nothing, and says so; after that the run can be resumed."""

    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("cambrian.search.session.agree", stop)
        with pytest.raises(KeyboardInterrupt):
            run_search(searching(), tmp_path / "run", {}, False)
    assert "stopped before the search began: give the same command again" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        run_search(searching(strategy=Stopped()), tmp_path / "run", {}, False)
    assert "cambrian resume" in capsys.readouterr().err
    assert read_begun(tmp_path / "run") is not None


def test_a_directory_is_used_once_its_run_has_begun(tmp_path: Path) -> None:
    """A ledger that a kill left before its settings were there is none of a run: `search --run` begins it."""
    Ledger.create(tmp_path / "ledger.sqlite").close()
    check_unused(tmp_path)
    searching().run(tmp_path, quiet=True)
    with pytest.raises(UsageError, match="holds a run already: go on with cambrian resume"):
        check_unused(tmp_path)
    with pytest.raises(UsageError, match=r"cannot make the run directory .*ledger\.sqlite is a file"):
        check_unused(tmp_path / "ledger.sqlite" / "run")
    for refuse in (check_unused, read_begun, searching().run):
        with pytest.raises(UsageError, match="cannot make the run directory"):
            refuse(tmp_path / ("a" * 300))


def test_a_lock_that_its_holder_removed_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waited for it holds the one that is there afterwards, so that a third is refused."""
    first, take = Lock(tmp_path), locks._take
    turns = iter([True])

    def wait(file: int) -> None:
        if next(turns, False):
            first.remove()
            first.release()
        take(file)

    monkeypatch.setattr(locks, "_take", wait)
    second = Lock(tmp_path)
    assert os.path.samestat(os.fstat(second._file), (tmp_path / "lock").stat())
    with pytest.raises(RunBusy):
        Lock(tmp_path)
    second.release()


def test_an_architecture_needs_a_final_stage(tmp_path: Path) -> None:
    search = searching()
    architecture = sample(search.space, stream(0, "a"))
    with pytest.raises(UsageError, match="trained as a final stage, and this search has none"):
        search.train(architecture, tmp_path / "run")
    assert not list(tmp_path.iterdir())
