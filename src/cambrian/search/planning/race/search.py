"""The search of a race: a strategy, two trainings and a final stage, made of the amounts of `plan.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cambrian.estimators.limits import read_limits
from cambrian.outcome import ENDLESS, Fidelity
from cambrian.search.loop.final import Final
from cambrian.search.parts.begun import read_begun
from cambrian.search.parts.devices import count_threads_of_one
from cambrian.search.planning.optimisers import choose_optimiser
from cambrian.search.planning.plan_request import PlanRequest
from cambrian.search.planning.plan_rows import describe_race
from cambrian.search.planning.planned import Plan
from cambrian.search.planning.race.amounts import BATCH, ETA, MANY_PASSES, choose_margin
from cambrian.search.planning.race.plan import RacePlan, plan_race
from cambrian.search.search import Search
from cambrian.spaces.space import Space
from cambrian.tasks.targets.metrics import is_share

if TYPE_CHECKING:
    from cambrian.estimators.train import Train
    from cambrian.tasks.task import Task

FINAL = "final"
"""The name of the estimator that trains the winner."""
AVERAGE = 0.98
"""The decay of the average of weights, per step."""
SGD_RATE = 0.3
"""The highest learning rate of SGD for images."""


def plan_by_race(request: PlanRequest, space: Space) -> Plan:
    """See `cambrian.plan`; `space` has a portfolio."""
    from cambrian.strategies.multifidelity.race import Race

    task, limits, recipe, settings = request.task, request.limits, request.recipe, dict(request.settings)
    begun = read_begun(settings.pop("begin_with", None), space)
    assert limits.seconds is not None
    assert request.left is not None
    race = plan_race(
        task,
        space,
        request.left,
        workers=request.crew,
        threads=count_threads_of_one(request.engine),
        device=request.device,
        pretrained=str(recipe.get("pretrained", "")),
        precision=recipe.get("precision"),
        limits=read_limits(settings.get("limits") or {}),
        seed=int(settings.get("seed", 0)),
        begun=begun,
        **request.changes,
    )
    optimised = {**choose_optimiser(task, recipe, space), **recipe}
    search = Search(
        space,
        Race(
            race.entrants,
            seconds=round(race.seconds, 2),
            eta=ETA,
            challengers=race.challenges.challengers,
            challenges=race.challenges.heats,
            challenge_seconds=round(race.challenges.seconds, 2) or None,
            # Both are differences of accuracies, and say nothing of others.
            margin=choose_margin(len(task.validation)) if is_share(task.metric) else 0.0,
            handicap=race.handicap if is_share(task.metric) else 0.0,
            inherits=True,
        ),
        _make_race_training(task, race, optimised),
        task,
        limits,
        estimators={FINAL: _make_final_training(task, race, optimised)},
        engine=request.engine,
        fidelity=Fidelity(ENDLESS, resolution=race.coarse),
        final=Final(
            Fidelity(ENDLESS, resolution=race.fine),
            top=2,
            baselines=request.baselines or (),
            continues=True,
            estimator=FINAL,
            # Planning may leave less than a race can have, which is a second.
            share=round((1 - race.share - race.contested) * min(1.0, race.left / limits.seconds), 4),
        ),
        device=request.device,
        **settings,
    )
    rows = tuple(describe_race(search, race, request.engine.slots))
    search.remarks = {"plan": rows}
    return Plan(search, rows, limits.seconds)


def _make_race_training(task: Task, race: RacePlan, recipe: Mapping[str, Any]) -> Train:
    """A constant rate after a short warm-up, since nobody knows how long a runner will learn; scored by the
    average of its weights, which are about as good as if the rate had fallen."""
    steady = {"schedule": "constant", "epoch_steps": 500, "decay_epochs": 1.0, "warmup": 0.1}
    return _make_training(task, race, race.coarse, {**steady, "average": AVERAGE, **recipe})


def _make_final_training(task: Task, race: RacePlan, recipe: Mapping[str, Any]) -> Train:
    """A rate that falls to 0 at the end of the budget, while the images grow to their full size; where few
    images are seen often they are full from the start, since small ones save time that is not short. The
    average of the weights is handed over: after many steps it is where the rate has fallen to 0, and after a
    few, on a machine that gave no time for more, it is what the network had learned before."""
    settings = {"schedule": "linear", "warmup": 0.1, "epoch_steps": 200, "average": AVERAGE}
    growth = {"first_resolution": 0.5, "full_from": 0.75} if race.grows else {}
    return _make_training(task, race, race.fine, {**settings, **growth, **recipe})


def _make_training(task: Task, race: RacePlan, resolution: int | None, settings: Mapping[str, Any]) -> Train:
    """The training of images of `resolution` pixels a side (None: as they are)."""
    from cambrian.estimators.train import Train

    batch = int(settings.get("batch_size", race.batch))
    common: dict[str, Any] = {"batch_size": batch, "precision": race.precision}
    if settings["optimiser"] == "sgd":
        # The rate is that of a batch of 128, and in proportion to others (Goyal et al. 2017, Sec. 2.1);
        # muon's step of a filter is of one length, and its rate is one for all batches.
        common["learning_rate"] = min(SGD_RATE, SGD_RATE * batch / BATCH)
    if task.causal:  # smoothing costs bits
        return Train(**{**common, **settings})
    common["label_smoothing"] = 0.1
    if race.passes > MANY_PASSES:
        side = resolution or min(task.height, task.width)
        common |= {"cutout": side * 3 // 8, "weight_decay": 2e-3}
    return Train(**{**common, **settings})
