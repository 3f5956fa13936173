"""The settings of the final stage."""

from __future__ import annotations

from typing import Annotated

import msgspec

from cambrian.errors import UsageError
from cambrian.outcome import ENDLESS, Fidelity
from cambrian.records import Record
from cambrian.search.parts.given import check_types
from cambrian.settings import COUNT, SHARE, check_settings

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


def choose_final(given: Final | str | None, fidelity: Fidelity) -> Final | None:
    """The final stage that was asked for; of "auto" one for a search at `fidelity`: twice as many epochs, on
    all images."""
    if given is None or isinstance(given, Final):
        return given
    if given != "auto":
        raise UsageError(f"final is a Final, None or 'auto', got {given!r}")
    longer = fidelity.epochs if fidelity.epochs >= ENDLESS else 2 * fidelity.epochs
    return Final(msgspec.structs.replace(fidelity, epochs=longer, fraction=1.0))
