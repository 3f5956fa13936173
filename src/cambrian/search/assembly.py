"""The parts of a running search: the problem of its strategy, its coordinator, the work of its engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cambrian.problem import Limit, Problem
from cambrian.search.engines.engine import Work
from cambrian.search.identity.settings import describe_component, describe_data
from cambrian.search.ledger.keys import digest
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.loop.coordinator import Coordinator, Means
from cambrian.search.parts.compatibility import list_served
from cambrian.search.parts.components import spec_of, specs_of

if TYPE_CHECKING:
    from cambrian.search.search import Search


def make_problem(search: Search, planned: int | None, seconds: float | None = None) -> Problem:
    """The problem that the strategy starts with; `planned` trials and `seconds` are the budget at the run's
    begin."""
    return Problem(
        search.space,
        objectives=search.objectives,
        limits=tuple(Limit(name, most) for name, most in search.limits.items()),
        fidelity=search.fidelity,
        trials=planned,
        seconds=seconds,
        seed=search.seed,
        axes=tuple(getattr(search.estimator, "axes", ())),
        begins=search.begins,
    )


def make_coordinator(search: Search, ledger: Ledger, begun: Mapping[str, Any]) -> Coordinator:
    """The coordinator of the run in `ledger`, which was begun with the settings `begun`."""
    facts = ledger.facts()
    return Coordinator(
        make_problem(search, facts["planned"], facts["planned_seconds"]),
        search.strategy,
        ledger,
        lag=search.lag,
        means=_make_means(search, begun),
        order=search.order,
        # Who resumes a failing search has mended its mistake: the crashes before do not count again.
        forgiven=max((v["after"] for _, _, v in ledger.events("stop") if v["failing"]), default=0),
        keeps_all=_delivers_any(search),
        keeps_best=search.hands_over and not search.goes_on,
    )


def _delivers_any(search: Search) -> bool:
    """Whether the final stage may go on from the weights of any trial: where the user's conditions or a front
    say which network is delivered, and not the strategy alone."""
    chooses = search.choose is not None or len(search.objectives) > 1
    return chooses and search.final is not None and search.final.continues


def _make_means(search: Search, begun: Mapping[str, Any]) -> dict[str, Means]:
    directions = search.directions
    return {
        name: Means(
            make_recipe(search, name, begun),
            directions[name],
            list_served(estimator),
            bool(getattr(estimator, "raw", False)),
            bool(getattr(estimator, "reads_history", False)),
        )
        for name, estimator in search.estimators.items()
    }


def make_recipe(search: Search, name: str, begun: Mapping[str, Any]) -> str:
    """The part of a trial's key that stands for the estimator of that name and the data."""
    data = describe_data(search.task)
    if not name:
        # As the run was begun: a setting that the estimator has got since would change the keys of old rows.
        return digest(begun.get("estimator") or describe_component("estimator", search.estimator), data)[:16]
    return digest(spec_of("estimator", search.estimators[name]) or name, data)[:16]


def make_work(
    search: Search,
    facts: Mapping[str, Any],
    files: Path | None,
    stored: Path | None,
    timed: bool = True,
) -> Work:
    """The work that an engine is started with, of the run with these facts: evaluations leave their files in
    `files`, and `stored` is the task on disk. Without `timed` no trial has a time limit."""
    return Work(
        make_problem(search, facts["planned"], facts["planned_seconds"]),
        search.estimators,
        search.task,
        search.final.fidelity if search.final else None,
        search.device,
        files,
        _describe_work(search, stored),
        timeout=search.timeout if timed else None,
        memory=search.memory,
        continues=search.final is not None and search.final.continues,
    )


def _describe_work(search: Search, stored: Path | None) -> dict[str, Any] | None:
    """The description from which another process makes the same components; None where one of them has no
    name, or the task is not on disk."""
    space, estimators = spec_of("space", search.space), specs_of(search.estimators)
    nameless = space is None or None in estimators.values()
    if nameless or (search.task is not None and stored is None):
        return None
    return {"space": space, "estimators": estimators, "task": str(stored) if stored else None}
