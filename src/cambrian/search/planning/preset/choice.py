"""The choice of a preset: the largest search and the largest final stage whose workloads, in the space and
with the user's changes, fit the time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from cambrian.search.planning.budget import Budget
from cambrian.search.planning.preset.cost import Cost
from cambrian.search.planning.preset.presets import (
    PRESETS,
    USUAL,
    Preset,
    join_parts,
    read_preset,
    stretch_preset,
)
from cambrian.search.planning.preset.workload import (
    Workload,
    change_workload,
    limit_workload,
    paper_workload,
    preset_workload,
    split_changes,
)
from cambrian.search.planning.space_facts import SpaceFacts
from cambrian.search.planning.wording import STEPS
from cambrian.spaces.budgets import PaperSearch

if TYPE_CHECKING:
    from cambrian.networks.training.recipe import Recipe

Fits = Callable[[Preset], bool]
HALVINGS = 12
"""Of an interval in which the largest amount is looked for."""
LONGEST = 27.0
"""The most by which a preset is stretched."""
WORTHWHILE = 12
"""Networks that a search in haste compares, by training each for less."""
SEARCH_SHARE, FINAL_SHARE = 0.6, 1 / 3
"""Shares of the time for the search and for the final stage; the rest is for the strategy's own thinking."""


@dataclass(frozen=True)
class Wishes:
    """The user's requests for a search of so many training `examples`: its space, its budget, `changes` of a
    plan's fields and of the skeleton, and whether it goes `by_levels`."""

    facts: SpaceFacts
    budget: Budget
    changes: Mapping[str, Any]
    by_levels: bool
    examples: int

    def work_of_paper(self, paper: PaperSearch) -> Workload:
        return self._change(paper_workload(paper, self.facts, self.by_levels))

    def work_of(self, preset: Preset) -> Workload:
        # The budget's number of trials last: it bounds whatever the changes ask for.
        work = self._change(preset_workload(preset, self.facts, self.by_levels))
        fields, _, _ = split_changes(self.facts, self.changes)
        allowed = work.count_allowed(self.budget, self.examples)
        budget = msgspec.structs.replace(self.budget, trials=allowed)
        return limit_workload(work, self.facts, budget, fields, self.by_levels)

    def _change(self, work: Workload) -> Workload:
        fields, skeleton, final_skeleton = split_changes(self.facts, self.changes)
        return msgspec.structs.replace(
            change_workload(work, self.facts, fields),
            skeleton={**work.skeleton, **skeleton},
            final_skeleton={**work.final_skeleton, **final_skeleton},
        )


def choose_preset(wishes: Wishes, cost: Cost, train: Recipe) -> Preset:
    """The search and the final stage that are as large as their shares of the time bear; the usual preset
    without a limit of time."""
    seconds = wishes.budget.seconds
    if seconds is None:
        return _lengthen(USUAL, cost, train)

    def searches(preset: Preset) -> bool:
        return cost.search_seconds(wishes.work_of(preset)) <= seconds * SEARCH_SHARE

    def finishes(preset: Preset) -> bool:
        return cost.final_seconds(wishes.work_of(preset)) <= seconds * FINAL_SHARE

    smallest = _lengthen(PRESETS[0], cost, train)
    # Each within its own share: a short search does not pay for a final stage that ends too late.
    if not (searches(smallest) and finishes(smallest)):
        return _hasten(smallest, wishes, cost, seconds)

    def read(place: float) -> Preset:
        return _lengthen(read_preset(place), cost, train)

    last, search = len(PRESETS) - 1, smallest
    place = _find_largest(lambda place: searches(join_parts(read(place), smallest)), 0.0, last)
    search = join_parts(read(place), smallest)
    place = _find_largest(lambda place: finishes(join_parts(search, read(place))), 0.0, last)
    return _stretch(join_parts(search, read(place)), searches, finishes)


def _stretch(preset: Preset, searches: Fits, finishes: Fits) -> Preset:
    """The preset with more networks and longer trainings, up to what the time bears of each of its parts: a
    further level or a larger network may be more than is left, and a search that ends early is of no use."""
    search = _find_largest(lambda factor: searches(stretch_preset(preset, search=factor)), 1.0, LONGEST)
    final = _find_largest(lambda factor: finishes(stretch_preset(preset, final=factor)), 1.0, LONGEST)
    return stretch_preset(preset, search, final)


def _find_largest(fits: Callable[[float], bool], least: float, most: float) -> float:
    """The largest number up to `most` that fits, where all numbers below one that fits do; at least
    `least`."""
    if fits(most):
        return most
    for _ in range(HALVINGS):
        middle = (least + most) / 2
        least, most = (middle, most) if fits(middle) else (least, middle)
    return least


def _lengthen(preset: Preset, cost: Cost, train: Recipe) -> Preset:
    """The preset with as many epochs as make STEPS steps, and twice as many in the final stage, where there
    are fewer images than it names."""
    images = len(cost.task.train)
    if images >= preset.images:
        return preset
    batches = train.batches(images)
    return msgspec.structs.replace(
        preset,
        epochs=max(preset.epochs, math.ceil(STEPS / batches)),
        final_epochs=max(preset.final_epochs, math.ceil(2 * STEPS / batches)),
    )


def _hasten(preset: Preset, wishes: Wishes, cost: Cost, seconds: float) -> Preset:
    """The smallest preset with fewer epochs, where not even that fits: so that WORTHWHILE networks are
    compared and the final networks are ready."""
    once = wishes.work_of(msgspec.structs.replace(preset, epochs=1, final_epochs=1))
    # Priced at one epoch, since the seconds of a trial grow with its epochs, and by all levels that are
    # compared: a first one may have two networks, which cost next to nothing.
    compared = once.cut(WORTHWHILE)
    each = cost.search_seconds(compared) * cost.workers / sum(compared.trials.values())
    share = seconds * SEARCH_SHARE * cost.workers / WORTHWHILE
    return msgspec.structs.replace(
        preset,
        epochs=max(1, min(preset.epochs, int(share / each))),
        final_epochs=max(1, min(preset.final_epochs, int(seconds / 6 / cost.training_seconds(once)))),
    )
