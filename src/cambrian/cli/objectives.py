"""`--objectives` of a search: the metrics that count, the value of the estimator first."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated

import typer

from cambrian.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from cambrian.problem import Objective

STRATEGY = "nsga2"
"""The strategy of a search with several objectives for which nobody names one."""

Objectives = Annotated[
    str | None,
    typer.Option(
        help="Search for a front of several: accuracy,latency,params; for tables, columns. A leading - or +"
        " says that lower or higher is better. What the search ranks by counts, named or not.",
        show_default=False,
        metavar="NAMES",
        rich_help_panel="What to search",
    ),
]


def read_objectives(text: str | None, value: str, names: Collection[str] | None = None) -> list[Objective]:
    """The objectives in a text such as `accuracy,-latency`, without that of the estimator's own `value`,
    which every search has. The others are measures of networks or, where they are given, `names`. Raises
    UsageError."""
    from cambrian.registry import parts
    from cambrian.search.direction import read_objective

    if text is None:
        return []
    written = [part.strip() for part in parts(text) if part.strip()]
    others = [part for part in written if part.lstrip("+-").strip() != value]
    for part in others:
        _check_known(part.lstrip("+-").strip(), value, names)
    if not others:
        raise UsageError(
            f"--objectives {text!r} names no objective besides {value}: add one, as {value},params"
        )
    objectives = [read_objective(part) for part in others]
    twice = {o.name for n, o in enumerate(objectives) if o.name in {x.name for x in objectives[:n]}}
    if twice:
        raise UsageError(f"--objectives names {', '.join(sorted(twice))} twice: give each once")
    return objectives


def find_metric(text: str | None) -> str | None:
    """The task's metric among the objectives that are named, if there is one.

    >>> find_metric("-rmse,latency"), find_metric("latency,params")
    ('rmse', None)
    """
    from cambrian.tasks.metrics import METRICS

    names = [part.strip().lstrip("+-").strip() for part in (text or "").split(",")]
    return next((name for name in names if name in METRICS), None)


def _check_known(name: str, value: str, names: Collection[str] | None) -> None:
    """Raise UnknownName for an objective that the search would not measure."""
    from cambrian.networks.measure import MEASURES
    from cambrian.networks.measure.measure import find_measure, is_measure

    if names is not None:
        if name not in names:
            raise UnknownName("objective", name, [value, *names])
    elif is_measure(name):
        find_measure(name)
    else:
        raise UnknownName("objective", name, [value, *MEASURES.names()])
