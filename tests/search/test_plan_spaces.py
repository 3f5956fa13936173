"""Plans ask the space: every space, ours and users', is planned by its levels and its sizes."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import cambrian
from cambrian.architecture import Architecture, sample
from cambrian.errors import Incompatible, UnknownName, UsageError
from cambrian.networks.measure.sizes import macs
from cambrian.randomness import stream
from cambrian.search.planning.plan import Plan, plan
from cambrian.search.planning.preset.cost import Cost
from cambrian.search.planning.preset.workload import Workload, fill_evenly
from cambrian.search.planning.space_facts import PLENTY, SpaceFacts
from cambrian.spaces import SPACES
from cambrian.spaces.budgets import Scales
from cambrian.spaces.cells.pnas import PNAS
from cambrian.spaces.knowledge import Grows
from cambrian.spaces.program.function_space import Shape
from cambrian.spaces.space import Pick, Signature, Space
from cambrian.strategies.audited import Audited
from cambrian.strategies.progressive import Progressive
from remembered import fix_cost_speed, measure_here, remember
from tiers import slow_for

GROWING = [name for name in SPACES.names() if SpaceFacts(SPACES.make(name)).levels]
BUDGETS = ("2m", "10m", "1h", "6h", "24h")
DEAR = (
    *(
        "joint",
        "hierarchical",
        "nasnet",
        "mnasnet",
        "amoebanet",
        "darts",
        "proxylessnas",
        "enas-micro",
        "cgp",
    ),
    *("tree-cells", "memory-banks", "network-morphism", "stacked", "nasbench101", "fabric", "free-graph"),
)
"""Spaces whose networks take long to draw and to count."""


capacity = remember(SpaceFacts.capacity.func, lambda facts: facts.space)


@pytest.fixture(autouse=True)
def cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose speed no load changes, and networks that cost their level times their settings; the
    plans of one space count its levels once."""
    monkeypatch.setattr(SpaceFacts, "capacity", property(capacity))
    fix_cost_speed(monkeypatch, lambda self, level, device: 2e-5 * (level + 1))
    measure_here(monkeypatch)
    monkeypatch.setattr(Cost, "_params", lambda self, architecture: len(architecture))
    monkeypatch.setattr(Cost, "_count_macs", lambda self, architecture, skeleton: _product(skeleton))


def _product(skeleton: Any) -> float:
    return 1e6 * math.prod(float(value) for value in skeleton.values() if not isinstance(value, str))


@pytest.fixture(scope="module")
def task() -> cambrian.Task:
    """As many images as CIFAR-10 trains on."""
    digits = cambrian.load("digits")
    return dataclasses.replace(digits, train=np.zeros(45_000, np.int64))


@cambrian.space
def growing(pick: Any, task: Any, *, filters: int = 16) -> nn.Module:
    """A user's program that asks for a depth."""
    layers: list[nn.Module] = [nn.Flatten(), nn.Linear(task.channels * task.height * task.width, filters)]
    for n in range(pick.depth("layers", 1, 6)):
        layers.append([nn.ReLU(), nn.Tanh(), nn.GELU()][pick(f"act{n}", [0, 1, 2])])
    return nn.Sequential(*layers, nn.Linear(filters, task.classes))


def plans(task: cambrian.Task, space: Any, budgets: Sequence[str], **more: Any) -> list[Plan]:
    return [plan(task, budget, workers=2, space=space, baselines=(), **more) for budget in budgets]


def check(made: list[Plan], space: Space) -> None:
    """Whatever the budgets, in ascending order."""
    for each in made:
        assert each.search.budget.seconds is not None
        assert each.seconds <= each.search.budget.seconds
        assert sum(each.work.trials.values()) >= 1
        assert all(n >= 1 for n in each.work.trials.values())
        assert each.search.final is not None
        names = {*each.search.fidelity.skeleton, *each.search.final.fidelity.skeleton}
        assert names <= set(space.skeleton)
    for less, more in pairwise(made):
        assert less.seconds <= more.seconds
        assert less.work.levels <= more.work.levels
        check_amounts(less.work, more.work)
        assert _product(less.work.skeleton) <= _product(more.work.skeleton)
        assert _product(less.work.final_skeleton) <= _product(more.work.final_skeleton)


def check_amounts(less: Workload, more: Workload) -> None:
    """At equal levels and sizes no amount is less for more time; a further level or a larger network may cost
    some of the others."""
    if less.levels == more.levels and less.skeleton == more.skeleton:
        assert sum(less.trials.values()) <= sum(more.trials.values())
        assert less.epochs * less.images <= more.epochs * more.images
    if less.levels == more.levels and less.final_skeleton == more.final_skeleton:
        assert less.final_epochs <= more.final_epochs


@pytest.mark.parametrize("name", slow_for([n for n in DEAR if n in GROWING], GROWING))
def test_spaces_that_grow_are_planned_by_their_levels(task: cambrian.Task, name: str) -> None:
    """From 2 minutes to 24 hours progressive search climbs the space's own levels, with the names of its own
    skeleton; more time never buys less, and no more time is promised than there is."""
    space = SPACES.make(name).for_task(task)
    made = plans(task, space, BUDGETS[::2], strategy="progressive")
    check(made, space)
    for each in made:
        planned = each.search.strategy
        climbing = planned.inner if isinstance(planned, Audited) else planned
        assert isinstance(climbing, Progressive)
        assert climbing.levels == each.work.levels
        assert tuple(each.work.trials) == space.know(Grows).levels[: each.work.levels]
        assert sum(each.trials.values()) >= 1
    assert made[-1].work.levels == len(space.know(Grows).levels)


@pytest.mark.parametrize("name", slow_for(DEAR, SPACES.names()))
def test_every_space_is_planned_without_levels(task: cambrian.Task, name: str) -> None:
    """A strategy that does not climb has as many trials as the preset, each of the space's typical cost."""
    space = SPACES.make(name).for_task(task)
    made = plans(task, space, BUDGETS[::2], strategy="evolution")
    check(made, space)
    assert all(each.trials == {} for each in made)


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", slow_for(DEAR, SPACES.names()))
def test_sizes_cost_more_and_more(name: str, every: int) -> None:
    """Each size of a built-in space is a skeleton that it builds, and costs more multiply-accumulates than
    the one before it; in `make test` every third and the largest."""
    shape = Shape(3, 8, 8, 10)
    facts = SpaceFacts(SPACES.make(name).for_task(shape))
    last = facts.levels[-1] if facts.levels else None
    architecture = facts.draw(last, stream(2, "size"))
    chosen = [s for n, s in enumerate(facts.sizes) if n % every == 0 or n == len(facts.sizes) - 1]
    with torch.device("meta"):
        networks = [facts.space.build(architecture, shape, **size) for size in chosen]
    counts = [macs(network, (3, 8, 8)) for network in networks]
    assert counts == sorted(set(counts))
    assert facts.space.know(Scales) is not None or len(facts.sizes) == 1


@pytest.mark.parametrize("name", GROWING)
def test_an_architecture_of_each_level(name: str) -> None:
    """The facts of a space draw one of any level, also where no question asks for the level."""
    facts = SpaceFacts(SPACES.make(name))
    for level in facts.levels:
        assert facts.grows.level(facts.draw(level, stream(0, "draw", level))) == level


@pytest.mark.parametrize("name", ["macro", "tiny-chain", "nasbench101", "nascell", "free-graph"])
def test_small_levels_are_counted(name: str) -> None:
    """The capacity of a level is the number of children that growing every architecture below it gives, which
    a strategy that keeps them all would train."""
    facts, parents = SpaceFacts(SPACES.make(name)), []
    for level, capacity in zip(facts.levels, facts.capacity):
        if capacity == PLENTY:
            break
        pool = facts.grows.grow(parents, stream(0, "all"), cap=None)
        assert (len(pool), level) == (capacity, facts.grows.level(pool.architecture(0)))
        parents = [pool.architecture(i) for i in range(len(pool))]


def test_what_small_levels_leave_goes_to_others(task: cambrian.Task) -> None:
    """Macro has 3 chains of one layer and 9 of two: a plan has as many trials there as in PNAS, which has 136
    cells of one block."""
    made = plan(task, "10m", workers=2, space="macro", strategy="progressive")
    assert (made.work.trials[1], made.work.trials[2]) == (3, 9)
    total, wanted = sum(made.work.trials.values()), made.preset.trials if made.preset else 0
    assert wanted - made.work.levels < total <= wanted


@pytest.mark.parametrize("seed", range(20))
def test_even_shares(seed: int) -> None:
    """`fill_evenly` is the largest level whose sum over capacities stays within the total (brute force)."""
    rng = np.random.default_rng(seed)
    capacities, total = rng.integers(1, 30, rng.integers(1, 6)).tolist(), int(rng.integers(0, 120))
    levels = range(1, max(capacities) + 1)
    fitting = [n for n in levels if sum(min(n, c) for c in capacities) <= total]
    assert fill_evenly(capacities, total) == max(fitting, default=1)


@pytest.fixture(scope="module")
def remembered(task: cambrian.Task) -> Space:
    """The growing program as plans for the task see it, which remembers its walks from plan to plan."""
    return growing.for_task(task)


@pytest.mark.filterwarnings("ignore:the space has no name")
@pytest.mark.parametrize("budget", [None, 1, 7, 40, 500, "2m", "2h", "40, 2h", "5000, 2m"])
def test_users_spaces_are_planned(task: cambrian.Task, remembered: Space, budget: Any) -> None:
    """A growing program and a space that is only two methods: nothing more has to be known of them."""
    space = growing if budget is None else remembered
    climbed = plan(task, budget, workers=2, space=space, strategy="progressive")
    assert isinstance(climbed.search.strategy, Progressive)
    assert set(climbed.search.fidelity.skeleton) == {"filters"}
    assert set(climbed.work.trials) <= {1, 2, 3, 4, 5, 6}
    bare = plan(task, budget, workers=2, space=Bare(), strategy="random")
    assert bare.search.fidelity.skeleton == {}
    limit = cambrian.Budget.parse(budget)
    if limit.trials is not None:
        assert 1 <= sum(climbed.work.trials.values()) <= limit.trials
    if limit.seconds is not None:
        assert max(climbed.seconds, bare.seconds) <= limit.seconds


class Bare:
    """A space without a base class, a skeleton or any knowledge."""

    def walk(self, decide: Any) -> Architecture:
        pick = Pick(decide)
        pick("width", [8, 16])
        return pick.architecture()

    def build(self, architecture: Architecture, task: Signature) -> nn.Module:
        width = int(architecture["width"])  # type: ignore[arg-type]
        return nn.Sequential(nn.Conv2d(task.channels, width, 3), nn.Flatten(), nn.LazyLinear(task.classes))


@pytest.mark.parametrize("name", slow_for(("darts",), ["darts", "nasbench201", "macro"]))
def test_a_planned_search_climbs_as_planned(name: str) -> None:
    """Run by real training, it trains as many networks at each level as the plan says."""
    small = {"epochs": 1, "images": 32, "final_epochs": 1}
    data = cambrian.load("digits", limit=80)
    made = plan(data, 12, workers=1, space=name, strategy="progressive", changes=small)
    made.search.final = None
    levels = Counter(trial.reason["level"] for trial in made.search.run().trials)
    assert dict(levels) == made.trials
    assert len(levels) == 3


@pytest.mark.parametrize("name", ["darts", "macro", "nasbench101", "autoformer"])
def test_haste(task: cambrian.Task, name: str) -> None:
    """Where not even the smallest preset fits, at least one network is promised, and no more time than there
    is; more time never promises fewer levels."""
    hasty = plans(task, name, ["1s", "5s", "15s", "30s"], strategy="progressive")
    for each in hasty:
        assert sum(each.trials.values()) >= 1
        assert each.seconds <= (each.search.budget.seconds or 0)
        assert all(n <= each.work.trials[level] for level, n in each.trials.items())
    for less, more in pairwise(hasty):
        assert (less.seconds, less.work.epochs) <= (more.seconds, more.work.epochs)
    assert "for all of it; budget: 1s, in which the search ends after about" in dict(hasty[0].rows)["time"]


def test_a_named_space_is_searched_to_its_last_level_where_trials_are_counted(task: cambrian.Task) -> None:
    """A budget of trials says nothing of time, so that levels are left out only where there would be fewer
    than four trials each."""
    made = plan(task, 400, workers=2, space="darts")
    assert list(made.work.trials) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert 0.9 * 400 <= sum(made.work.trials.values()) <= 400
    assert len(plan(task, 12, workers=2, space="darts", strategy="progressive").work.trials) == 3


def test_trials_are_fewer_and_longer_where_both_are_limited(task: cambrian.Task) -> None:
    """Twenty trials in two hours are trained for more than two hundred would be."""
    many = plan(task, "2h", workers=2, space="macro", strategy="progressive").work
    few = plan(task, "20, 2h", workers=2, space="macro", strategy="progressive").work
    assert sum(few.trials.values()) <= 20 < sum(many.trials.values())
    assert few.epochs * few.images > many.epochs * many.images


def test_settings_of_the_skeleton_are_said_by_their_names(task: cambrian.Task) -> None:
    """Those of the search as they are, those of the final networks after `final_`; one that the space does
    not have is refused with its nearest name."""
    made = plan(task, "2h", space="cgp", changes={"width": 0.3, "final_width": 0.7, "epochs": 2})
    assert made.search.fidelity.skeleton == {"width": 0.3}
    assert made.search.final is not None
    assert made.search.final.fidelity.skeleton == {"width": 0.7}
    for wrong, valid in (("filters", "width"), ("final_filters", "final_width")):
        with pytest.raises(UnknownName, match=rf"skeleton setting '{wrong}'.* \(valid: .*\b{valid}\b"):
            plan(task, "2h", space="cgp", changes={wrong: 8})


def test_too_many_levels(task: cambrian.Task) -> None:
    """Are refused in a sentence where the space was named; the usual space grows to them."""
    with pytest.raises(UsageError, match=r"levels is 9, but the space has 8 \(1 to 8\)"):
        plan(task, "2h", space="darts", strategy="progressive", changes={"levels": 9})
    made = plan(task, "2h", changes={"levels": 7})
    assert made.search.space == PNAS(blocks=7)
    assert list(made.work.trials) == [1, 2, 3, 4, 5, 6, 7]


def test_papers_numbers_belong_to_their_space(task: cambrian.Task) -> None:
    """A space that does not say how its paper searched it says so; PNAS does, under any of its settings."""
    with pytest.raises(UsageError, match="darts does not say how its paper searched it"):
        plan(task, space="darts", paper=True)
    made = plan(task, space={"name": "pnas", "arguments": {"output": "unused"}}, paper=True)
    assert made.work.trials == {1: 136, 2: 256, 3: 256, 4: 256, 5: 256}


def test_spaces_without_levels_are_refused_to_progressive_search(task: cambrian.Task) -> None:
    """As they are by a search."""
    with pytest.raises(Incompatible, match="architectures grow from small to large, and cgp is not"):
        plan(task, "2h", space="cgp", strategy="progressive")


def test_baselines_are_those_of_the_space(task: cambrian.Task) -> None:
    """A random architecture, and the one that was published for it, if it holds any."""
    made = {name: plan(task, "2h", space=name).search.final for name in ("darts", "macro", "mnasnet")}
    assert [final and final.baselines for final in made.values()] == [
        ("random", "darts-v2"),
        ("random",),
        ("random", "mobilenet-v2"),
    ]


def test_samples_are_of_the_space(task: cambrian.Task) -> None:
    """The level that stands for random architectures is one that they have."""
    for name in GROWING:
        facts = SpaceFacts(SPACES.make(name))
        levels = {facts.grows.level(sample(facts.space, stream(1, n))) for n in range(40)}
        assert facts.typical_level in levels
