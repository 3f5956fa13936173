"""The calls of a user's function: which arguments it takes, and how its results are read."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from types import FunctionType
from typing import TYPE_CHECKING, Any

from cambrian.errors import UsageError
from cambrian.options import shorten
from cambrian.outcome import Fidelity
from cambrian.problem import lower_is_better

if TYPE_CHECKING:
    from cambrian.problem import Objective
    from cambrian.tasks.task import Task

WANTED = "an estimator is a function f(network) or f(network, fidelity)"
_PLACES = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def check_function(function: Any) -> None:
    """Raise UsageError for an object that cannot measure a network: a network itself, the undecorated
    function of a space, a function with other arguments."""
    name = getattr(function, "__name__", type(function).__name__)
    if _is_network(function):
        raise UsageError(f"{WANTED}, got the network {name}: write a function that measures one")
    if not callable(function):
        raise UsageError(f"{WANTED}, got {shorten(function)}")
    parameters = _list_parameters(function)
    if parameters and parameters[0].name == "pick":
        raise UsageError(
            f"{WANTED}, got {name}, which asks questions with pick: it is a space, so write @cambrian.space"
            f" above it and give it as the space"
        )
    if parameters is not None and not _can_be_called(parameters):
        measures = [p.name for p in parameters[:3]] == ["network", "batch", "device"]
        how = (
            f": that is a measure, and Proxy('MODULE:{name}') the estimator that takes it" if measures else ""
        )
        raise UsageError(f"{WANTED}, got {name}{inspect.signature(function)}{how}")


def call_function(function: Callable[..., Any], subject: Any, fidelity: Fidelity) -> Any:
    """The function's result for a network or an architecture, with the fidelity where it takes one."""
    if not takes_fidelity(function):
        return function(subject)
    parameters = _list_parameters(function) or []
    if any(p.name == "fidelity" for p in _list_late(parameters)):
        return function(subject, fidelity=fidelity)
    return function(subject, fidelity)


def takes_fidelity(function: Callable[..., Any]) -> bool:
    """Whether a function measures at the fidelity that it is given."""
    parameters = _list_parameters(function)
    if parameters is None:  # some functions written in C do not tell their arguments
        return True
    return any(p.name == "fidelity" for p in _list_late(parameters)) or _takes_second(parameters)


def is_curve(result: object) -> bool:
    """Whether the result is a learning curve. A tensor or array without dimensions has `__iter__` too, and
    is a number."""
    return (
        isinstance(result, Iterable)
        and not isinstance(result, str | bytes | Mapping | tuple)
        and getattr(result, "ndim", None) != 0
    )


def split_metrics(
    result: object, estimator: object, objectives: Sequence[Objective], task: Task | None, said: str
) -> tuple[object, dict[str, float]]:
    """The value, and all other metrics by name, of a number or of a dictionary of numbers, such as an
    `estimator` gives. The value is the metric that it names as its `objective`; else the first of the
    objectives, "value", the task's metric, or the only one that is not a further objective.
    Raises UsageError where that does not decide it, or where by its name lower is better and higher would be
    searched for, or the other way round, and for a tuple: `said` opens its sentence."""
    if isinstance(result, tuple):
        # Read as a curve, its last number would be maximised, which may be a time.
        raise UsageError(
            f"{said} the tuple {shorten(result)}, whose numbers have no names: return a"
            f" dictionary of metrics, as {{'accuracy': 0.9, 'latency': 0.02}}, or a list for a learning curve"
        )
    if not isinstance(result, Mapping) or not result:
        return result, {}
    metrics = {str(name): _read_number(str(name), number, said) for name, number in result.items()}
    first, *others = objectives
    asked = getattr(estimator, "objective", "") or first.name
    named = [asked, "value", *([task.metric] if task else ())]
    name = _name_value(metrics, named, {o.name for o in others}, said)
    if name != asked:  # nobody said that it is the value
        _check_direction(name, metrics, first.minimize, said, "" if task is None else task.metric)
    return metrics.pop(name), metrics


def _name_value(
    metrics: Mapping[str, float], named: Sequence[str], further: Collection[str], said: str
) -> str:
    others = [name for name in metrics if name not in further]
    name = next((name for name in named if name in others), None)
    if name is None and len(others) == 1:
        return others[0]
    if name is None:
        raise UsageError(
            f"{said} the metrics {', '.join(metrics)}, and it is open which one is the value"
            f" that is searched for: call it 'value', or say Function(f, objective={next(iter(metrics))!r})"
        )
    return name


def _check_direction(name: str, metrics: Mapping[str, float], minimize: bool, said: str, metric: str) -> None:
    """Raise UsageError where the metric `name` would be searched for in the wrong direction, by its name.
    Whoever names the task's `metric` among the objectives need not say the direction."""
    lower = lower_is_better(name)
    if lower is None or lower == minimize:
        return
    named = f" or objectives=[{name!r}] (--objectives {name})" if name == metric else ""
    raise UsageError(
        f"{said} the metrics {', '.join(metrics)}, and {name!r} would be"
        f" {'minimised' if minimize else 'maximised'}, of which {'lower' if lower else 'higher'} is usually"
        f" better: say minimize={lower}{named}, or call the metric that is searched for 'value'"
    )


def _read_number(name: str, number: Any, said: str) -> float:
    try:
        if number is None or isinstance(number, str | bytes | bool):
            raise TypeError
        return float(number)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{said} {shorten(number)} as its metric {name!r}, expected a number") from None


def _is_network(value: object) -> bool:
    # Looked up and not imported: without torch in the process it cannot be one.
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def _list_parameters(function: Any) -> list[inspect.Parameter] | None:
    # Reading a signature takes longer than a free evaluation, and each trial asks.
    return _read_signature(function) if isinstance(function, FunctionType) else _inspect(function)


def _inspect(function: Any) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None


_read_signature = lru_cache(maxsize=16)(_inspect)


def _can_be_called(parameters: Sequence[inspect.Parameter]) -> bool:
    """Whether one subject, and perhaps the fidelity, are all that must be given."""
    required = [p for p in parameters if p.default is p.empty and p.kind in (*_PLACES, p.KEYWORD_ONLY)]
    places = [p for p in parameters if p.kind in (*_PLACES, p.VAR_POSITIONAL)]
    by_name = [p for p in required if p.kind is p.KEYWORD_ONLY and p.name != "fidelity"]
    return bool(places) and len(required) <= 2 and not by_name


def _list_late(parameters: Sequence[inspect.Parameter]) -> list[inspect.Parameter]:
    """The parameters that can be given by name alone, or after a setting."""
    places = [p for p in parameters if p.kind in _PLACES]
    return [p for p in parameters if p.kind is p.KEYWORD_ONLY] + places[2:]


def _takes_second(parameters: Sequence[inspect.Parameter]) -> bool:
    """Whether a second argument is the fidelity: one with a default of its own is a setting of the user's."""
    places = [p for p in parameters if p.kind in _PLACES]
    if len(places) < 2:
        return any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return (
        places[1].name == "fidelity"
        or places[1].default is inspect.Parameter.empty
        or places[1].default is None
    )
