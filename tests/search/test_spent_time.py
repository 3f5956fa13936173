"""The time that a run has spent counts in its next session, however the last one ended."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

import mocks
from cambrian.outcome import Done, Fidelity, Point
from cambrian.search.display.progress import read_progress
from cambrian.search.loop import execution
from cambrian.search.loop.final import Final
from cambrian.search.result import Result
from cambrian.search.search import Search
from cambrian.spaces.chains.tiny_chain import TinyChain


class Clock:
    """The machine's clock, which trainings alone move on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def read(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    moved = Clock()
    monkeypatch.setattr(time, "monotonic", moved.read)
    return moved


@dataclass(frozen=True)
class Slow:
    """Final trainings have points of six seconds each, after which `then` is called; trials take no time."""

    clock: Clock
    then: Callable[[int], None]
    delivers: ClassVar[bool] = True
    builds: ClassVar[bool] = False
    needs: ClassVar[tuple[type, ...]] = ()

    def prepare(self) -> None:
        pass

    def run(self, job: Any) -> Any:
        if job.stage == "deliver":
            for step in range(1, 9):
                self.clock.now += 6.0
                self.then(step)
                yield Point(step, {})
        return Done(mocks.truth(job.architecture, 0))


def search(clock: Clock, then: Callable[[int], None]) -> Search:
    final = Final(Fidelity(8), top=1, baselines=(), share=0.9)
    return Search(TinyChain(4), "random", Slow(clock, then), budget="3,10m", final=final)


def spent(place: Path) -> float:
    """As `status` says, at the moment at which the ledger was written last."""
    return read_progress(Result.open(place), now=0.0).elapsed


def test_an_interruption_gives_no_time_back(clock: Clock, tmp_path: Path) -> None:
    """Two sessions are interrupted after four points of six seconds, and one is not."""

    def interrupt(step: int) -> None:
        if step == 4:
            raise KeyboardInterrupt

    for sessions in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            search(clock, interrupt).run(tmp_path, quiet=True)
        assert spent(tmp_path) == 24 * sessions
    result = search(clock, lambda step: None).run(tmp_path, quiet=True)
    assert result.rows[-1].elapsed == 48 + 48
    assert result.rows[0].elapsed == 0


def test_a_kill_gives_no_more_back_than_a_beat(clock: Clock, tmp_path: Path) -> None:
    """The files as they are in the middle of a training are what a kill leaves."""

    def copy(step: int) -> None:
        if step == 7:
            shutil.copytree(tmp_path / "run", tmp_path / "killed")

    search(clock, copy).run(tmp_path / "run", quiet=True)
    # A point comes every six seconds: the clock is noted at every second one.
    assert spent(tmp_path / "killed") == 36
    assert execution.BEAT < 12
    assert spent(tmp_path / "run") == 48


def test_a_conversation_counts_what_its_caller_took(clock: Clock, tmp_path: Path) -> None:
    """Also for a trial that is never told: the next conversation begins with the time of the last one."""
    talk = Search(TinyChain(4), "random", mocks.Mock(), budget="9,60s", lag=2)
    assert talk.ask(tmp_path) is not None
    clock.now += 40.0
    assert talk.ask(tmp_path) is not None
    assert spent(tmp_path) == 40
    clock.now += 30.0
    talk.close()
    assert spent(tmp_path) == 70
    again = Search(TinyChain(4), "random", mocks.Mock(), budget="9,60s", lag=2)
    # The two that are out are asked again, and no third one.
    assert [again.ask(tmp_path) is None for _ in range(3)] == [False, False, True]
    again.close()
