"""A run as a table: one row for each trial, with its answers and metrics as columns."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from cambrian.effort import find_epochs
from cambrian.errors import MissingExtra
from cambrian.outcome import Crashed, Done, Infeasible, Trial

if TYPE_CHECKING:
    from cambrian.search.result import Result


def make_frame(result: Result) -> Any:
    """The records as a pandas.DataFrame. Raises MissingExtra without pandas."""
    try:
        pandas = importlib.import_module("pandas")
    except ModuleNotFoundError:
        raise MissingExtra("pandas", "pandas", "result.frame()") from None
    return pandas.DataFrame(list_records(result))


def list_records(result: Result) -> list[dict[str, Any]]:
    """A record for each trial, the search's first; None where a trial has no such thing. `score` is the value
    turned so that higher is better, `epochs` those that were trained, of full data, `answers.PATH` and
    `metrics.NAME` the answers and the further metrics."""
    trials = [*result.trials, *result.finals]
    answers = list(dict.fromkeys(path for t in trials for path, _ in t.architecture.items()))
    metrics = list(dict.fromkeys(name for t in trials for name in _read_metrics(t)))
    return [_record(trial, answers, metrics) for trial in trials]


def _record(trial: Trial, answers: list[str], metrics: list[str]) -> dict[str, Any]:
    given, measured = dict(trial.architecture.items()), _read_metrics(trial)
    epochs = find_epochs(trial)
    record: dict[str, Any] = {
        "number": trial.number,
        "kind": trial.kind,
        "role": trial.role,
        "status": _name_status(trial),
        "value": trial.value,
        "score": trial.score,
        "seconds": trial.outcome.seconds if trial.outcome is not None else None,
        "epochs": None if epochs is None else epochs * trial.fidelity.fraction,
        "cached": trial.cached,
        "key": trial.architecture.key,
    }
    record |= {f"answers.{path}": given.get(path) for path in answers}
    return record | {f"metrics.{name}": measured.get(name) for name in metrics}


def _read_metrics(trial: Trial) -> dict[str, float]:
    return trial.outcome.metrics if isinstance(trial.outcome, Done | Infeasible) else {}


def _name_status(trial: Trial) -> str:
    """running, done, crashed, or the reason why the trial is infeasible."""
    if trial.outcome is None:
        return "running"
    if isinstance(trial.outcome, Infeasible):
        return trial.outcome.reason
    return "crashed" if isinstance(trial.outcome, Crashed) else "done"
