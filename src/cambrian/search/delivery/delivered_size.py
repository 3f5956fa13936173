"""Conditions on sizes, kept by the network that is handed over: it may be larger than that of the search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from cambrian.errors import UsageError
from cambrian.estimators.limits import name_settings
from cambrian.networks.measure.measure import is_measure
from cambrian.outcome import Fidelity, Trial
from cambrian.search.loop.final import Final
from cambrian.search.parts.conditions import Condition, describe_values, read_conditions

if TYPE_CHECKING:
    from cambrian.search.search import Search


def choose_fidelity(final: Final, trial: Trial) -> Fidelity:
    """The final stage's, in the trial's own skeleton where the stage continues trials: another one may be
    over a limit, or too large for the data and the time."""
    if not final.continues:
        return final.fidelity
    return msgspec.structs.replace(final.fidelity, skeleton=trial.fidelity.skeleton)


def keep_delivered(search: Search, trials: Sequence[Trial], measured: bool = True) -> list[Trial]:
    """Those of `trials`, best first, whose networks keep the search's conditions on measures, such as macs,
    as the final stage makes them: with its filters, and for images of its size. As many as it compares; all
    where it makes the same networks, and these were `measured`. Raises UsageError with the nearest where none
    does."""
    final, task = search.final, search.task
    conditions = [c for c in read_conditions(search.choose or "") if is_measure(c.metric)]
    if final is None or task is None or not conditions or not getattr(search.estimator, "builds", True):
        return list(trials)
    if measured and all(
        name_settings(choose_fidelity(final, t)) == name_settings(t.fidelity) for t in trials
    ):
        return list(trials)
    kept: list[Trial] = []
    missed: list[tuple[float, str]] = []
    known: dict[str, dict[str, float]] = {}
    for trial in trials:
        fidelity = choose_fidelity(final, trial)
        name = trial.architecture.key + name_settings(fidelity)
        if name not in known:
            if len({t.architecture.key for t in kept}) >= max(1, final.top):
                break
            known[name] = _measure(search, trial, fidelity, conditions)
        metrics = known[name]
        miss = max(c.miss(metrics.get(c.metric)) for c in conditions)
        if miss:
            written = describe_values((c.metric, metrics.get(c.metric)) for c in conditions)
            missed.append((miss, f"trial {trial.number}, has {written}"))
        else:
            kept.append(trial)
    if not kept:
        size = name_settings(choose_fidelity(final, trials[0]))
        raise UsageError(
            f"none of {len(trials):,} networks keeps {', '.join(map(str, conditions))} as it is handed"
            f" over{size}: the nearest, {min(missed)[1]}; choose by a wider bound"
        )
    return kept


def names_measures(choose: str) -> bool:
    """Whether all conditions are on measures, which a network has before it is trained."""
    return all(is_measure(condition.metric) for condition in read_conditions(choose))


def _measure(
    search: Search, trial: Trial, fidelity: Fidelity, conditions: Sequence[Condition]
) -> dict[str, float]:
    from cambrian.estimators.build import measure_at

    assert search.task is not None
    names = [c.metric for c in conditions]
    return measure_at(search.space, search.task, trial.architecture, fidelity, names, search.device)
