"""Plans: what the budget chooses, what can be said instead, and the paper's own settings."""

from __future__ import annotations

import dataclasses
import math
import os
import re
import signal
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from torch import nn

import cambrian
from cambrian.architecture import Architecture
from cambrian.choices import Scalar
from cambrian.errors import Unbuildable, Unread
from cambrian.estimators.train import Train
from cambrian.networks.training import precision
from cambrian.outcome import Done, Fidelity, Trial
from cambrian.search.loop.epochs import PaidEpochs
from cambrian.search.planning import precisions
from cambrian.search.planning.forked import call_each
from cambrian.search.planning.plan import plan
from cambrian.search.planning.preset.choice import FINAL_SHARE, SEARCH_SHARE, Wishes, choose_preset
from cambrian.search.planning.preset.cost import Cost
from cambrian.search.planning.preset.presets import PRESETS, USUAL, Preset, read_preset, stretch_preset
from cambrian.search.planning.preset.workload import Workload, preset_workload
from cambrian.search.planning.space_facts import SpaceFacts
from cambrian.spaces import SPACES
from cambrian.spaces.cells.pnas import PNAS
from cambrian.spaces.space import Pick, Signature, Space
from cambrian.strategies.progressive import Progressive
from cambrian.strategies.random import Random
from remembered import fix_cost_speed, measure_here, remember_costs

COMPARE = Cost._compare_precisions


@pytest.fixture(autouse=True)
def speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose speed no load changes: a tenth of a millisecond an image and block."""
    fix_cost_speed(monkeypatch, lambda self, blocks, device: 1e-4 * blocks)
    remember_costs(monkeypatch)
    measure_here(monkeypatch)


@pytest.fixture(scope="module")
def photos() -> cambrian.Task:
    """Forty images, of which 24 are trained on."""
    images = np.random.default_rng(0).integers(0, 255, (40, 16, 16, 3), dtype=np.uint8)
    return cambrian.load((images, np.arange(40) % 2))


@pytest.fixture(scope="module")
def task() -> cambrian.Task:
    return cambrian.load("digits")


FACTS = SpaceFacts(PNAS())


def work_of(preset: Preset) -> Workload:
    return preset_workload(preset, FACTS, by_levels=True)


def test_presets_climb(task: cambrian.Task) -> None:
    """Every preset costs more than the one below it, by the measured speed: more time never buys less."""
    large = np.zeros((50_000, 1), np.int64)[:, 0]
    cost = Cost(dataclasses.replace(task, train=large), "cpu", 2, FACTS)
    seconds = [cost.search_seconds(work_of(preset)) for preset in PRESETS]
    assert seconds == sorted(seconds)


@pytest.mark.parametrize("budget", ["2m", "20m", "3h", "40h"])
def test_a_plan_fits_its_budget(task: cambrian.Task, budget: str) -> None:
    """The chosen preset's expected cost is within the shares the budget gives search and final stage, and
    that of a longer search or final stage would not be."""
    cost = Cost(task, "cpu", 2, FACTS)
    found = plan(task, budget, workers=2, strategy="progressive")
    seconds = cambrian.Budget.parse(budget).seconds
    assert seconds is not None

    def fits(preset: Preset) -> bool:
        work = work_of(preset)
        return cost.search_seconds(work) <= 0.6 * seconds and cost.final_seconds(work) <= seconds / 3

    assert found.preset is not None
    assert fits(found.preset)
    # The time of neither part would bear twice as much.
    for more in ({"search": 2.0}, {"final": 2.0}):
        assert not fits(stretch_preset(found.preset, **more))


@pytest.fixture(scope="module")
def machine(task: cambrian.Task) -> Cost:
    """The costs of fifty thousand images, measured once: a hundredth of a millisecond an image and block."""
    large = dataclasses.replace(task, train=np.zeros(50_000, np.int64))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cost, "_measure_speed", lambda self, blocks, device: 1e-5 * blocks)
        return Cost(large, "cpu", 2, FACTS)


@pytest.mark.parametrize("by_levels", [True, False], ids=["progressive", "random"])
def test_plans_of_presets_are_continuous_in_the_time(machine: Cost, by_levels: bool) -> None:
    """From two minutes to a day, in steps of a third, by levels or not: more time never means fewer levels or
    smaller networks, each part of the plan keeps to its share and never gets less than before, and nearly all
    of the time is used."""
    before: tuple[float, ...] = (0.0,) * 5
    for time in [120 * 1.35**n for n in range(23)]:
        wishes = Wishes(FACTS, cambrian.Budget(seconds=time), {}, by_levels, 50_000)
        preset = choose_preset(wishes, machine, Train())
        work = wishes.work_of(preset)
        searched, finished = machine.search_seconds(work), machine.final_seconds(work)
        assert searched <= SEARCH_SHARE * time
        assert finished <= FINAL_SHARE * time
        assert searched + finished > 0.8 * time
        amounts = (preset.levels, preset.size, preset.final_size, searched, finished)
        # A third more time, and at least as much of each part.
        assert all(now >= then for now, then in zip(amounts, before, strict=True)), time
        before = amounts


def test_between_two_presets_each_amount_grows() -> None:
    """A preset at a whole place is that one of the list; in every field a later place has no less."""
    assert [read_preset(place) for place in range(len(PRESETS))] == list(PRESETS)
    amounts = [msgspec.structs.astuple(read_preset(place)) for place in np.linspace(3, len(PRESETS) - 1, 50)]
    assert all(
        now <= later for one, other in pairwise(amounts) for now, later in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("trials", [1, 5, 20, 100, 200, 500])
def test_a_budget_of_trials_reaches_every_level(task: cambrian.Task, trials: int) -> None:
    """Few trials are shared among the levels instead of all being spent on the first; the plan counts
    what will be trained."""
    found = plan(task, trials, workers=2, strategy="progressive")
    assert 0.9 * trials - 3 <= sum(found.trials.values()) <= trials
    assert len(found.trials) == (3 if trials >= 20 else 1)
    if trials >= 200:
        assert found.trials[1] == 136


@pytest.mark.parametrize("trials", [2, 3, 5, 8])
def test_a_small_first_level_is_not_all_of_a_search(task: cambrian.Task, trials: int) -> None:
    """Two chains have no layer: all other trials are of levels above, and the plan counts every one."""
    found = plan(task, trials, workers=2, space="sequence-chain", strategy="progressive")
    assert sum(found.trials.values()) == trials
    assert found.trials[0] == (1 if trials == 2 else 2)
    assert all(count >= min(4, trials - 2) for count in list(found.trials.values())[1:] if trials > 2)


def test_haste_is_priced_by_the_networks_that_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a first level that has two, and costs next to nothing, are not what the others cost."""
    fix_cost_speed(monkeypatch, lambda self, level, device: 1e-6 if level == 0 else 3e-2)
    task = cambrian.load("digits")
    found = plan(task, "60s", workers=1, space="sequence-chain", strategy="progressive")
    assert sum(found.trials.values()) >= 8


@pytest.mark.parametrize("epochs", [1, 20, 100, 400])
def test_a_budget_of_epochs_is_planned_as_its_trials(task: cambrian.Task, epochs: int) -> None:
    """They are shared among the levels, and the plan says their number and their time; of a strategy without
    levels it says the time of those that fit."""
    found = plan(task, f"{epochs} epochs", workers=1, strategy="progressive")
    each = found.search.fidelity.epochs * found.search.fidelity.fraction
    fitting = math.ceil(epochs / each)
    same = plan(task, fitting, workers=1, strategy="progressive")
    assert (found.trials, found.seconds, found.search.strategy) == (
        same.trials,
        same.seconds,
        same.search.strategy,
    )
    assert f"{sum(found.trials.values())} networks trained" in dict(found.rows)["strategy"]
    one, other = (plan(task, b, workers=1, strategy="random") for b in (f"{epochs} epochs", fitting))
    assert one.seconds == other.seconds
    assert dict(one.rows)["strategy"] == "random: as many networks trained as fit"
    assert dict(one.rows)["time"].split(";")[0] == dict(other.rows)["time"].split(";")[0]


@pytest.mark.parametrize(("budget", "count"), [("20", 20), ("140 epochs", 7), ("300, 140 epochs", 7)])
def test_a_papers_search_says_what_its_budget_leaves_of_it(
    task: cambrian.Task, budget: str, count: int
) -> None:
    """Of 1160 networks of 20 epochs each, the first ones, in less than their share of the whole time."""
    found, whole = (plan(task, b, workers=1, paper=True) for b in (budget, None))
    assert found.trials == {1: count}
    assert found.search.strategy == whole.search.strategy == Progressive.paper()
    rows = dict(found.rows)
    assert f"progressive: {count} of 1160 networks trained, by blocks: {count} of 1" in rows["strategy"]
    assert rows["time"].endswith(f", in which the search ends after {count} of 1160 networks")
    assert found.seconds < whole.seconds
    assert "ends after" not in dict(whole.rows)["time"]


@pytest.mark.parametrize("images", [1000, 300, 77])
def test_the_trials_of_a_budget_of_epochs_are_those_that_it_begins(images: int) -> None:
    """As the search counts them, whatever the part of the images."""
    work = msgspec.structs.replace(work_of(USUAL), images=images)
    fidelity = Fidelity(work.epochs, work.find_fraction(900))
    for epochs in (1, 2, 5, 12, 12.5):
        trials: list[Trial] = []
        while PaidEpochs(trials, {}).count() < epochs:
            trials.append(Trial(len(trials), Architecture({}), fidelity, outcome=Done(0.5)))
        assert work.count_allowed(cambrian.Budget(epochs=epochs), 900) == len(trials)
        assert work.count_allowed(cambrian.Budget(1, epochs=epochs), 900) == 1
    assert work.count_allowed(cambrian.Budget(seconds=9.0), 900) is None
    assert work.cut(150).trials == {1: 136, 2: 14}
    assert work.cut(None) == work


def test_the_plan_is_remembered(task: cambrian.Task, tmp_path: Path) -> None:
    """The rows printed and the trials expected are in the run's facts, where reports find them."""
    found = plan(
        task,
        1,
        workers=1,
        strategy="progressive",
        changes={"epochs": 1, "images": 50, "final_epochs": 1},
        baselines=(),
    )
    found.search.final = None
    facts = found.search.run(tmp_path / "run").facts
    assert facts["plan"] == [list(row) for row in found.rows]
    assert facts["expected"] == {"1": 1}


def test_small_data_has_a_default_that_no_machine_changes(task: cambrian.Task) -> None:
    """Digits without a budget: all of level 1, three levels, at least 190 cells."""
    found = plan(task, strategy="progressive")
    assert found.preset == USUAL
    assert found.trials == {1: 136, 2: 28, 3: 28}
    assert found.search.budget == cambrian.Budget()


def test_paper_settings(task: cambrian.Task) -> None:
    """--paper is B=5, K=256, 20 epochs, F=24, N=2; then F=48, N=3, 600 epochs (Sec. 5.1)."""
    found = plan(task, paper=True)
    assert found.search.strategy == Progressive.paper()
    assert sum(found.trials.values()) == 1160
    assert found.search.fidelity.epochs == 20
    assert found.search.fidelity.skeleton == {"filters": 24, "cells": 6}
    assert found.search.estimator.learning_rate == 0.01
    assert found.search.final is not None
    assert found.search.final.fidelity.epochs == PNAS.paper_search.final_epochs == 600
    assert found.search.final.fidelity.skeleton["drop_path"] == 0.4


def test_random_search_ends_too(task: cambrian.Task) -> None:
    """A strategy that never stops by itself is given as many models as progressive search would train."""
    found = plan(task, strategy=Random())
    assert found.search.budget.trials == sum(plan(task, strategy="progressive").trials.values())
    assert f"{found.search.budget.trials} networks trained" in dict(found.rows)["strategy"]


@pytest.mark.parametrize("changes", [{"levels": 2}, {"keep": 3}, {"levels": 2, "keep": 3}])
def test_settings_of_progressive_search_are_refused_elsewhere(
    task: cambrian.Task, changes: dict[str, int]
) -> None:
    """Beside another strategy, and beside a progressive one that has its settings."""
    names = " and ".join(changes)
    with pytest.raises(Unread, match=f"{names} (is|are) for progressive search, and the strategy is random"):
        plan(task, strategy="random", changes=changes)
    with pytest.raises(Unread, match="was given with settings of its own"):
        plan(task, strategy=Progressive(levels=2), changes=changes)


@pytest.mark.parametrize("columns", [(), ("one", "two")])
def test_a_surrogate_is_a_setting_of_other_strategies(task: cambrian.Task, columns: tuple[str, ...]) -> None:
    """Who gives it beside one that has such a setting is told how it is written there, of a table too."""
    asked = dataclasses.replace(task, columns=columns)
    with pytest.raises(Unread, match=r"bayes takes a surrogate as 'bayes\(surrogate=ridge\)': leave it out"):
        plan(asked, 4, strategy="bayes", surrogate="ridge")
    with pytest.raises(Unread, match=r"the strategy is random|are rows of a table"):
        plan(asked, 4, strategy="random", surrogate="ridge")


def test_entrants_need_a_race(task: cambrian.Task) -> None:
    """A number of trials is searched, not raced."""
    with pytest.raises(Unread, match="entrants is for a race"):
        plan(task, 20, changes={"entrants": 3})


@pytest.mark.parametrize("name", ["hyperband", "asha", "bohb"])
def test_a_strategy_of_several_fidelities_has_its_rungs_in_the_plan(task: cambrian.Task, name: str) -> None:
    """The highest rung is near twice the preset's epochs, the schedule is told to its end from the start, and
    the lines say it; epochs or a schedule that somebody names stay."""
    made = plan(task, "10m", strategy=name)
    rows = dict(made.rows)
    assert made.search.fidelity.epochs == 9
    assert made.search.estimator.prefix
    assert rows["strategy"] == f"{name}: as many as fit, rungs of 1, 3 and 9 epochs"
    assert rows["each"].startswith("at most 9 epochs")
    short = plan(task, "20s", strategy=name)
    assert f"at most {short.search.fidelity.epochs} epoch" in dict(short.rows)["each"]
    # The final trainings have a schedule of their own length: that of the rungs would not end with them.
    assert made.search.final is not None
    assert made.search.final.estimator == "train"
    # The rungs have compared the networks; less than the highest one's epochs would be a step back.
    assert made.search.final.top == 1
    assert made.search.final.fidelity.epochs >= 9
    assert plan(task, "10m", strategy=name, changes={"final_epochs": 2}).search.final.fidelity.epochs == 2
    assert made.search.estimators["train"] == dataclasses.replace(made.search.estimator, decay_epochs=0.0)
    counted = plan(task, "90 epochs", strategy=name)
    assert counted.search.budget.most_epochs == 90
    named = plan(task, "10m", strategy=name, changes={"epochs": 4}, recipe={"schedule": "constant"})
    assert named.search.fidelity.epochs == 4
    assert named.search.estimator.decay_epochs == 0
    assert "rungs of 1 and 4 epochs" in dict(named.rows)["strategy"]


def test_the_rungs_of_a_strategy_within_another_are_in_the_plan(task: cambrian.Task) -> None:
    """With its own factor, as if it were alone."""
    inner, outer = (plan(task, 20, strategy=s) for s in ("asha(eta=4)", "remeasured(strategy=asha(eta=4))"))
    assert outer.search.fidelity == inner.search.fidelity
    assert dict(outer.rows)["each"] == dict(inner.rows)["each"]
    rungs = ", rungs of 1, 4"
    assert rungs in dict(inner.rows)["strategy"]
    assert (
        dict(outer.rows)["strategy"].partition(rungs)[1:] == dict(inner.rows)["strategy"].partition(rungs)[1:]
    )


def test_any_space(task: cambrian.Task) -> None:
    """A space that is named is searched by what serves it: Bayesian optimisation for few trials, else
    progressive search where it grows; with the skeleton settings it has, and without a baseline of another
    space."""
    assert type(plan(task, 60).search.strategy).__name__ == "Bayes"
    assert type(plan(task, 60, changes={"levels": 2}).search.strategy).__name__ == "Progressive"
    assert type(plan(task, 3000, space="tiny-chain").search.strategy).__name__ == "Progressive"
    found = plan(task, 30, space="tiny-chain").search
    assert type(found.strategy).__name__ == "Bayes"
    assert (found.fidelity.skeleton, found.budget.trials) == ({"filters": 8}, 30)
    assert found.final is not None
    assert found.final.baselines == ("random",)
    found = plan(task, space="cgp", strategy="evolution").search
    assert (type(found.strategy).__name__, found.budget.trials) == ("Evolution", 192)
    assert type(plan(task, space="cgp").search.strategy).__name__ == "Bayes"


def test_data_that_no_network_of_a_space_takes(task: cambrian.Task) -> None:
    """Is said before anything is begun."""
    space = {"name": "test_plan:Unfit", "arguments": {}}
    with pytest.raises(cambrian.CambrianError, match="architectures drawn from the space makes"):
        plan(task, space=space)


@dataclasses.dataclass(frozen=True)
class Unfit(Space):
    """Makes no network."""

    def program(self, pick: Pick) -> None:
        pick("width", [1, 2])

    def build(self, architecture: Architecture, task: Signature, **skeleton: Scalar) -> nn.Module:
        raise Unbuildable("question 'width': it does not fit")


@pytest.mark.parametrize("budget", [None, 12, pytest.param("20m", marks=pytest.mark.slow)])
def test_few_images_are_seen_often(photos: cambrian.Task, budget: object) -> None:
    """An epoch of one step is none: the networks of a search are trained for 60 steps, the final ones for
    120, unless it is said otherwise."""
    found = plan(photos, budget, workers=2, strategy="progressive")
    steps = found.search.estimator.batches(len(photos.train))
    assert steps == 1
    assert found.work.epochs >= 60
    assert found.work.final_epochs >= 120
    if budget != "20m":  # which has time for more
        assert (found.work.epochs, found.work.final_epochs) == (60, 120)
        assert "60 steps" in dict(found.rows)["each"]
    said = plan(photos, budget, workers=2, strategy="progressive", changes={"epochs": 4})
    assert said.work.epochs == 4
    assert "too few" in dict(said.rows)["each"]


def test_a_budget_that_is_too_small_for_the_smallest_preset(photos: cambrian.Task) -> None:
    """Each network is trained for less, the plan says so, and how few networks there will be."""
    rows = dict(plan(photos, "1s", workers=2, strategy="progressive").rows)
    assert "too few" in rows["each"]
    assert re.search(
        r"for all of it; budget: 1s, in which the search ends after about \d+ network", rows["time"]
    )


def test_a_crash_while_the_speed_is_measured(photos: cambrian.Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is no end: the speed is guessed, and that is said."""
    # In a process of its own.
    monkeypatch.setattr("cambrian.search.planning.preset.cost.call_each", call_each)
    monkeypatch.setattr(
        Cost, "_measure_speed", lambda self, level, device: os.kill(os.getpid(), signal.SIGSEGV)
    )
    found = plan(photos, "1h", workers=2, strategy="progressive")
    assert "was guessed: its process was ended by SIGSEGV" in dict(found.rows)["time"]
    assert found.seconds > 0


@pytest.mark.parametrize(
    ("space", "budget", "recipe", "paper", "expected"),
    [
        ("nasbench201", "10m", {}, False, ("bfloat16", 1.5)),
        ("nasbench201", "4, 10m", {}, False, ("bfloat16", 1.5)),
        ("nasbench201", "10m", {"precision": "float32"}, False, ("float32", 1.0)),
        ("nasbench201", "4", {}, False, ("auto", 1.0)),
        ("nasbench201", "40 epochs", {}, False, ("auto", 1.0)),
        ("nasbench201", "4", {"precision": "bfloat16"}, False, ("bfloat16", 1.0)),
        ("pnas", "10m", {}, True, ("auto", 1.0)),
    ],
)
def test_trainings_have_the_faster_precision(
    space: str,
    budget: str,
    recipe: dict[str, Any],
    paper: bool,
    expected: tuple[str, float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the processor has one, and the budget is a time, which the plan says. What is named, or a
    paper's, stays; and a count of trials or epochs is one search, however fast the machine is just now."""
    monkeypatch.setattr(precision, "has_half_precision", lambda: True)
    common: dict[str, Any] = {"workers": 1, "device": "cpu", "space": space, "paper": paper, "recipe": recipe}
    strategy = None if paper else "random"
    monkeypatch.setattr(Cost, "_compare_precisions", lambda cost, level: 1.5)
    found = plan(cambrian.load("digits"), budget, strategy=strategy, **common)
    assert found.search.estimator.precision == expected[0]
    assert ("training in bfloat16, 1.5 times as fast" in dict(found.rows)["machine"]) == (expected[1] > 1)


def test_the_faster_precision_is_counted_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial's learning takes as many times less."""
    monkeypatch.setattr(precision, "has_half_precision", lambda: True)
    monkeypatch.setattr(Cost, "_measure", lambda cost, device: dict.fromkeys(cost._samples, 3.0))
    task, facts = cambrian.load("digits"), SpaceFacts(SPACES.make("nasbench201"))
    images = []
    for gain in (1.0, 1.5):
        monkeypatch.setattr(Cost, "_compare_precisions", lambda cost, level, gain=gain: gain)
        cost = Cost(task, "cpu", 1, facts, None)
        images.append(cost._image(0, cost._smallest))
    assert images[0] == pytest.approx(1.5 * images[1])


def test_precisions_are_compared_where_a_network_has_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the largest sample: one with convolutions in groups gains nothing, whatever is measured."""
    seconds = {"float32": 3e-3, "bfloat16": 1e-3}
    speeds: Any = lambda network, shape, device, dense, asked: [seconds[each] for each in asked]  # noqa: E731
    monkeypatch.setattr(precisions, "measure_speeds", speeds)
    monkeypatch.setattr(precision, "has_half_precision", lambda: True)
    monkeypatch.setattr(Cost, "_compare_precisions", COMPARE)
    task = cambrian.load("digits")
    for space, gain in (("nasbench201", 3.0), ("pnas", 1.0)):
        cost = Cost(task, "cpu", 1, SpaceFacts(SPACES.make(space)), None)
        assert (cost.gain, cost.precision) == (gain, "bfloat16" if gain > 1 else "auto")
