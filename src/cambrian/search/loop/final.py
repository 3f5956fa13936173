"""The settings of the final stage."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from cambrian.errors import UnknownName, UsageError, did_you_mean
from cambrian.outcome import ENDLESS, Fidelity
from cambrian.records import Record
from cambrian.registry import name_of
from cambrian.search.parts.components import check_baselines
from cambrian.search.parts.given import check_types
from cambrian.settings import COUNT, SHARE, check_settings
from cambrian.spaces.space import Space

DELIVERED = ("winner", "front", "baseline")
"""Roles whose networks learn from train and validation and see the test split."""


class Final(msgspec.Struct, frozen=True, metaclass=Record):
    """`top` finalists at `fidelity`, of which the best on validation wins; of several objectives all `top`
    are handed over, as different points of one front. `baselines` are finished beside the winner: names of
    published architectures that belong to the space, and "random", one drawn from it of the winner's size.

    With `continues`, the best of the search goes on from the weights of its last trial, in that trial's
    skeleton, and is the winner; others are tried in turn should it fail. `estimator` names the one of the
    run's estimators that trains this stage, whose values have their own direction; `share` is its part of a
    budget of time."""

    fidelity: Fidelity
    top: Annotated[int, COUNT] = 3
    baselines: tuple[str, ...] = ("random",)
    continues: bool = False
    estimator: str = ""
    share: Annotated[float, SHARE] = 1 / 3

    def __post_init__(self) -> None:
        check_types(fidelity=self.fidelity, baselines=self.baselines)
        check_settings(self, "final")


def read_final(
    given: Final | str | None, fidelity: Fidelity, estimators: Mapping[str, Any], space: Space
) -> Final | None:
    """The final stage of a search with these `estimators`, where there is one. Raises UsageError
    for one that was asked for and would train nothing."""
    final = _choose_final(given, fidelity)
    if final is None:
        return None
    if final.estimator not in estimators:
        known = did_you_mean(final.estimator, estimators)
        raise UsageError(f"the final stage's estimator {final.estimator!r} is not among estimators{known}")
    try:
        check_baselines(final.baselines, space)
    except UnknownName as error:  # only said: a run that was begun with it is still to be resumed
        warnings.warn(f"{error}; none is trained in its place", stacklevel=4)
    # An estimator that does not deliver, as a table, has no networks to train at the end.
    if estimators[final.estimator].delivers:
        return final
    if isinstance(given, Final):
        name = name_of(estimators[final.estimator])
        raise UsageError(
            f"the final stage is by the estimator {name}, which leaves no trained network: give"
            ' estimators={"train": "train"} and Final(..., estimator="train"), or final=None'
        )
    return None


def _choose_final(given: Final | str | None, fidelity: Fidelity) -> Final | None:
    """The final stage that was asked for; of "auto" one for a search at `fidelity`: twice as many epochs, on
    all images."""
    if given is None or isinstance(given, Final):
        return given
    if given != "auto":
        raise UsageError(f"final is a Final, None or 'auto', got {given!r}")
    longer = fidelity.epochs if fidelity.epochs >= ENDLESS else 2 * fidelity.epochs
    return Final(msgspec.structs.replace(fidelity, epochs=longer, fraction=1.0))
