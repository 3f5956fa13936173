"""Budgets of time: what is begun, what is stopped, what is shortened, and what a larger budget does anew."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from msgspec.structs import replace

import mocks
from cambrian.architecture import Architecture
from cambrian.estimators.train import Train
from cambrian.outcome import ENDLESS, Done, Fidelity, Infeasible, Point, Trial
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.loop.deadlines import FinalDeadlines, SearchDeadlines, expect_final_seconds
from cambrian.search.loop.final import Final
from cambrian.search.search import Search
from cambrian.spaces.chains.tiny_chain import TinyChain
from cambrian.strategies.multifidelity.race import Race
from cambrian.testing import toy_task
from small_training import SmallConv, bars

SOME = Architecture({"layers": 1, "layer1/operation": "skip"})


@dataclass(frozen=True)
class Patient:
    """The first three trials end at once; later ones, and final trainings other than the winner's, only once
    a file says that there is time."""

    released: str
    first: int = 3
    delivers: ClassVar[bool] = True
    builds: ClassVar[bool] = False
    needs: ClassVar[tuple[type, ...]] = ()

    def prepare(self) -> None:
        pass

    def run(self, job):
        step = 0
        quick = (job.number < self.first and not job.shorten) or job.stage == "deliver"
        while not quick and not os.path.exists(self.released):
            time.sleep(0.02)
            yield Point(step := step + 1, {"value": 0.0})
        return Done(mocks.truth(job.architecture, 0))


def search(tmp_path: Path, engine: str, budget: str, first: int = 3, final: bool = False) -> Search:
    return Search(
        TinyChain(4),
        "random",
        Patient(str(tmp_path / "released"), first),
        budget=budget,
        engine=engine,
        lag=4,
        final=Final(Fidelity(2), top=2, baselines=()) if final else None,
    )


def rows(place: Path) -> list[tuple[int, str]]:
    ledger = Ledger.read(place / "ledger.sqlite")
    found = [(row.trial.number, row.state) for row in ledger.rows()]
    ledger.close()
    return found


def contents(place: Path) -> list[tuple[object, ...]]:
    ledger = Ledger.read(place / "ledger.sqlite")
    found = ledger.contents()
    ledger.close()
    return found


@pytest.mark.parametrize(("engine", "seconds"), [("serial", 1.5), ("processes", 3.0)])
def test_what_is_late_is_stopped_and_done_again(tmp_path: Path, engine: str, seconds: float) -> None:
    """A trial that would never end is stopped with the budget: it is no failure, keeps its row, and under
    the same budget is let lie. With a larger one the search goes on to what an undisturbed one gives."""
    result = search(tmp_path, engine, f"8,{seconds}s").run(tmp_path / "run")
    late = [n for n, state in rows(tmp_path / "run") if state == "running"]
    assert late
    assert len(late) <= 2
    assert {t.number for t in result.trials if t.value is not None} <= {0, 1, 2}
    assert all(t.value is not None or t.outcome is None for t in result.trials)
    before = rows(tmp_path / "run")
    search(tmp_path, engine, f"8,{seconds}s").run(tmp_path / "run")
    assert rows(tmp_path / "run") == before
    (tmp_path / "released").touch()
    search(tmp_path, engine, "8,1h").run(tmp_path / "run")
    search(tmp_path, engine, "8").run(tmp_path / "undisturbed")
    values = [[row[-1] for row in contents(tmp_path / name)] for name in ("run", "undisturbed")]
    assert len(values[0]) == 8
    assert values[0] == values[1]


@pytest.mark.parametrize("first", [0, pytest.param(3, marks=pytest.mark.slow)])
def test_a_run_ends_with_a_network(tmp_path: Path, first: int) -> None:
    """Finalists that are never ready are given up, and where not one trial was ready the first architecture
    that was proposed is delivered."""
    result = search(tmp_path, "serial", "2s", first, final=1 / 3).run(tmp_path / "run")
    assert result.winner is not None
    assert result.winner.value is not None
    ended = [t for t in result.trials if t.value is not None]
    assert len(ended) == first
    finalists = [t for t in result.finals if t.role == "finalist"]
    assert all(t.outcome.reason == "timeout" for t in finalists)
    if not first:
        assert result.winner.architecture == result.trials[0].architecture


def test_a_training_bounded_by_seconds_is_scored_at_the_deadline(tmp_path: Path) -> None:
    """It is asked for an hour, the search has two seconds: it ends with what it has learned, and is neither
    stopped nor lost."""
    recipe = Train(batch_size=16, schedule="constant", decay_epochs=1.0, epoch_steps=5)
    fidelity = Fidelity(ENDLESS, seconds=3600.0)
    result = Search(SmallConv(), "random", recipe, bars(), budget="2s", fidelity=fidelity, final=None).run(
        tmp_path / "run"
    )
    assert rows(tmp_path / "run") == [(0, "done")]
    outcome = result.trials[0].outcome
    assert isinstance(outcome, Done)
    assert outcome.seconds < 60
    assert outcome.metrics["steps"] > 0
    # Its epochs are of five steps, but for the last one, which the deadline cuts short.
    assert [p.metrics["steps"] for p in outcome.curve[:-1]] == [5.0 * p.step for p in outcome.curve[:-1]]
    assert outcome.curve[-1].metrics["steps"] == outcome.metrics["steps"]
    deadlines = SearchDeadlines(90.0, lambda: [], final=0.0)
    bounded = Trial(0, SOME, fidelity)
    assert [deadlines.overdue(bounded, at) for at in (90.0, 96.0)] == [False, True]


def ended(number: int, seconds: float, value: float = 0.5, level: int = 1) -> Trial:
    return Trial(number, SOME, Fidelity(), reason={"level": level}, outcome=Done(value, seconds=seconds))


def test_the_search_begins_what_will_be_ready() -> None:
    """With two thirds of the time for it: not a trial as long as the last ones that would end later; and
    without any value, until nine tenths."""
    trials = [ended(n, seconds) for n, seconds in enumerate([1, 1, 1, 9, 9, 9, 9, 9, 9, 9, 9])]
    deadlines = SearchDeadlines(90.0, lambda: trials, final=1 / 3)
    for trial in trials:
        deadlines.learn(trial, trial.outcome.seconds)
    assert [deadlines.over(at) for at in (40.0, 50.9, 51.0, 60.0)] == [False, False, True, True]
    assert deadlines.of(trials[0]) == 60.0
    empty = SearchDeadlines(90.0, list, final=1 / 3)
    assert [empty.over(at) for at in (60.0, 80.9, 81.0)] == [False, False, True]
    assert SearchDeadlines(90.0, list, final=0.0).end() == 90.0


def test_a_training_whose_length_is_its_time_is_begun_for_nine_tenths_of_it() -> None:
    """After one of 30 s, as long as 27 s are left before the final stage."""
    trials = [replace(ended(0, 30.0), fidelity=Fidelity(ENDLESS, seconds=28.0))]
    deadlines = SearchDeadlines(90.0, lambda: trials, final=1 / 3)
    deadlines.learn(trials[0], 30.0)
    assert [deadlines.over(at) for at in (32.9, 33.0)] == [False, True]


def test_a_supernet_leaves_time_for_its_children() -> None:
    """Its training ends at two thirds of the search's part; its value is none of a child's, of which there
    are to be three before the final stage, should that begin late."""
    supernet = Trial(0, SOME, Fidelity(), kind="supernet", outcome=Done(0.5, seconds=9.0))
    trials = [supernet]
    deadlines = SearchDeadlines(90.0, lambda: trials, final=1 / 3, fewest=3)
    deadlines.learn(supernet, 50.0)  # which is no forecast of a child's
    assert not deadlines.over(39.0)
    assert deadlines.of(supernet) == pytest.approx(40.0)
    assert deadlines.end() == pytest.approx(81.0)
    trials += [ended(n, 0.1) for n in (1, 2)]
    assert deadlines.end() == pytest.approx(81.0)
    trials.append(ended(3, 0.1))
    assert deadlines.end() == pytest.approx(60.0)


def test_the_final_stage_keeps_the_winners_time() -> None:
    """A finalist is begun while two trainings fit, a baseline while one does; what is learned of a
    training's length counts more than what was expected."""
    deadlines = FinalDeadlines(100.0, began=60.0, each=10.0)
    assert [deadlines.fits("finalist", at) for at in (60.0, 79.9, 80.0)] == [True, True, False]
    assert [deadlines.fits("baseline random", at) for at in (80.0, 90.0)] == [True, False]
    finalist, winner = (Trial(0, SOME, Fidelity(), kind="final", role=r) for r in ("finalist", "winner"))
    assert (deadlines.of(finalist), deadlines.of(winner)) == (90.0, 100.0)
    assert not deadlines.overdue(winner, 1e9)
    assert deadlines.overdue(finalist, 95.0)
    deadlines.learn(replace(finalist, outcome=Infeasible("nan")), 70.0)
    deadlines.learn(replace(finalist, outcome=Done(0.5)), 20.0)
    assert deadlines.fits("finalist", 59.0)
    assert not deadlines.fits("finalist", 60.0)
    assert FinalDeadlines(100.0, began=120.0, each=10.0).of(winner) == 123.0


def test_a_slower_machine_makes_longer_trainings() -> None:
    """The search's own trials took three times what was planned for their levels: so will the final ones."""
    speed = {"trial": {"1": 1.0, "2": 2.0}, "final": 10.0}
    trials = [(ended(0, 3.0), 3.0), (ended(1, 6.0, level=2), 6.0)]
    assert expect_final_seconds(speed, trials) == pytest.approx(30.0)
    assert expect_final_seconds(speed, []) == 10.0
    assert expect_final_seconds(None, trials) is None


def test_a_budget_that_planning_used_up_ends_with_a_network(tmp_path):
    """Nothing is left for the search, and the winner is the first architecture that it proposes."""
    task = toy_task()
    final = Final(Fidelity(1), top=1, baselines=())
    search = Search("tiny-chain", "random", Train(batch_size=16), task, "1s", final=final)
    search.spent = 5.0
    result = search.run(tmp_path / "run", quiet=True)
    assert [trial.outcome for trial in result.trials] == [None]
    assert result.winner.architecture == result.trials[0].architecture


def test_the_network_that_no_time_was_left_to_measure_has_its_own_skeleton(tmp_path: Path) -> None:
    """A race whose planning took the budget delivers its favourite, as it was sized to data, time and limits,
    and not in the space's usual size."""
    entrant = {"name": "one", "architecture": dict(SOME), "skeleton": {"filters": 3}}
    race = Race((entrant,), challengers=0)
    final = Final(Fidelity(ENDLESS, resolution=8), top=2, baselines=(), continues=True)
    search = Search(TinyChain(4), race, Patient(str(tmp_path / "never")), budget="1s", final=final)
    search.spent = 9.0
    result = search.run(tmp_path / "run", quiet=True)
    assert [trial.outcome for trial in result.trials] == [None]
    assert result.winner is not None
    assert result.winner.architecture == SOME
    assert result.winner.fidelity == Fidelity(ENDLESS, resolution=8, skeleton={"filters": 3})


@dataclass(frozen=True)
class Recorded:
    """As a table does it, looks an hour up; final trainings too."""

    delivers: ClassVar[bool] = True
    builds: ClassVar[bool] = False
    needs: ClassVar[tuple[type, ...]] = ()

    def prepare(self) -> None:
        pass

    def run(self, job):
        yield Point(1, {"value": 0.0})
        return Done(mocks.truth(job.architecture, 0), seconds=3600.0)


def test_the_seconds_of_a_table_are_no_time_of_the_run(tmp_path: Path) -> None:
    """Trials of an hour each that are looked up fit ten minutes, as do the final trainings, also where a
    later session goes on, and where a plan expected a second for each."""
    final = Final(Fidelity(1), top=3, baselines=("random",))
    for trials in (9, 20):
        search = Search(TinyChain(4), "random", Recorded(), budget=f"{trials},10m", final=final)
        search.remarks = {"speed": {"trial": {"1": 1.0}, "final": 2.0}}
        result = search.run(tmp_path, quiet=True)
        assert len(result.trials) == trials
        assert {t.outcome.seconds for t in result.trials if t.cached is None} == {3600.0}
    roles = [t.role for t in result.finals]
    assert roles.count("finalist") >= 3
    assert {"winner", "baseline random"} <= set(roles)
