"""The search by a supernet: the estimator of shared weights, the strategy with its amounts, and the final
stage by full training, made of the amounts of `plan.py`."""

from __future__ import annotations

from typing import Any

from cambrian.outcome import Fidelity
from cambrian.search.loop.final import Final
from cambrian.search.parts.compatibility import check_needs, check_shared, learns_gates
from cambrian.search.parts.components import space_for
from cambrian.search.planning.optimisers import choose_optimiser
from cambrian.search.planning.plan_request import PlanRequest
from cambrian.search.planning.planned import Plan
from cambrian.search.planning.supernet.plan import TOP, adapt_strategy, plan_amounts
from cambrian.search.planning.supernet.rows import describe_shared
from cambrian.search.planning.table_plan import SPACE as TABLE_SPACE
from cambrian.search.search import Search
from cambrian.strategies.strategy import Strategy

FINAL = "final"
"""The name of the estimator that trains networks alone."""
DEFAULT_SPACE = "nasbench201"


def plan_by_supernet(request: PlanRequest, strategy: Strategy) -> Plan:
    """See `cambrian.plan`; `strategy` is the one that the request names."""
    from cambrian.estimators.one_shot import OneShot
    from cambrian.estimators.train import Train

    task, limits, recipe = request.task, request.limits, request.recipe
    # Gates mix operations, and the layers of a table are no forks of operations.
    usual = TABLE_SPACE if task.columns and not learns_gates(strategy) else DEFAULT_SPACE
    space = space_for(usual if request.space is None else request.space, task)
    # Before any of it is measured.
    check_shared(strategy, space)
    check_needs(strategy, space)
    compared = ("random",) if request.baselines is None else request.baselines
    alone = {"pretrained", "drop_path"} if learns_gates(strategy) else {"pretrained"}
    # A file of weights is of a network alone, and mixtures of candidates have no paths to drop.
    rate = {"learning_rate": 0.1} if recipe.get("optimiser", "sgd") == "sgd" else {}
    shared = {**rate, "paths": 2} | {k: v for k, v in recipe.items() if k not in alone}
    one_shot = OneShot(**shared)
    amounts = plan_amounts(
        task,
        space,
        strategy,
        one_shot,
        limits,
        request.changes,
        began=request.began,
        workers=request.crew,
        here=request.engine.slots_here,
        device=request.device,
        trainings=TOP + 1 + len(compared),
        memory=request.settings.get("memory"),
    )
    adapted = adapt_strategy(strategy, amounts)
    search = Search(
        space,
        adapted,
        OneShot(**(_extend_schedule(adapted, amounts.epochs) | shared)),
        task,
        limits,
        estimators={FINAL: Train(**{**choose_optimiser(task, recipe, space, amounts.skeleton), **recipe})},
        engine=request.engine,
        fidelity=Fidelity(amounts.epochs, amounts.fraction, skeleton=amounts.skeleton),
        final=Final(
            Fidelity(amounts.final_epochs, skeleton=amounts.final_skeleton),
            top=TOP,
            baselines=compared,
            estimator=FINAL,
            share=amounts.share,
        ),
        device=request.device,
        **request.settings,
    )
    rows = tuple(describe_shared(search, amounts, request.engine.slots))
    expected = {} if learns_gates(adapted) else {0: int(getattr(adapted, "children", 0))}
    search.remarks = {"plan": rows, "expected": {str(level): n for level, n in expected.items() if n}}
    seconds = amounts.whole if limits.seconds is None else limits.seconds
    return Plan(search, rows, seconds or 0.0, trials=expected)


def _extend_schedule(strategy: Strategy, epochs: int) -> dict[str, Any]:
    """The rate falls over the whole training, so that a chunk of it goes on where the last one ended. Methods
    with gates know their own length, which may be that of a stage."""
    return {} if learns_gates(strategy) else {"decay_epochs": float(epochs)}
