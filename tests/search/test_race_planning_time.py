"""The time that planning a race takes, which is a part of its budget: none of it may be lost to measuring."""

from __future__ import annotations

import numpy as np
import pytest

import cambrian
from cambrian.errors import join_words
from cambrian.outcome import Infeasible
from cambrian.search.planning.forked import Failed
from cambrian.search.planning.plan import plan
from cambrian.search.planning.race import plan as race_plan
from cambrian.search.planning.race import speed as race_speed
from cambrian.search.planning.race.plan import plan_race
from cambrian.search.planning.race.speed import Speed
from cambrian.spaces import SPACES
from remembered import fix_race_speed, remember, shape_of

count_work = remember(race_plan.count_work, lambda space, task, network: (space, shape_of(task), network))


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(race_plan, "count_work", count_work)


@pytest.fixture(scope="module")
def photographs() -> cambrian.Task:
    pixels = np.random.default_rng(0).integers(0, 256, (2000, 32, 32, 3), dtype=np.uint8)
    return cambrian.load((pixels, np.arange(2000) % 4), name="noise")


def test_a_crash_while_the_speed_is_measured(
    photographs: cambrian.Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The speed is guessed, and the plan says so."""

    def fail(*arguments: object) -> float:
        raise ValueError("deliberate")

    fix_race_speed(monkeypatch, fail)
    rows = dict(plan(photographs, "5m", workers=1).rows)
    assert "was guessed: its process failed: ValueError: deliberate" in rows["time"]


@pytest.mark.parametrize(("seconds", "most"), [(1.0, 2.0), (60.0, 3.0), (3600.0, 10.0)])
def test_measuring_the_speed_does_not_take_the_budget(
    seconds: float, most: float, photographs: cambrian.Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three networks are measured on one worker, on a machine that is too slow for it, in six seconds of a
    short budget and in less than a sixth of a longer one; the speed is guessed then."""
    patience = []

    def call(jobs: list, at_once: int, longest: float) -> list:
        patience.append(longest)
        return [Failed("it took too long")] * len(jobs)

    monkeypatch.setattr(race_speed, "call_each", call)
    race = plan_race(photographs, SPACES.make("stages"), seconds, workers=1, threads=1, device="cpu")
    assert patience == [most]
    assert race.notice is not None
    assert 3 * most <= max(6.0, seconds / 6)


@pytest.mark.parametrize(("misses", "count", "alone"), [(0, 2, ""), (5, 1, "no time to hold others")])
def test_holding_networks_to_limits_does_not_take_the_budget(
    misses: int, count: int, alone: str, photographs: cambrian.Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three minutes it takes a tenth, where each network takes 10 seconds: the second is the last one; but
    one that keeps the limits is looked for as long as there is none."""
    now = [0.0]

    def fit(*arguments: object) -> object:
        now[0] += 10.0
        return Infeasible("limit", "too much") if now[0] <= 10.0 * misses else 8

    monkeypatch.setattr(race_plan.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(race_plan, "measure_favourite", lambda *arguments: Speed(1e-5, 2e-5, 1e-4))
    monkeypatch.setattr(race_plan, "fit_filters", fit)
    space = SPACES.make("stages")
    race = plan_race(photographs, space, 180.0, workers=1, threads=1, device="cpu", limits={"latency": 1.0})
    assert now[0] == 10.0 * (misses + count)
    assert [entrant["name"] for entrant in race.entrants] == list(space.portfolio)[misses : misses + count]
    assert alone in race.alone
    late = list(space.portfolio)[misses + count :]
    assert race.left_out.endswith(f"{join_words(late)}, for lack of time to hold them to the limits")
