"""The epochs of a supernet within a budget of epochs, which its training must not use up: with the last of
them the search ends, and then no child would be scored."""

from __future__ import annotations

import math

from cambrian.errors import UsageError
from cambrian.registry import name_of
from cambrian.search.parts.compatibility import learns_gates
from cambrian.search.planning.budget import Budget
from cambrian.search.planning.supernet.prices import count_searches
from cambrian.strategies.inner import find_trait, has_trait
from cambrian.strategies.strategy import Strategy


def bound_epochs(strategy: Strategy, limits: Budget, fraction: float, asked: int | None) -> int | None:
    """The epochs over `fraction` of the images that each supernet has at most; None without a budget of
    epochs. Raises UsageError where the budget bears none, or fewer than were `asked` for."""
    if limits.most_epochs is None:
        return None
    budget = Budget(epochs=limits.most_epochs)
    searches, stages = count_searches(strategy), len(find_trait(strategy, "stages", ((),)))
    whole = round(limits.most_epochs / fraction, 9)
    if learns_gates(strategy):
        # What a search derives is trained alone for as many epochs again; it is begun, the last one too, as
        # long as some are left. Stages share them evenly.
        # Where a collapse is answered, up to as many epochs again are trained in vain.
        shares = 3 if has_trait(strategy, "answers_collapse") else 2
        bound, most = (
            int(n) // stages * stages
            for n in (whole / shares / searches, _below(whole, shares * searches - 1))
        )
        least = math.ceil(shares * stages * searches * fraction)
    else:
        # Scores are free, and are given as long as some are left.
        bound = most = _below(whole, searches)
        least = math.floor(searches * fraction) + 1
    if bound < 1:
        raise UsageError(
            f"{name_of(strategy)} trains a supernet, for which a budget of {budget} is too small,"
            f" so that it could choose nothing: give it {least} epochs or more, or leave the strategy out"
        )
    if asked is not None and asked > most:
        raise UsageError(
            f"epochs is {asked}, and of a budget of {budget} a supernet has {most} at most, so"
            " that there is a choice after it: give fewer, or a larger budget"
        )
    return bound


def _below(whole: float, trainings: int) -> int:
    """The epochs of each of so many trainings that together have fewer than `whole`."""
    return math.ceil(round(whole / trainings, 9)) - 1
