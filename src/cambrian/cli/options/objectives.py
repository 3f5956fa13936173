"""`--objectives` of a search: the metrics that count, the value of the estimator first."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated

import typer

from cambrian.cli.options.headings import FINAL, SEARCHED
from cambrian.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from cambrian.problem import Objective

VALUE = "value"
"""The name of what a search without trainings ranks by."""

Objectives = Annotated[
    str | None,
    typer.Option(
        help="Search for a front of several: accuracy,latency,params; for tables, columns. A leading - or +"
        " says that lower or higher is better; so does a bound, 'accuracy>50%,latency<10ms', the worst values"
        " of use. What the search ranks by counts, named or not.",
        show_default=False,
        metavar="NAMES",
        rich_help_panel=SEARCHED,
    ),
]
Choose = Annotated[
    str | None,
    typer.Option(
        help="Of a search with --objectives, train the best network that keeps conditions: 'latency<5ms' or"
        " 'latency<5ms,params<1M'.",
        show_default="3 at the knees of the front",
        metavar="CONDITIONS",
        rich_help_panel=FINAL,
    ),
]


def read_objectives(
    text: str | None, value: str, names: Collection[str] | None = None, *, own: bool = False
) -> list[Objective]:
    """The objectives in a text such as `accuracy,-latency`, without that of the estimator's own `value`,
    which every search has, unless it has a reference. The others are measures of networks or, where they are
    given, `names`. Of a function of the user's `own` they are also the metrics that it returns, of any name,
    and `value` comes first, also alone, since it says which of these the function's value is and which way is
    better. Raises UsageError."""
    from cambrian.search.parts.direction import read_objective
    from cambrian.spec_text import parts

    if text is None:
        return []
    written = [part for part in parts(text) if own or part.lstrip("+-").strip() != value]
    for part in written:
        if (name := _read_name(part)) != value and not own:
            _check_known(name, value, names)
    objectives = [read_objective(part) for part in written]
    if all(o.name == value for o in objectives) and not (own and objectives):
        raise UsageError(
            f"--objectives {text!r} names no objective besides {value}: add one, as {value},params"
        )
    twice = {o.name for n, o in enumerate(objectives) if o.name in {x.name for x in objectives[:n]}}
    if twice:
        raise UsageError(f"--objectives names {', '.join(sorted(twice))} twice: give each once")
    return sorted(objectives, key=lambda o: own and o.name != value)


def _read_name(part: str) -> str:
    from cambrian.search.parts.conditions import has_condition, split_condition

    return split_condition(part)[0] if has_condition(part) else part.lstrip("+-").strip()


def find_metric(text: str | None) -> str | None:
    """The task's metric among the objectives that are named, if there is one.

    >>> find_metric("-rmse,latency"), find_metric("latency,params")
    ('rmse', None)
    """
    from cambrian.tasks.targets.metrics import METRICS

    names = [_read_name(part.strip()) for part in (text or "").split(",")]
    return next((name for name in names if name in METRICS), None)


def _check_known(name: str, value: str, names: Collection[str] | None) -> None:
    """Raise UnknownName for an objective that the search would not measure."""
    from cambrian.networks.measure import MEASURES
    from cambrian.networks.measure.measure import find_measure, is_measure
    from cambrian.networks.trained import TRAINED_METRICS
    from cambrian.networks.trained.metric import find_trained_metric, is_trained_metric
    from cambrian.tasks.targets.metrics import METRICS

    if names is not None:
        if name not in names:
            raise UnknownName("objective", name, [value, *names])
    elif is_measure(name):
        find_measure(name)
    elif is_trained_metric(name):
        find_trained_metric(name)
    elif name in METRICS:
        by = "a measure, by --estimator" if value == VALUE else f"{value}, by --metric"
        raise UsageError(f"--objectives names {name}, and this search ranks by {by}: leave one of them out")
    else:
        raise UnknownName("objective", name, [value, *MEASURES.names(), *TRAINED_METRICS.names()])
