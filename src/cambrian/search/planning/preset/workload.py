"""The workload of a preset in one space: the trials at each level, and the training of each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import msgspec

from cambrian.choices import Scalar
from cambrian.errors import UnknownName, UsageError
from cambrian.search.planning.budget import Budget
from cambrian.search.planning.preset.presets import FIRST, LEVELS, Preset
from cambrian.search.planning.space_facts import SpaceFacts
from cambrian.spaces.budgets import PaperSearch


class Workload(msgspec.Struct, frozen=True):
    """`trials` by level, in the order of levels; of a search that does not go level by level, all of them at
    the level that is typical of random architectures. `keep` is the number wanted at each level after the
    first, `first` that of the first, None for all of them."""

    trials: dict[int, int]
    keep: int
    first: int | None
    epochs: int
    images: int
    skeleton: dict[str, Scalar]
    final_epochs: int
    final_skeleton: dict[str, Scalar]

    @property
    def levels(self) -> int:
        return len(self.trials)

    @property
    def last(self) -> int:
        """The level of the final networks."""
        return list(self.trials)[-1]

    def find_fraction(self, examples: int) -> float:
        """The part of so many training examples that a trial learns from; rounded, since the fidelity is part
        of the keys and is printed."""
        return round(min(1.0, self.images / examples), 4)

    def count_allowed(self, budget: Budget, examples: int) -> int | None:
        """The trials that the budget begins: as many as it says, and while an epoch of it is left; None where
        it counts neither."""
        if budget.most_epochs is None:
            return budget.trials
        each = self.epochs * self.find_fraction(examples)
        begun = math.ceil(round(budget.most_epochs / each, 9))
        return min(begun, budget.trials or begun)

    def cut(self, most: int | None) -> Workload:
        """The workload with its first `most` trials, in the order of levels."""
        left, trials = sum(self.trials.values()) if most is None else most, dict[int, int]()
        for level, wanted in self.trials.items():
            if left > 0:
                trials[level] = min(wanted, left)
            left -= wanted
        return msgspec.structs.replace(self, trials=trials)


class Shares(msgspec.Struct, frozen=True):
    """The number of trials at the first level and at each one after it."""

    first: int
    keep: int


def preset_workload(preset: Preset, facts: SpaceFacts, by_levels: bool) -> Workload:
    """The workload of a preset before the user's changes."""
    count = -(-preset.levels * len(facts.levels) // LEVELS)  # rounded up: PNAS's five are the presets' own
    trials, shares = {facts.level_of_random(count): preset.trials}, Shares(FIRST, preset.keep)
    if by_levels:
        levels = facts.levels[:count]
        shares = share_by_capacity(facts, len(levels), preset.trials)
        trials = count_by_level(facts, levels, shares)
    return Workload(
        trials,
        shares.keep,
        _first_of(facts, shares) if by_levels else None,
        preset.epochs,
        preset.images,
        facts.size(preset.size),
        preset.final_epochs,
        facts.size(preset.final_size),
    )


def paper_workload(paper: PaperSearch, facts: SpaceFacts, by_levels: bool) -> Workload:
    """The workload of a paper's own search."""
    trials = {facts.level_of_random(paper.levels): FIRST + (paper.levels - 1) * paper.keep}
    if by_levels:
        shares = Shares(facts.capacity[0], paper.keep)
        trials = count_by_level(facts, facts.levels[: paper.levels], shares)
    return Workload(
        trials,
        paper.keep,
        None,
        paper.epochs,
        paper.images,
        dict(paper.skeleton),
        paper.final_epochs,
        dict(paper.final_skeleton),
    )


def share_by_capacity(facts: SpaceFacts, levels: int, trials: int) -> Shares:
    """All of the first level, and the rest evenly; the share that a small level cannot use goes to others."""
    # The first level is what the surrogate first learns from, and is trained whole.
    first = facts.capacity[0]
    return Shares(first, fill_evenly(facts.capacity[1:levels], trials - first))


def share_budget(facts: SpaceFacts, levels: int, trials: int, keep: int | None) -> Shares:
    """`trials` over that many levels: all of the first level where at least a quarter of the budget is left
    for the others, else half of them."""
    first = facts.capacity[0]
    if levels == 1:
        return Shares(min(first, trials), 1)
    # Later levels are where progressive search gains: a whole first level must not use the budget up.
    begun = first if first <= trials * 3 // 4 else max(1, trials // 2)
    return Shares(begun, keep or fill_evenly(facts.capacity[1:levels], trials - begun))


def fill_evenly(capacities: Sequence[int], total: int) -> int:
    """The largest number that, taken of each, or all of it where it holds less, comes to at most `total`; at
    least 1.

    >>> fill_evenly([3, 100, 100], 23), fill_evenly([100], 8), fill_evenly([5, 5], 99), fill_evenly([], 9)
    (10, 8, 5, 1)
    """
    left = total
    for place, capacity in enumerate(sorted(capacities)):
        # The smallest ones first: what one cannot hold is shared by those that are left.
        share = left // (len(capacities) - place)
        if share <= capacity:
            return max(1, share)
        left -= capacity
    return max(capacities, default=1)


def count_by_level(facts: SpaceFacts, levels: Sequence[int], shares: Shares) -> dict[int, int]:
    """The number of trials at each level, at most its capacity."""
    later = zip(levels[1:], facts.capacity[1:])
    counts = {level: min(shares.keep, capacity) for level, capacity in later}
    return {levels[0]: min(shares.first, facts.capacity[0]), **counts}


def change_workload(work: Workload, facts: SpaceFacts, changes: Mapping[str, Any]) -> Workload:
    """The workload with the user's fields of a plan. Raises UsageError for more levels than the space has."""
    # Levels and keep change the trials, which are computed anew; the other fields stand for themselves.
    plain = {k: v for k, v in changes.items() if k not in ("levels", "keep")}
    work = msgspec.structs.replace(work, **plain)
    if not {"levels", "keep"} & set(changes):
        return work
    levels = changes.get("levels", work.levels)
    _check_levels(levels, facts)
    shares = Shares(work.first or facts.capacity[0], changes.get("keep", work.keep))
    return resize(work, facts, levels, shares)


def limit_workload(
    work: Workload, facts: SpaceFacts, budget: Budget, changes: Mapping[str, Any], by_levels: bool
) -> Workload:
    """The workload in at most the budget's number of trials, shared among the levels, four trials or more at
    each on average, or all that a small level has. Without a limit of time there are as many trials as the
    budget has, and a space that somebody named is searched to its last level."""
    planned = sum(work.trials.values())
    if budget.trials is None or (budget.seconds is not None and planned <= budget.trials):
        return work
    if not by_levels:
        return msgspec.structs.replace(work, trials={work.last: budget.trials})
    # A named space without a limit of time is searched to its end, however few trials remain for each level.
    most = work.levels if facts.free or budget.seconds is not None else len(facts.levels)
    levels = changes.get("levels", min(most, _count_levels(facts, budget.trials)))
    return resize(work, facts, levels, share_budget(facts, levels, budget.trials, changes.get("keep")))


def _count_levels(facts: SpaceFacts, trials: int) -> int:
    """The levels that so many trials are shared among."""
    wanted = sum(end <= trials for end in accumulate(min(FEW, count) for count in facts.capacity))
    # Beyond those that the trials would exhaust, as a first level of two networks: nothing is chosen there.
    exhausted = sum(end <= trials for end in accumulate(facts.capacity))
    return max(wanted, exhausted + 1)


FEW = 4
"""Trials at a level, at least on average."""


def resize(work: Workload, facts: SpaceFacts, levels: int, shares: Shares) -> Workload:
    """The workload with other trials."""
    trials = count_by_level(facts, facts.levels[:levels], shares)
    return msgspec.structs.replace(work, trials=trials, keep=shares.keep, first=_first_of(facts, shares))


def _first_of(facts: SpaceFacts, shares: Shares) -> int | None:
    whole = shares.first >= facts.capacity[0] and facts.first_is_whole
    return None if whole else shares.first


def _check_levels(levels: int, facts: SpaceFacts) -> None:
    if levels > len(facts.levels):
        raise UsageError(
            f"levels is {levels}, but the space has {len(facts.levels)} "
            f"({facts.levels[0]} to {facts.levels[-1]})"
        )


FIELDS = ("levels", "keep", "epochs", "images", "final_epochs")
"""Fields of a plan that can be changed; every other change is a setting of the space's skeleton."""


def split_changes(
    facts: SpaceFacts, changes: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Scalar], dict[str, Scalar]]:
    """Split `changes` of a plan into its own fields, the skeleton settings of the search, and those of the
    final networks, which begin with "final_". Raises UnknownName for a setting that the space does not
    have."""
    fields = {k: v for k, v in changes.items() if k in FIELDS}
    rest = {k: v for k, v in changes.items() if k not in FIELDS}
    final = {k.removeprefix("final_"): v for k, v in rest.items() if k.startswith("final_")}
    search = {k: v for k, v in rest.items() if not k.startswith("final_")}
    for name in rest:
        if name.removeprefix("final_") not in facts.settings:
            start = "final_" if name.startswith("final_") else ""
            valid = [*FIELDS, *(f"{start}{each}" for each in facts.settings)]
            raise UnknownName("skeleton setting", name, valid)
    return fields, search, final
