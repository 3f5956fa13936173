"""Plans of searches that train a supernet."""

from __future__ import annotations

import dataclasses
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cambrian
import living
from cambrian.errors import Incompatible, UsageError
from cambrian.estimators import gate_course
from cambrian.goal import Goal
from cambrian.outcome import Done
from cambrian.search.loop.deadlines import SUPERNETS
from cambrian.search.planning.forked import Failed
from cambrian.search.planning.plan import plan
from cambrian.search.planning.supernet import plan as shared_plan
from cambrian.search.planning.supernet import speed as supernet_speed
from cambrian.search.planning.supernet.plan import LONGEST, MOST_CHILDREN, MOST_STEPS
from cambrian.search.planning.supernet.prices import FINAL, SCORES, SUPERNET
from cambrian.search.planning.supernet.sizes import MOST_FINAL
from cambrian.search.planning.supernet.speed import Measured, WorkersStart
from cambrian.search.search import Search
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.spaces.chains.tabular.space import TabularNetworks
from cambrian.spaces.program.function_space import Shape
from cambrian.strategies.audited import Audited
from cambrian.strategies.inner import find_trait
from cambrian.strategies.one_shot.darts import DARTS
from cambrian.strategies.one_shot.spos import SPOS
from cambrian.weights import Continue, Fresh, Shared
from remembered import fix_supernet_speed, pretend_ray


@cambrian.space(task=Shape(1, 8, 8, 2))
def unshared(pick: Any, task: Any) -> Any:
    """Its one question is a width, which a supernet is made for."""
    from torch import nn

    width = pick("width", [2, 4])
    return nn.Sequential(nn.Conv2d(task.channels, width, 8), nn.Flatten(), nn.Linear(width, task.classes))


@pytest.fixture(scope="module")
def photos() -> cambrian.Task:
    """Two hundred images, of which 128 are trained on."""
    pixels = np.random.default_rng(0).integers(0, 255, (200, 8, 8, 1), dtype=np.uint8)
    return cambrian.load((pixels, np.arange(200) % 2))


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose speed no load changes."""
    fix_supernet_speed(monkeypatch)


@pytest.mark.usefixtures("steady")
@pytest.mark.parametrize("budget", ["1m", "5m", "1h"])
def test_the_supernet_and_its_children_keep_to_their_shares(photos: cambrian.Task, budget: str) -> None:
    """Of the time, by the measured speed; the rest is the final stage's."""
    planned = plan(photos, budget, strategy="spos", workers=1)
    search, seconds = planned.search, planned.seconds
    assert isinstance(search.strategy, SPOS)
    skeleton = search.fidelity.skeleton
    each = len(photos.train) * 1e-4 * int(skeleton["filters"]) * int(skeleton["cells"]) + 2 * 0.1
    assert search.fidelity.epochs * each <= SUPERNET * seconds
    assert search.strategy.children * 0.1 <= max(SCORES * seconds, 10 * 0.1)
    assert search.estimator.decay_epochs == search.fidelity.epochs
    assert search.final is not None
    assert search.final.share == pytest.approx(1 - SUPERNET - SCORES)
    assert dict(planned.rows)["supernet"].startswith(f"{search.fidelity.epochs} epochs of ")


@pytest.mark.usefixtures("steady")
def test_more_time_makes_larger_supernets(photos: cambrian.Task) -> None:
    sizes = [
        plan(photos, b, strategy="spos", workers=1).search.fidelity.skeleton for b in ("30s", "10m", "9h")
    ]
    assert [s["filters"] for s in sizes] == sorted(s["filters"] for s in sizes)
    assert sizes[0] != sizes[-1]


@pytest.mark.usefixtures("steady")
def test_supernets_get_no_less_of_more_time(photos: cambrian.Task) -> None:
    """From two minutes to a day, in steps of two: a supernet, its children and the final networks never get
    less training than before, until each has as much as is of use."""
    before = (0.0, 0, 0, 0.0)
    for n in range(10):
        search = plan(photos, f"{120 * 2**n}s", strategy="spos", workers=1).search
        skeleton, final = search.fidelity.skeleton, search.final
        assert final is not None
        each = int(skeleton["filters"]) * int(skeleton["cells"])
        trained = each * search.fidelity.epochs
        amounts = (trained, each, search.strategy.children, float(final.fidelity.epochs))
        assert all(now >= then for now, then in zip(amounts, before, strict=True)), n
        before = amounts
    assert (search.fidelity.epochs, search.strategy.children) == (LONGEST, MOST_CHILDREN)
    assert before[3] == MOST_FINAL


@pytest.mark.usefixtures("steady")
def test_the_time_that_a_supernet_cannot_use_is_for_networks_alone() -> None:
    """Of 1,600 images: their supernet learns for as many steps as are of use, and not as few epochs as it
    would of many images. What a day has left is the final stage's, whose deadlines leave the supernet its
    own time; an hour is shared as usual."""
    pixels = np.random.default_rng(0).integers(0, 255, (2500, 8, 8, 1), dtype=np.uint8)
    task = cambrian.load((pixels, np.arange(2500) % 2))
    hour, day = (plan(task, budget, strategy="darts", workers=1) for budget in ("1h", "24h"))
    steps = -(-len(task.train) // day.search.estimator.batch_size)
    assert day.search.fidelity.epochs == -(-MOST_STEPS // steps)
    assert "as long as is of use" in dict(day.rows)["supernet"]
    each = len(task.train) * 1e-4 * int(day.search.fidelity.skeleton["filters"]) * 5 + 0.1
    assert day.search.final is not None
    assert day.search.final.share > 0.5
    assert day.search.fidelity.epochs * each < SUPERNETS * (1 - day.search.final.share) * day.seconds
    assert hour.search.final is not None
    assert hour.search.final.share == FINAL
    assert "of use" not in dict(hour.rows)["supernet"]


@pytest.mark.usefixtures("steady")
def test_what_is_said_is_kept(photos: cambrian.Task) -> None:
    """The children and chunks of a strategy, epochs and sizes in changes."""
    strategy = SPOS(children=7, chunks=2, population=4)
    changes = {"epochs": 3, "filters": 6, "final_filters": 9, "final_epochs": 2}
    search = plan(photos, "1m", strategy=strategy, changes=changes, workers=1).search
    assert (search.strategy.children, search.strategy.chunks) == (7, 2)
    assert search.fidelity.epochs == 3
    assert search.fidelity.skeleton["filters"] == 6
    assert search.final is not None
    assert search.final.fidelity.skeleton["filters"] == 9
    assert search.final.fidelity.epochs == 2


@pytest.mark.usefixtures("steady")
def test_a_strategy_is_known_by_its_requests(photos: cambrian.Task) -> None:
    """Not by its name: one from elsewhere gets the same plan."""
    search = plan(
        photos, "1m", strategy=living.Sharing(), space=living.forked, workers=1, changes={"filters": 2}
    )
    assert "supernet" in dict(search.rows)


@pytest.mark.usefixtures("steady")
def test_a_supernet_that_cannot_be_measured_is_no_cheaper_than_a_few_networks(
    photos: cambrian.Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a machine with much other work, where a measurement takes too long."""
    monkeypatch.setattr(shared_plan, "measure_size", lambda *_: Failed("it took longer than 30 s"))
    planned = plan(photos, "1m", strategy="once-for-all", space="ofa", workers=1)
    assert "its speed was guessed: it took longer than 30 s" in dict(planned.rows)["time"]
    assert planned.search.fidelity.epochs * len(photos.train) * 4e-3 <= SUPERNET * planned.seconds


def test_levels_are_refused(photos: cambrian.Task) -> None:
    with pytest.raises(UsageError, match="levels is an amount of a search by levels"):
        plan(photos, "1m", strategy="spos", changes={"levels": 2})


def test_another_searchs_surrogate_is_refused(photos: cambrian.Task) -> None:
    with pytest.raises(UsageError, match="surrogate is for progressive search"):
        plan(photos, "1m", strategy="spos", surrogate="ridge")


def test_another_estimator_is_refused(photos: cambrian.Task) -> None:
    """The estimator of such a search is that of shared weights."""
    with pytest.raises(
        UsageError, match=r"estimator is for strategies that train no supernet: .*: leave it out"
    ):
        plan(photos, "1m", strategy="spos", estimator="naswot")


def test_a_space_whose_questions_are_outer_is_refused(photos: cambrian.Task) -> None:
    """In a sentence that names spaces that can be shared, by a search as by a plan."""
    sentence = "trains a supernet, and no question of .*: choose a space that has some, as .*nasbench201"
    with pytest.raises(Incompatible, match=sentence):
        plan(photos, "1m", strategy="spos", space=unshared)
    with pytest.raises(Incompatible, match=sentence):
        Search(unshared, "spos", "one-shot", photos)


def test_a_space_that_cannot_be_mixed_is_refused(photos: cambrian.Task) -> None:
    """Before its supernet is measured, which has no gates."""
    with pytest.raises(Incompatible, match="darts needs a space whose candidates can be mixed by gates"):
        plan(photos, "10m", strategy="darts", space="stages")


@pytest.mark.parametrize("kind", ["numbers", "pixels", "characters", "outer", "mixed", "objectives"])
def test_what_no_time_makes_possible_is_refused_before_the_time(photos: cambrian.Task, kind: str) -> None:
    """However short the time is: the one after it would be spent in vain."""
    given: dict[str, Any] = {"strategy": "gdas"}
    says = {
        "outer": "no question of .* has answers that one network can hold",
        "mixed": "gdas needs a space whose candidates can be mixed by gates",
        "objectives": "is for a single objective, and the search has 2",
    }.get(kind, "gdas trains a supernet, which learns classes, and data has")
    task = photos
    if kind == "objectives":
        given = {"strategy": "audited", "objectives": ["params"]}
    elif kind in ("outer", "mixed"):
        given["space"] = unshared if kind == "outer" else "stages"
    else:
        task = dataclasses.replace(photos, goal=Goal(kind))  # type: ignore[arg-type]
    # A time that is over already, so that no speed decides.
    with pytest.raises((Incompatible, UsageError), match=says):
        plan(task, "1s", began=time.monotonic() - 2, **given)
    with pytest.raises(UsageError, match="was over before the plan could begin"):
        plan(photos, "1s", began=time.monotonic() - 2, strategy="gdas")


def test_a_supernet_that_does_not_fit_is_refused(
    photos: cambrian.Task, monkeypatch: pytest.MonkeyPatch, steady: None
) -> None:
    """By the memory that is free, and by what the user allows a training."""
    with pytest.raises(UsageError, match=r"needs about 1 MiB for a step, and 0 MiB are allowed by --memory"):
        plan(photos, "1m", strategy="spos", workers=1, memory=10**5)
    monkeypatch.setattr(supernet_speed, "read_free_memory", lambda: 10**5)
    with pytest.raises(UsageError, match=r"needs about 1 MiB for a step, .* are free: take fewer filters"):
        plan(photos, "1m", strategy="spos", workers=1)


@pytest.mark.slow
def test_only_workers_of_this_machine_need_its_memory(
    photos: cambrian.Task, monkeypatch: pytest.MonkeyPatch, steady: None
) -> None:
    """A hundred that score children do not fit into it; on the machines of a cluster each has its own."""
    pretend_ray(monkeypatch)
    measured = Measured({"filters": 4}, 1e-3, 0.1, 10**6, make=0.2, children=10**5)
    monkeypatch.setattr(shared_plan, "measure_size", lambda *arguments: measured)
    monkeypatch.setattr(supernet_speed, "read_free_memory", lambda: 3 * 2**20)
    with pytest.raises(UsageError, match=r"to score its children, .* are free: .* or fewer workers"):
        plan(photos, "1h", strategy="spos", engine="processes(workers=100)")
    plan(photos, "1h", strategy="spos", engine='ray(workers=100, address="auto")')


def test_a_planned_search_ends_with_networks_trained_alone(photos: cambrian.Task, tmp_path: Path) -> None:
    """Two chunks, children with shared weights, then finalists and a winner with their own; each finalist has
    both scores, and a limit holds for the children."""
    planned = plan(
        photos,
        7,
        strategy={"name": "random-shared", "arguments": {"chunks": 2}},
        changes={"epochs": 2, "final_epochs": 1, "filters": 2, "final_filters": 2},
        workers=1,
        baselines=(),
        limits={"params": 1600.0},
    )
    result = planned.search.run(tmp_path / "run")
    chunks, children = result.trials[:2], result.trials[2:]
    assert [t.weights for t in chunks] == [Fresh(), Continue(0)]
    assert isinstance(chunks[1].outcome, Done)
    assert "anew" not in chunks[1].outcome.data
    assert {t.weights for t in children} == {Shared(1)}
    scored = {t.architecture for t in children if t.value is not None}
    assert result.winner is not None
    assert isinstance(result.winner.outcome, Done)
    assert result.winner.outcome.metrics["params"] <= 1600
    assert {t.architecture for t in result.finals} <= scored


@pytest.mark.usefixtures("steady")
@pytest.mark.parametrize("strategy", ["spos", "darts"])
def test_a_time_without_a_choice_is_refused(photos: cambrian.Task, strategy: str) -> None:
    """In one sentence, whose budget is then taken."""
    with pytest.raises(
        UsageError, match=r"a budget of 1 s is too short here, .*: give it [0-9]+s or"
    ) as told:
        plan(photos, "1s", strategy=strategy, workers=1)
    budget = re.search(r"give it (\d+s)", str(told.value))
    assert budget is not None
    assert plan(photos, budget[1], strategy=strategy, workers=1).search.fidelity.epochs >= 1


@pytest.mark.usefixtures("steady")
def test_trials_are_shared_between_the_training_and_its_children(photos: cambrian.Task) -> None:
    """A part of the training is a trial as well; too few for a choice are refused."""
    search = plan(photos, "20", strategy="spos", workers=1).search
    assert search.strategy.chunks + search.strategy.children == 20
    assert plan(photos, "3", strategy="darts", workers=1).search.strategy.chunks == 1
    for strategy, least in (("spos", 2), ("darts", 3)):
        with pytest.raises(UsageError, match=f"{strategy} needs {least} trials at least"):
            plan(photos, str(least - 1), strategy=strategy, workers=1)


@pytest.mark.usefixtures("steady")
def test_a_strategy_within_another_is_planned_with_its_own_searches(photos: cambrian.Task) -> None:
    """The four of R-DARTS's paper, of 50 epochs in ten parts each, and not one of as many as is usual."""
    strategy = "remeasured(strategy=r-darts(paper))"
    planned = plan(photos, "60", strategy=strategy, workers=1)
    alone = plan(photos, "60", strategy="r-darts(paper)", workers=1)
    assert dict(planned.rows)["supernet"] == dict(alone.rows)["supernet"]
    assert dict(alone.rows)["supernet"].startswith("50 epochs of 128 images in 10 parts")
    with pytest.raises(UsageError, match="remeasured needs 12 trials at least"):
        plan(photos, "11", strategy=strategy, workers=1)
    assert find_trait(Audited("spos"), "fewest_trials", 1) == SPOS().fewest_trials > 1


@pytest.mark.usefixtures("steady")
def test_a_search_of_trials_says_its_time(photos: cambrian.Task) -> None:
    """Thirty epochs of 128 images at .8 ms each, and finals of a millisecond an image: about 20 s."""
    planned = plan(photos, "20", strategy="darts", workers=1)
    assert dict(planned.rows)["time"].startswith("about ")
    assert planned.seconds == pytest.approx(128 * 30 * (8e-4 + 5e-3), rel=0.5)


@pytest.mark.usefixtures("steady")
def test_a_supernet_of_few_steps_is_said_to_decide_nothing(photos: cambrian.Task) -> None:
    """With the time in which it would have enough, for its steps grow with the time."""
    row = dict(plan(photos, "1m", strategy="darts", workers=1, changes={"epochs": 3}).rows)["supernet"]
    assert "6 steps, too few for gates to decide, so that chance chooses: 33 min would do" in row


def test_dropped_paths_are_the_final_networks(photos: cambrian.Task, steady: None) -> None:
    """A supernet with gates has none, and the plan says so."""
    planned = plan(photos, "1m", strategy="darts", workers=1, recipe={"drop_path": 0.3})
    assert planned.search.estimator.drop_path == 0
    assert planned.search.estimator.decay_epochs == 0  # the schedule is the method's own
    assert planned.search.estimators["final"].drop_path == 0.3
    assert "paths are dropped in it, and not in the supernet" in dict(planned.rows)["then"]


def test_nas_bench_201_is_the_usual_space(photos: cambrian.Task, steady: None) -> None:
    assert isinstance(plan(photos, "1m", strategy="spos", workers=1).search.space, NASBench201)


def test_the_plan_of_a_method_with_gates_derives_and_scores_no_children(
    photos: cambrian.Task, steady: None
) -> None:
    """Its rows name the derived architecture, since its gates choose it and no number of children does."""
    rows = dict(plan(photos, "1m", strategy="darts", workers=1).rows)
    assert rows["derived"].startswith("the architecture of the strongest gates")
    assert rows["strategy"] == "darts: a supernet, then the architecture that its gates choose"
    assert "each" not in rows
    assert rows["then"].startswith("the best derived from scratch: ")


@pytest.mark.parametrize(
    ("command", "measured"), [("import time; print(time.monotonic())", True), ("", False)]
)
def test_the_start_of_a_worker_is_measured(
    command: str, measured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the clock at its end; one that says nothing has no time, and neither has a worker that is not
    wanted. One that nobody waits for is ended."""
    monkeypatch.setattr(supernet_speed, "BEGINNING", command)
    with WorkersStart(wanted=True) as start:
        assert (start.wait() > 0) == measured
    with WorkersStart(wanted=False) as start:
        assert start.wait() == 0.0
    with WorkersStart(wanted=True):
        pass


def test_a_table_has_a_supernet_of_its_own_space(steady: None) -> None:
    """Where networks are sampled; gates mix operations, which are those of images."""
    rows = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    task = cambrian.load((rows, (rows[:, 0] > 0).astype(np.int64)), features=True)
    assert task.columns
    assert isinstance(plan(task, "1h", strategy="spos", workers=1).search.space, TabularNetworks)
    assert isinstance(plan(task, "1h", strategy="darts", workers=1).search.space, NASBench201)


def test_a_recipe_that_a_method_cannot_follow_is_refused_before_the_search(photos: cambrian.Task) -> None:
    """And not by three trials that crash alike."""
    with pytest.raises(UsageError, match="take the optimiser sgd, got 'muon'"):
        plan(photos, "60s", strategy=DARTS(second_order=True), recipe={"optimiser": "muon"})


@pytest.mark.usefixtures("steady")
@pytest.mark.parametrize(("strategy", "epochs"), [("spos", 3), ("darts", 2), ("r-darts", None)])
def test_a_budget_of_epochs_leaves_a_choice(photos: cambrian.Task, strategy: str, epochs: int | None) -> None:
    """Of four, a supernet has three, since scores cost none; what gates derive is trained alone for as long
    as they were, once in each search. Too few are refused with what would do, and more than there are too."""
    if epochs is None:
        with pytest.raises(UsageError, match=r"a budget of 4 epochs is too small, .*: give it 8 epochs or"):
            plan(photos, "4 epochs", strategy={"name": strategy, "arguments": {"searches": 4}}, workers=1)
        return
    search = plan(photos, "4 epochs", strategy=strategy, workers=1).search
    assert search.fidelity.epochs == epochs
    with pytest.raises(UsageError, match=r"epochs is 4, .* a supernet has 3 at most"):
        plan(photos, "4 epochs", strategy=strategy, workers=1, changes={"epochs": 4})
    with pytest.raises(UsageError, match=r"budget of 1 epoch is too small, .*: give it 2 epochs or more"):
        plan(photos, "1 epoch", strategy=strategy, workers=1)
    named = plan(photos, "4 epochs", strategy=strategy, workers=1, changes={"epochs": 3}).search
    assert named.fidelity.epochs == 3
    half = plan(photos, "4 epochs", strategy=strategy, workers=1, changes={"images": 64}).search
    assert half.fidelity.epochs == (7 if strategy == "spos" else 4)
    assert plan(photos, "4 epochs, 1h", strategy=strategy, workers=1).search.fidelity.epochs == epochs


@pytest.mark.usefixtures("steady")
def test_children_are_scored_within_a_budget_of_epochs(photos: cambrian.Task) -> None:
    """They cost none, however long the supernet was trained."""
    strategy = {"name": "random-shared", "arguments": {"children": 3}}
    sizes = {"filters": 2, "cells": 1}
    search = plan(photos, "2 epochs", strategy=strategy, workers=1, changes=sizes).search
    search.final = None
    result = search.run(quiet=True)
    assert [t.kind for t in result.trials] == ["supernet", "trial", "trial", "trial"]
    assert all(t.value is not None for t in result.trials)


@pytest.mark.usefixtures("steady")
@pytest.mark.parametrize(("budget", "epochs"), [("6 epochs", None), ("5", 2)])
def test_a_training_that_is_taken_back_leaves_a_choice(
    photos: cambrian.Task, budget: str, epochs: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where every training collapses: of epochs or rows, enough are left for what its gates derive."""
    seen = {"epoch": 1, "before": 0, "sign": "made up"}
    monkeypatch.setattr(gate_course, "find_collapse", lambda course: seen)
    changes = {"filters": 2, "cells": 1} | ({"epochs": epochs} if epochs else {})
    search = plan(photos, budget, strategy="darts-ada", workers=1, changes=changes).search
    search.final = None
    assert search.fidelity.epochs == 2  # a third of six, or what was asked for
    result = search.run(quiet=True)
    assert sum(t.kind == "supernet" for t in result.trials) > 1
    assert result.trials[-1].estimator == "final"
    assert result.trials[-1].value is not None
