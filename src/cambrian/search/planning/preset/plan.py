"""The plan of a search that a preset describes: progressive, in the PNAS space, by real training, unless
another space or strategy is named.

The budget chooses how many levels are searched, how many architectures are kept at each, the epochs, the
images and the sizes of the networks: the largest preset whose cost, by the measured speed of a few sample
networks, fits. The space says what a preset means in it. Everything can be said instead of chosen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from cambrian.errors import Unread, UsageError
from cambrian.outcome import Fidelity
from cambrian.registry import name_of
from cambrian.search.loop.final import Final
from cambrian.search.parts.components import check_baselines, component, find_published, space_for, usual
from cambrian.search.parts.space_check import check_space
from cambrian.search.planning.asked_settings import point_to_surrogate, refuse_untrained
from cambrian.search.planning.budget import Budget
from cambrian.search.planning.optimisers import choose_optimiser
from cambrian.search.planning.plan_request import PlanRequest
from cambrian.search.planning.plan_rows import describe_plan
from cambrian.search.planning.planned import Plan
from cambrian.search.planning.preset.choice import Wishes, choose_preset
from cambrian.search.planning.preset.climbing import finish_climb, lengthen_training, schedule_to_the_top
from cambrian.search.planning.preset.cost import Cost
from cambrian.search.planning.preset.presets import SEARCHED
from cambrian.search.planning.preset.quick_audit import add_row, decide_fidelity
from cambrian.search.planning.preset.workload import Workload, split_changes
from cambrian.search.planning.space_facts import SpaceFacts
from cambrian.search.search import Search
from cambrian.spaces.budgets import PaperSearch
from cambrian.spaces.drafts import is_own
from cambrian.spaces.knowledge import Morphs, Trees
from cambrian.spaces.space import Space
from cambrian.strategies.progressive import Progressive
from cambrian.strategies.strategy import Strategy

if TYPE_CHECKING:
    from cambrian.tasks.task import Task

DEFAULT_SPACE = "pnas"
DENSE_SPACE = "encoder-decoder"
"""The space for the classes of pixels, whose networks end at the images' resolution."""
TEXT_SPACE = "sequence-chain"
"""The space for a text whose next character is learned."""
GROWN_SPACE, TREE_SPACE = "network-morphism", "tree-cells"
"""The space of a strategy whose networks grow, and whose cells are trees, where nobody names one."""
BEGUN = "bayes"
"""The strategy of a search that begins with given networks, where nobody names one: progressive search begins
with the simplest, and learns nothing from these until its last level."""
LEVELED = ("levels", "keep")
"""Changes of progressive search alone."""


def plan_by_preset(request: PlanRequest) -> Plan:
    """See `cambrian.plan`."""
    from cambrian.estimators.train import Train

    task, limits, paper, changes = request.task, request.limits, request.paper, request.changes
    refuse_untrained(changes, request.settings.get("estimator"))
    # The space first, then strategy and cost, then the preset: each choice depends on those before it.
    space = _find_grown(request.strategy) if request.space is None else request.space
    facts = _ask_space(space, task, changes)
    split_changes(facts, changes)  # refused before networks are timed
    check_baselines(request.baselines or (), facts.space)
    published = _read_paper(facts) if paper else None
    # Whoever speaks of levels wants a search by levels, however few trials the budget has.
    leveled = [name for name in LEVELED if name in changes] + ["surrogate"] * (request.surrogate is not None)
    by_levels = paper or bool(leveled)
    begins = request.settings.get("begin_with") is not None
    asked = request.strategy or (BEGUN if begins and not by_levels else None)
    chosen = _choose_strategy(asked, facts, None if by_levels else limits.trials)
    if chosen is not None and leveled:
        raise Unread(leveled, _explain_unread(chosen, request.surrogate))
    left = msgspec.structs.replace(limits, seconds=request.left)
    wishes = Wishes(facts, left, changes, by_levels=chosen is None, examples=len(task.train))
    usual = choose_optimiser(task, request.recipe, facts.space, facts.size(0))
    # A count of trials or epochs is the same search on an idle machine and a busy one, whose measured speeds
    # differ; and a paper's own trainings have the precision that all have unless somebody names one.
    fixed = paper or limits.seconds is None
    named = request.recipe.get("precision", "auto" if fixed else None)
    cost = Cost(task, request.device, request.crew, facts, named)
    recipe = {**(published.recipe if published else usual), **request.recipe, "precision": cost.precision}
    train = Train(**recipe)
    preset = None if paper else choose_preset(wishes, cost, train)
    work = wishes.work_of(preset) if preset else wishes.work_of_paper(_read_paper(facts))
    climbed = lengthen_training(work, chosen, changes)
    climbing = schedule_to_the_top(train, chosen, climbed.epochs, request.recipe)
    if chosen is not None and limits == Budget():  # such a strategy would never stop by itself
        limits = Budget(trials=sum(work.trials.values()))
    if chosen is None:
        ranks = request.surrogate or ("mlp-ensemble-paper" if paper else "mlp-ensemble")
        chosen = Progressive(work.levels, work.keep, surrogate=ranks, first=work.first)
    elif facts.free:  # the plan's own choice of a space is as large as the preset says
        facts = facts.up_to(work.last)
    final = finish_climb(_make_final(work, request.baselines, facts.space), chosen, climbed.epochs, changes)
    first, others, final = _choose_estimators(request.settings.get("estimator"), climbing, train, final)
    decision = decide_fidelity(chosen, climbed, cost, request)
    search = Search(
        facts.space,
        decision.strategy,
        first,
        task,
        limits,
        engine=request.engine,
        fidelity=_make_fidelity(climbed, task),
        final=final,
        device=request.device,
        estimators=others,
        **{name: value for name, value in request.settings.items() if name != "estimator"},
    )
    # A paper's own search is planned whole, whatever the budget counts.
    allowed = work.cut(work.count_allowed(limits, len(task.train)))
    expected = _count_expected(cost, allowed, limits) if wishes.by_levels else {}
    described = describe_plan(search, facts, work, allowed, wishes.by_levels, cost)
    rows = add_row(tuple(described), decision.sentence)
    search.remarks = _make_remarks(rows, work, expected, cost)
    seconds = min(cost.seconds(allowed), limits.seconds or math.inf)
    return Plan(search, rows, seconds, work, preset, expected)


def _ask_space(space: Any, task: Task, changes: Mapping[str, Any]) -> SpaceFacts:
    """The facts of the named space, or of the usual one with as many levels as `changes` asks for."""
    usual_space = DENSE_SPACE if task.dense else TEXT_SPACE if task.causal else DEFAULT_SPACE
    whole = space_for(usual_space if space is None else space, task)
    if is_own(whole):
        check_space(whole, task, Fidelity())
    facts = SpaceFacts(whole, free=space is None)
    levels = changes.get("levels", 0)
    return facts.up_to(levels) if facts.free and levels > len(facts.levels) else facts


def _find_grown(strategy: Any) -> str | None:
    """The usual space of a strategy that needs network morphisms, or trees; None for any other strategy."""
    needs = () if strategy is None else component("strategy", strategy).needs
    if Trees in needs:
        return TREE_SPACE
    return GROWN_SPACE if Morphs in needs else None


def _read_paper(facts: SpaceFacts) -> PaperSearch:
    if facts.paper_search is None:
        raise UsageError(
            f"{name_of(facts.space)} does not say how its paper searched it: leave paper out, or "
            f"take the space {DEFAULT_SPACE}"
        )
    return facts.paper_search


def _choose_strategy(given: Any, facts: SpaceFacts, trials: int | None) -> Strategy | None:
    """The strategy named or usual; None for progressive search by the levels of the plan, where there are
    some."""
    name = given or usual(facts.space, trials)
    # One with settings of its own, an object or a description, is taken as it is.
    if name == "progressive" and facts.levels:
        return None
    strategy: Strategy = component("strategy", name)
    return strategy


def _explain_unread(strategy: Strategy, surrogate: str | None) -> str:
    """The reason why settings of progressive search do nothing beside this strategy."""
    if isinstance(strategy, Progressive):
        return "a setting of the strategy, which was given with settings of its own"
    other = point_to_surrogate(strategy, surrogate) or f"the strategy is {name_of(strategy)}"
    return f"for progressive search, and {other}"


def _choose_baselines(names: tuple[str, ...] | None, space: Space) -> tuple[str, ...]:
    """The names of baselines that the space holds; without `names`, "random" and the published one."""
    published = find_published(space)
    if names is None:
        return ("random", *sorted(published)[-1:])
    return tuple(name for name in names if name == "random" or name in published)


def _count_expected(cost: Cost, work: Workload, limits: Budget) -> dict[int, int]:
    """The expected trials by level: all of them, or those that the time allows."""
    if limits.seconds is None or cost.seconds(work) <= limits.seconds:
        return work.trials
    return cost.trials_within(work, limits.seconds * SEARCHED)


def _make_final(work: Workload, baselines: tuple[str, ...] | None, space: Space) -> Final:
    fidelity = Fidelity(work.final_epochs, skeleton=work.final_skeleton)
    return Final(fidelity, baselines=_choose_baselines(baselines, space), share=1 - SEARCHED)


def _choose_estimators(
    named: Any, climbing: Any, train: Any, final: Final
) -> tuple[Any, dict[str, Any], Final]:
    """The estimator of the search, the run's others, and the final stage, which `train` serves where the
    search has another one: a cheaper one that is named, or `climbing`, with the schedule of the rungs."""
    from cambrian.estimators.extrapolated import Extrapolated

    first = climbing if named is None or named == "train" else named
    if isinstance(first, Extrapolated):
        first = first.wrap(climbing)
    if first == train:
        return train, {}, final
    return first, {"train": train}, msgspec.structs.replace(final, estimator="train")


def _make_fidelity(work: Workload, task: Task) -> Fidelity:
    return Fidelity(work.epochs, work.find_fraction(len(task.train)), skeleton=work.skeleton)


def _make_remarks(
    rows: tuple[tuple[str, str], ...], work: Workload, expected: Mapping[int, int], cost: Cost
) -> dict[str, Any]:
    """The facts of a plan that its run remembers. Trials without a level count as those of level 1."""
    seconds = {level: cost.trial_seconds(work, level) for level in work.trials}
    named = seconds if expected else {1: seconds[work.last]}
    return {
        "plan": rows,
        "expected": {str(level): n for level, n in expected.items()},
        "speed": {
            "trial": {str(level): each for level, each in named.items()},
            "final": cost.training_seconds(work),
        },
    }
