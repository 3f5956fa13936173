"""A plan in words: the rows that are printed before a search begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from cambrian.counts import counted, seconds_text
from cambrian.errors import join_words
from cambrian.estimators.proxy import Proxy
from cambrian.randomness import stream
from cambrian.registry import name_of
from cambrian.search.planning.budget import Budget
from cambrian.search.planning.preset.climbing import describe_rungs, list_levels
from cambrian.search.planning.preset.cost import Cost
from cambrian.search.planning.preset.presets import SEARCHED
from cambrian.search.planning.preset.quick_audit import RACED, name_planned
from cambrian.search.planning.preset.workload import Workload
from cambrian.search.planning.race.plan import RacePlan
from cambrian.search.planning.space_facts import SpaceFacts
from cambrian.search.planning.wording import (
    count_epochs,
    describe_challenges,
    describe_data,
    describe_final,
    describe_fit,
    describe_machine,
    describe_training,
    describe_whole_space,
    find_training,
    list_limits,
    list_settings,
)
from cambrian.search.search import Search
from cambrian.spaces.knowledge import Begins, know
from cambrian.spaces.size import estimate_size
from cambrian.spaces.space import Space
from cambrian.tasks.targets.metrics import is_minimized, is_share

DENSE = (
    "why",
    "the class of each pixel takes long to learn: good networks made by hand are raced, and what the winner"
    " learns is kept, where a search from nothing would train many for a moment each",
)
"""The row of a race for masks."""


def describe_plan(
    search: Search, facts: SpaceFacts, work: Workload, allowed: Workload, by_levels: bool, cost: Cost
) -> list[tuple[str, str]]:
    """(label, text) of each choice; `allowed` is the part of the workload that a budget of trials or epochs
    begins."""
    assert search.task is not None
    return [
        ("data", describe_data(search.task)),
        ("space", _describe_space(facts, work if by_levels else None)),
        ("strategy", _describe_strategy(search, facts, work if by_levels else None, allowed)),
        *list_limits(search),
        ("each", _describe_trial(search, search.fidelity.epochs, cost.images(work))),
        ("then", describe_final(search)),
        ("machine", describe_machine(search, search.engine.slots) + _describe_precision(cost)),
        ("time", _describe_time(search, work, allowed, cost)),
    ]


def describe_race(search: Search, race: RacePlan, workers: int) -> list[tuple[str, str]]:
    """(label, text) of each choice of a race."""
    assert search.task is not None
    images = len(search.task.train) + len(search.task.validation)
    share = f"{100 * race.share:.0f} % of the time"
    share += f", and {100 * race.contested:.0f} % for its challengers" if race.challenges.heats else ""
    return [
        ("data", describe_data(search.task)),
        ("space", describe_whole_space(search.space)),
        ("strategy", f"race of {_describe_entrants(race)}; {share}"),
        *([DENSE] if search.task.dense else []),
        *_describe_score(search.task.metric),
        *list_limits(search, race.left_out),
        *describe_fit(race.fit),
        ("each", _describe_heats(race)),
        RACED,
        ("then", _describe_last_training(race, search.choose, images)),
        ("machine", describe_machine(search, workers) + _describe_precision(race, race.others)),
        ("time", f"{search.budget}, all of it used{f'; {race.notice}' if race.notice else ''}"),
    ]


def _describe_score(metric: str) -> list[tuple[str, str]]:
    """What the values are, where they are no shares, which are printed with a %."""
    better = "lower" if is_minimized(metric) else "higher"
    return [] if is_share(metric) else [("score", f"{metric}, {better} is better")]


def describe_table(
    search: Search, workers: int, notice: str | None, left_out: str = ""
) -> list[tuple[str, str]]:
    """(label, text) of each choice of a search for the rows of a table."""
    assert search.task is not None
    count = _count_networks(search.budget, "networks")
    epochs = count_epochs(search.fidelity.epochs)
    each = f"up to {epochs} of {len(search.task.train)} rows{list_settings(search.fidelity)}"
    begins = know(search.space, Begins)
    first = f"; first {join_words(list(begins.begins))}" if begins and begins.begins else ""
    return [
        ("data", describe_data(search.task)),
        ("space", describe_whole_space(search.space)),
        ("strategy", f"{name_of(search.strategy)}: {count}, each with a training of its own{first}"),
        *list_limits(search, left_out),
        ("each", _describe_measure(search) if find_training(search) is None else each),
        ("then", describe_final(search)),
        ("machine", describe_machine(search, workers)),
        ("time", f"budget: {search.budget}{f'; {notice}' if notice else ''}"),
    ]


def _describe_entrants(race: RacePlan) -> str:
    names = [f"{e['name']} ({e['skeleton']['filters']} filters)" for e in race.entrants]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _describe_heats(race: RacePlan) -> str:
    at = f" at {race.coarse} pixels" if race.coarse else ""
    rest = f": {race.alone}" if race.alone else ", the best third three times as long, until one is left"
    return f"{race.seconds:.3g} s{at}{rest}{describe_challenges(race.challenges)}"


def _describe_precision(plan: RacePlan | Cost, others: Sequence[str] = ()) -> str:
    """The precision of the plan's trainings, but of the `others`."""
    if plan.precision == "auto":
        return ""
    times = f", {plan.gain:.2g} times as fast" if plan.gain > 1 else ""
    rest = f", {join_words(others)} in 32 bits" if others else ""
    return f"; training in {plan.precision}{times}{rest}"


def _describe_last_training(race: RacePlan, choose: str | None, images: int) -> str:
    best = "the best" if choose is None else f"the best that keeps {choose}"
    size = f", at {race.fine} pixels in the end" if race.fine else ""
    passes = f"{race.passes:,.0f}" if race.passes >= 10 else f"{race.passes:.2g}"
    # Displays of a race's trainings speak of steps.
    steps = float(f"{race.passes * images / race.batch:.2g}")
    long = f"about {passes} passes, {counted(steps, 'step')}"
    return f"{best} goes on until the end of the budget, on all but test: {long}{size}"


def describe_levels(counts: Mapping[int, int]) -> str:
    """The trials by level; neighbouring levels with the same number are named together.

    >>> describe_levels({1: 136, 2: 28, 3: 28})
    '136 of 1, 28 each of 2 and 3'
    >>> describe_levels({1: 6, 2: 9, 3: 9, 4: 9, 5: 7})
    '6 of 1, 9 each of 2 to 4, 7 of 5'
    """
    runs = [(n, [level for level, _ in run]) for n, run in groupby(counts.items(), key=lambda item: item[1])]
    return ", ".join(f"{n} {_describe_run(levels)}" for n, levels in runs)


def _describe_run(levels: Sequence[int]) -> str:
    if len(levels) == 1:
        return f"of {levels[0]}"
    return f"each of {levels[0]}{' and ' if len(levels) == 2 else ' to '}{levels[-1]}"


def _describe_space(facts: SpaceFacts, work: Workload | None) -> str:
    space, last = facts.space, facts.levels[-1] if facts.levels else None
    # The size is of the space as it is searched, cut to the plan's last level where the space can be cut.
    cut = work is not None and work.last != last
    searched = facts.up_to(work.last).space if work is not None and cut else space
    size = estimate_size(searched, stream(0, "size"))
    counted = "infinitely many" if size == float("inf") else f"about {size:.2g}"
    whole = " in all" if cut and searched is space else ""
    to = f" to level {work.last} of {last}" if work is not None and cut else ""
    return f"{name_of(space)}{to}: {counted} architectures{whole}, sampled {_measure(space)}"


def _measure(space: Space) -> str:
    """The distribution of samples; a user's own space need not name it."""
    return str(getattr(space, "measure", Space.measure))


def _describe_strategy(search: Search, facts: SpaceFacts, work: Workload | None, allowed: Workload) -> str:
    verb = "trained" if find_training(search) is not None else "scored"
    count = _count_networks(search.budget, f"networks {verb}")
    rungs = describe_rungs(search)
    if rungs:
        # A network has a training for each of its rungs.
        trainings = _count_networks(search.budget, "trainings") if search.budget.trials else "as many as fit"
        count = f"{trainings}, {rungs}"
    if work is not None:
        count = f"{_count_allowed(work, allowed)} {verb}, by {facts.level_name()}: "
        count += describe_levels(allowed.trials)
    return f"{name_planned(search.strategy)}: {count}"


def _count_networks(budget: Budget, noun: str) -> str:
    """The number of `noun` in a search that does not go by levels."""
    if budget.trials is None:
        return f"as many {noun} as fit"
    return f"{budget.trials} {noun}" if budget.most_epochs is None else f"up to {budget.trials} {noun}"


def _count_allowed(work: Workload, allowed: Workload) -> str:
    total, count = sum(work.trials.values()), sum(allowed.trials.values())
    return f"{total} networks" if count == total else f"{count} of {total} networks"


def _describe_trial(search: Search, epochs: int, images: int) -> str:
    """The training of one trial; the measure of a search by a proxy."""
    if find_training(search) is None:
        return _describe_measure(search)
    most = "at most " if list_levels(search) else ""
    return f"{most}{describe_training(search, epochs, images)}"


def _describe_measure(search: Search) -> str:
    if isinstance(search.estimator, Proxy):
        return f"{search.estimator.measure} of the network before training, in less time than is expected"
    return f"what {_name_own(search.estimator)} says of the network, in a time that is not known"


def _name_own(estimator: Any) -> str:
    """The name of a user's function or of another estimator; `module:function` as it is written."""
    own = getattr(estimator, "function", estimator)
    return own if isinstance(own, str) else str(getattr(own, "__name__", name_of(own)))


def _describe_time(search: Search, work: Workload, allowed: Workload, cost: Cost) -> str:
    """The expected time, and where the budget ends it, the number of networks until then."""
    budget = search.budget
    if find_training(search) is None and not isinstance(search.estimator, Proxy):
        final = f"about {seconds_text(cost.final_seconds(allowed))} for what is trained in the end"
        return f"that of {_name_own(search.estimator)}, which is not known, and {final}; budget: {budget}"
    expected = f"about {seconds_text(cost.seconds(allowed))}"
    guessed = f"; {cost.notice}" if cost.notice else ""
    if budget.seconds is None or cost.seconds(allowed) <= budget.seconds:
        ends = "" if allowed == work else f", in which the search ends after {_count_allowed(work, allowed)}"
        return f"{expected}; budget: {budget}{ends}{guessed}"
    count = sum(cost.trials_within(allowed, budget.seconds * SEARCHED).values())
    fewer = f"the search ends after about {count} network{'s' if count > 1 else ''}"
    return f"{expected} for all of it; budget: {budget}, in which {fewer}{guessed}"
