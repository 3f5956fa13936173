"""Objectives of a search: their names, and whether lower or higher is better."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from cambrian.errors import UsageError
from cambrian.estimators.function import Function
from cambrian.networks.measure import MEASURES
from cambrian.outcome import Trial, set_direction
from cambrian.problem import Objective, lower_is_better
from cambrian.search.parts.conditions import has_condition, read_condition
from cambrian.tasks.targets.metrics import METRICS, is_minimized, is_share


def objective_name(estimator: Mapping[str, Any], task: Any) -> str:
    """The name of the values, by the estimator's spec: a table's column, a function's or a metric's name."""
    arguments = estimator.get("arguments", {})
    if "inner" in arguments:  # one around another has the values of that one
        inner = arguments["inner"]
        return objective_name(
            inner if isinstance(inner, Mapping) else {"name": inner.partition("(")[0]}, task
        )
    if "objective" in arguments:
        return str(arguments["objective"])
    if "function" in arguments:
        return str(arguments["function"]).rpartition(":")[2]
    return str(task.metric) if task is not None and estimator.get("name") == "train" else "value"


def name_value(estimator: Any, objectives: Sequence[Objective | str], task: Any, said: bool | None) -> Any:
    """The estimator; of a function whose value has no name yet, the task's metric is its value where that is
    the first of the `objectives`, unless the direction that was `said` is another one. As a further
    objective it would leave the value to any other metric of the function's, such as a loss."""
    open_value = isinstance(estimator, Function) and not estimator.objective
    if not (open_value and task is not None and objectives):
        return estimator
    minimize = is_minimized(task.metric)
    if read_objective(objectives[0]).name != task.metric or said not in (None, minimize):
        return estimator
    if _function_name(estimator) == task.metric:
        # The value has that name already: a run that is resumed names it first, and is to stay the same.
        return replace(estimator, minimize=minimize) if said is None else estimator
    return replace(estimator, objective=task.metric, minimize=minimize)


def _function_name(estimator: Function) -> str:
    """The name that a function's values have by `objective_name`: empty for one that no name loads."""
    return estimator.function.rpartition(":")[2] if isinstance(estimator.function, str) else ""


def choose_direction(estimator: Any, task: Any, said: bool | None) -> bool:
    """Whether lower values are better: as it is said, else as the estimator or the task's metric knows."""
    if said is not None:
        return said
    if task is not None and measures_metric(estimator):
        return is_minimized(task.metric)
    return bool(getattr(estimator, "minimize", False))


def measures_metric(estimator: Any) -> bool:
    """Whether its values are those of the task's metric: a training's, or of an estimator around one."""
    from cambrian.networks.training.recipe import Recipe

    # An estimator around another one has it as its `estimator` (see `estimators/extrapolated.py`).
    return isinstance(getattr(estimator, "estimator", estimator), Recipe)


def list_directions(minimize: bool, estimators: Mapping[str, Any], task: Any) -> dict[str, bool]:
    """Whether lower values are better, for each of a run's estimators: of the first as the search has it, of
    a further one as it or the task's metric knows. Their values are other quantities."""
    further = {name: choose_direction(each, task, None) for name, each in estimators.items()}
    return {**further, "": minimize}


def turn_trial(trial: Trial, directions: Mapping[str, bool]) -> Trial:
    """The trial with the direction of its estimator: older ledgers have the search's in all their rows."""
    if trial.outcome is None or trial.estimator not in directions:
        return trial
    outcome = set_direction(trial.outcome, directions[trial.estimator])
    return trial if outcome is trial.outcome else msgspec.structs.replace(trial, outcome=outcome)


def check_direction(objective: Objective, estimator: Any, task: Any, said: bool) -> None:
    """Raises UsageError for an accuracy that is to be minimised; warns where no direction was `said` and the
    values have a name for which lower is usually better."""
    if task is not None and measures_metric(estimator):
        lower = is_minimized(task.metric)
        if objective.minimize and not lower:
            raise UsageError(f"{task.metric} is {_name_higher(task.metric)}: it cannot be minimised")
        if lower and not objective.minimize:
            raise UsageError(f"{task.metric} is an error: it cannot be maximised")
    # A function's own name says more than "value", the objective's where it has no spec.
    name = getattr(getattr(estimator, "function", None), "__name__", objective.name)
    if not said and not objective.minimize and lower_is_better(name):
        warnings.warn(
            f"{name!r} is maximised: say minimize=True if lower is better, else minimize=False", stacklevel=4
        )


def _name_higher(metric: str) -> str:
    if not is_share(metric):
        return "higher for the better network"
    return "a share of right answers" if METRICS[metric].counts else "a share, of which more is better"


def read_objective(text: Objective | str) -> Objective:
    """An objective as written: the metric's name, after "-" where lower is better and "+" where higher is.
    A bound after it says the same, and the worst value that is still of use, the objective's reference.
    Raises UsageError without a sign where the name does not decide it.

    >>> str(read_objective("latency")), str(read_objective("+robustness"))
    ('latency, lower is better', 'robustness, higher is better')
    >>> read_objective("latency<10ms")
    Objective(name='latency', minimize=True, reference=0.01)
    """
    if isinstance(text, Objective):
        return text
    if has_condition(text):
        bound = read_condition(text)
        return Objective(bound.metric, bound.below, bound.bound)
    name = text.lstrip("+-").strip()
    minimize = {"-": True, "+": False}.get(text[:1], lower_is_better(name))
    if not name or minimize is None:
        near = difflib.get_close_matches(name, MEASURES.names(), n=1)
        meant = f", or did you mean {near[0]!r}?" if near else ""
        raise UsageError(f"objective {text!r}: say whether lower is better: '-{name}' or '+{name}'{meant}")
    return Objective(name, minimize)


def take_reference(
    objectives: Sequence[Objective], first: Objective, metric: str = ""
) -> tuple[Objective, list[Objective]]:
    """The first objective, with the reference that one of `objectives` gives it, and the others; `metric` is
    what a function calls it, where the search has no name for its values. Raises UsageError for a reference
    of the other direction."""
    names = {first.name, metric}
    others = [o for o in objectives if o.name not in names]
    for own in (o for o in objectives if o.name in names):
        if own.minimize != first.minimize:
            better = "lower" if first.minimize else "higher"
            sign = "<" if first.minimize else ">"
            raise UsageError(f"of {first.name} {better} is better here: write {first.name}{sign}WORST")
        first = replace(first, reference=own.reference)
    return first, others
