"""Which values of a run are shares, such as accuracies, that people read as percentages.

A number between 0 and 1 may be anything that a function of the user's returns: what it is decides, and not
where it lies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cambrian.problem import split_words
from cambrian.search.parts.components import identity_of, specs_of
from cambrian.search.parts.direction import objective_name
from cambrian.tasks.targets.metrics import is_share

if TYPE_CHECKING:
    from cambrian.search.result import Result
    from cambrian.search.search import Search

TRAIN = "train"
TRAININGS = (TRAIN, "one-shot")
"""The estimators whose values are those of the task's metric."""
PLANTED = "cambrian.benchmarks.planted:Planted"
"""An estimator of accuracies without data."""
WORDS = {"acc", "accuracy"}
"""In the name of a function or of its objective."""
COLUMNS = {*WORDS, "val", "valid", "validation"}
"""In that of a table's column, where a score on validation is an accuracy unless lower is better."""


def find_shares(run: Search | Result) -> frozenset[str]:
    """The names of the run's estimators whose values are shares: "" the first."""
    specs = list_described(run.facts.get("settings", {})) if hasattr(run, "facts") else _list_specs(run)
    return name_shares(specs, "" if run.task is None else run.task.metric)


def name_shares(specs: Mapping[str, Mapping[str, Any]], metric: str) -> frozenset[str]:
    """Of the estimators with these specs, those whose values are shares; `metric` is the task's, or ""."""
    return frozenset(name for name, spec in specs.items() if _gives_shares(spec, metric))


def list_described(settings: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The specs of the estimators of a run with these settings, by their names in it."""
    others = {name: spec or {} for name, spec in settings.get("estimators", {}).items()}
    return {"": settings.get("estimator") or {}, **others}


def _list_specs(search: Search) -> dict[str, Mapping[str, Any]]:
    specs = specs_of(search.estimators)
    return {name: specs[name] or {"unnamed": identity_of(each)} for name, each in search.estimators.items()}


def _gives_shares(spec: Mapping[str, Any], metric: str) -> bool:
    """
    >>> _gives_shares({"name": "function", "arguments": {"function": "mine:val_acc"}}, "")
    True
    >>> _gives_shares({"unnamed": "score 1f0a"}, "accuracy")
    False
    """
    inner = spec.get("arguments", {}).get("inner")
    if inner is not None:  # one around another has the values of that one
        return _gives_shares(
            inner if isinstance(inner, Mapping) else {"name": inner.partition("(")[0]}, metric
        )
    if spec.get("name") in TRAININGS:
        return is_share(metric)
    if spec.get("name") == PLANTED:
        return True
    # A function without a name that another process could load it by is described by its own, and a number.
    own = str(spec.get("unnamed", "")).partition(" ")[0].rpartition(".")[2]
    name = own or objective_name(spec, None)
    words = COLUMNS if spec.get("name") == "tabular" else WORDS
    return is_share(name) or bool(split_words(name) & words)
