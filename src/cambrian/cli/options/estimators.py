"""`--estimator`: what ranks networks in a search."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cambrian.cli.audited import AUTO
from cambrian.errors import UnknownName, UsageError
from cambrian.estimators.function_calls import check_function
from cambrian.registry import Registry

if TYPE_CHECKING:
    from cambrian.estimators.extrapolated import Extrapolated

TRAIN, EXTRAPOLATED = "train", "extrapolated"


def read_estimator(text: str | None) -> Extrapolated | str | None:
    """The estimator around trainings, or the name of a measure or of a function of the user's own; None for
    training, which every plan does by itself. Raises UnknownName for any other, and UsageError for settings
    that it does not have, and for a function that is not one of a network."""
    from cambrian.networks.measure import MEASURES
    from cambrian.networks.measure.measure import find_measure, is_measure

    if text is None or text == TRAIN:
        return None
    if text.partition("(")[0].strip() == EXTRAPOLATED:
        return read_extrapolated(text)
    if not is_measure(text):
        raise UnknownName("estimator", text, [TRAIN, AUTO, EXTRAPOLATED, *MEASURES.names()])
    if is_function(text):
        check_function(Registry("function", {}).get(text))
    else:
        find_measure(text)
    return text


def is_function(estimator: object) -> bool:
    """Whether it names a function of the user's own, `module:function`, whose metrics are not known here."""
    return isinstance(estimator, str) and ":" in estimator


def read_extrapolated(text: str) -> Extrapolated:
    from cambrian.estimators import ESTIMATORS

    parsed: Extrapolated = ESTIMATORS.parse(text)
    return parsed


def is_extrapolated(estimator: object) -> bool:
    """Whether its values are those of trainings."""
    return not isinstance(estimator, str)


def wrap_table(text: str | None, table: Any) -> Any:
    """The estimator of a table's search: the table, or an extrapolation of its curves. Raises UsageError for
    one that builds networks, and for a table without curves."""
    if text is None:
        return table
    if text.partition("(")[0].strip() != EXTRAPOLATED:
        raise UsageError(
            "--estimator is for training networks, which --benchmark does not build: leave it out, or give"
            f" {EXTRAPOLATED}(...)"
        )
    around = read_extrapolated(text)
    if around.inner != TRAIN:
        raise UsageError(
            f"--estimator {text}: with --benchmark the table is what is extrapolated: leave inner out"
        )
    column = table.open().column(table.objective) if hasattr(table, "open") else None
    if column is None or not column.curve:
        raise UsageError(
            f"--estimator {text} reads learning curves, and this table has none: try the benchmark spikenas"
        )
    return replace(around, inner=table)
