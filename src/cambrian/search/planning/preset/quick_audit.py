"""Which fidelity a planned search measures at: by a quick audit inside its budget where that is affordable,
else as the presets have it, which is what the tables taught (`benchmarks/quick_audit.py` compares both)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from cambrian.estimators.train import Train
from cambrian.registry import name_of
from cambrian.search.parts.components import spec_of
from cambrian.search.planning.plan_request import PlanRequest
from cambrian.search.planning.preset.workload import Workload
from cambrian.strategies.audited import Audited
from cambrian.strategies.progressive import Progressive
from cambrian.strategies.strategy import Strategy
from cambrian.weights import Continue, Inherit, Shared

if TYPE_CHECKING:
    from cambrian.search.planning.preset.cost import Cost

SHARE = 0.1
"""Of the budget that an audit may take, at most."""
FEWEST, MOST = 4, 8
"""Architectures of an audit: of fewer than four a rank correlation says nothing; of more than eight the time
is better spent on the search."""
BEGINS_WITH_WEIGHTS = (Continue, Inherit, Shared)
LABEL = "fidelity"
"""Of the plan's row."""
RACED = (
    LABEL,
    "seconds and resolution of the heats as measured races taught, not by an audit: a race trains too few"
    " networks to pay for one",
)
"""The row of a race."""


class Decision(NamedTuple):
    """The strategy of a plan, with its audit where there is one, and the plan's row that says whether there
    is ("" where none is wanted)."""

    strategy: Strategy
    sentence: str = ""


def decide_fidelity(strategy: Strategy, work: Workload, cost: Cost, request: PlanRequest) -> Decision:
    """The strategy after a quick audit, where one is wanted, the budget is a time that is large enough for
    it, and nobody has said what to measure by; where it is wanted and cannot be, the reason."""
    if not request.audit:
        return Decision(strategy)
    seconds, reason = request.limits.seconds, _explain_closed(strategy, request)
    if seconds is None or reason:
        return Decision(
            strategy, refuse_audit(reason or "the budget is not a time, of which it takes a tenth")
        )
    typical = _measure_typical(work, cost)
    # A shorter training, fewer images, the planned one and one of twice its length.
    relative = (0.5 if work.epochs > 1 else 0.0) + 0.5 + 1.0 + 2.0
    count = int(SHARE * seconds * cost.workers / (typical * relative))
    if count < FEWEST:
        return Decision(strategy, refuse_audit(f"one of {FEWEST} networks would take too long"))
    networks = max(1, math.floor(0.6 * seconds * cost.workers / typical))
    count = min(count, MOST)
    sentence = (
        f"by a quick audit of {count} networks, {SHARE:.0%} of the time at most: half the epochs, half the"
        f" {request.task.noun}, as planned, or twice the epochs"
    )
    begun = _count_first(strategy, work)
    # By its description, so that a run can be resumed from the command line.
    most = round(SHARE * seconds * cost.workers, 1)
    return Decision(Audited(spec_of("strategy", begun) or begun, count, networks, most), sentence)


def _count_first(strategy: Strategy, work: Workload) -> Strategy:
    """A progressive search that knows how many networks its first level has, so that longer trainings may be
    of fewer."""
    if not isinstance(strategy, Progressive):
        return strategy
    return replace(strategy, first=next(iter(work.trials.values())))


def refuse_audit(reason: str) -> str:
    """The plan's row of a search that has no quick audit though one is wanted."""
    return f"as planned, without a quick audit: {reason}"


def _explain_closed(strategy: Strategy, request: PlanRequest) -> str:
    """Why the fidelity is not the plan's to choose, or the strategy's networks are not all measured at one;
    "" where it is, and they are."""
    named = [name for name in ("epochs", "images") if name in request.changes]
    estimator, name = request.settings.get("estimator"), name_of(strategy)
    if named:
        return f"{' and '.join(named)} are said already"
    if request.paper:
        return "the paper says what its networks are trained for"
    if estimator not in (None, "train") and not isinstance(estimator, Train):
        spec = estimator if isinstance(estimator, str | Mapping) else name_of(estimator)
        return f"networks are ranked by {spec['name'] if isinstance(spec, Mapping) else spec}"
    if request.settings.get("objectives"):
        return "it would judge by the first objective alone"
    if name == "audited":
        return f"the strategy has an audit of its own, of {getattr(strategy, 'sample', 0)} networks"
    if getattr(strategy, "axes", ()):
        return f"{name} measures at several fidelities itself"
    if any(kind in BEGINS_WITH_WEIGHTS for kind in getattr(strategy, "requests", ())):
        return f"{name} begins trainings with the weights of others"
    return ""


def _measure_typical(work: Workload, cost: Cost) -> float:
    """Seconds of an average trial of the plan."""
    total = sum(work.trials.values())
    return sum(n * cost.trial_seconds(work, level) for level, n in work.trials.items()) / total


def add_row(rows: tuple[tuple[str, str], ...], sentence: str) -> tuple[tuple[str, str], ...]:
    """The rows of a plan with that of the fidelity, after what each network is trained for."""
    if not sentence:
        return rows
    place = next((n for n, (label, _) in enumerate(rows) if label == "each"), len(rows) - 1) + 1
    return (*rows[:place], (LABEL, sentence), *rows[place:])


def name_planned(strategy: Any) -> str:
    """The name of the strategy that a plan chose, whose audit has a row of its own."""
    planned = strategy.inner if isinstance(strategy, Audited) else strategy
    return type(planned).__name__.lower()
