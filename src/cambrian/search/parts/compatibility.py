"""Whether the components of a search work together."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cambrian.architecture import questions, sample
from cambrian.effort import find_axis, read_axis
from cambrian.errors import Incompatible, UnknownName, Unread, UsageError, join_words
from cambrian.estimators.build import signature
from cambrian.estimators.estimator import SERVES
from cambrian.networks.training.recipe import Recipe
from cambrian.outcome import ENDLESS, Fidelity
from cambrian.randomness import stream
from cambrian.registry import name_of
from cambrian.request import Evaluate, TrainSupernet
from cambrian.search.parts.space_check import check_skeleton
from cambrian.search.planning.budget import Budget
from cambrian.spaces.knowledge import Mixes, Shares, know
from cambrian.spaces.shared_questions import is_shared
from cambrian.strategies.inner import has_trait
from cambrian.tasks.targets.metrics import METRICS
from cambrian.weights import Continue, Fresh, Inherit, Shared

if TYPE_CHECKING:
    from cambrian.search.search import Search
    from cambrian.tasks.task import Task

WEIGHTED = (Continue, Inherit, Shared)
"""Requests for these need what an earlier row left."""
ABILITIES = {
    "Grows": "whose architectures grow from small to large",
    "Encodes": "that writes its architectures as tokens",
    "Canonical": "that knows which of its architectures are the same",
    "Graphs": "that knows its architectures as graphs",
    "Moves": "that moves whole layers",
    "Morphs": "whose networks can be enlarged and keep their function",
    "ContainsAll": "of which one architecture contains all others",
    "Trees": "whose cells are trees",
    "Shares": "of which one network can hold all architectures",
    "Mixes": "whose candidates can be mixed by gates",
    "MapsBanks": "that maps architectures to memory banks",
    "SharesPartly": "whose operations can see a part of the channels",
}
"""What a component needs of a space (see `cambrian.spaces.knowledge`), in words."""
REQUESTS = {
    Evaluate: "asks for values of single architectures",
    Fresh: "lets networks begin with new weights",
    Continue: "goes on with trainings that were begun",
    Inherit: "lets networks begin with the weights of others",
    Shared: "scores networks with the weights of a supernet",
}
"""What a strategy asks of its estimators, in words."""
ALMOST = 0.8
"""The share of letters in common from which on two names are taken for one."""
SAMPLES = 16
"""Random architectures whose questions stand for those of a space."""


def check_compatible(search: Search) -> None:
    """Raises Incompatible, or UsageError for a setting of the skeleton that the networks do not have."""
    builds = getattr(search.estimator, "builds", True)
    # A supernet's children are held to limits, though only the final stage builds networks of their own.
    if search.limits and not builds and not getattr(search.estimator, "limits_scores", False):
        raise Incompatible(
            f"limits on {', '.join(search.limits)} need an estimator that builds networks, which"
            f" {name_of(search.estimator)} does not"
        )
    check_serves(search.strategy, search.estimators)
    _check_trials(search.strategy, search.budget)
    _check_end(search)
    check_objectives(search.strategy, len(search.objectives))
    check_axes(search.strategy, search.estimator, search.fidelity)
    if isinstance(search.estimator, Recipe):
        _check_names(search)
    if trains_supernets(search.strategy):
        check_shared(search.strategy, search.space)
        check_classes(search.strategy, search.task)
        _check_method(search.strategy)
        _check_dropped_paths(search)
        check_begun(search.strategy, search.begins)
    for component in (search.strategy, *search.estimators.values()):
        check_needs(component, search.space)
    # Now rather than in every trial: a setting that the skeleton lacks would fail all of them.
    if search.task is not None and builds:
        for fidelity in (search.fidelity, *([search.final.fidelity] if search.final else [])):
            check_skeleton(search.space, signature(search.task, fidelity), fidelity)


def _check_trials(strategy: Any, budget: Budget) -> None:
    """Raises UsageError where the strategy, or one within it, has to know the number of trials, and the
    budget does not."""
    if has_trait(strategy, "needs_trials") and budget.trials is None and budget != Budget():
        raise UsageError(
            f"strategy {name_of(strategy)!r} has to know the number of trials, and the budget is {budget}:"
            " name one too, such as --budget 200"
        )


def _check_end(search: Search) -> None:
    """Raises UsageError where only a time would end the last training, and the budget has none."""
    budget, last = search.budget, None if search.final is None else search.final.fidelity
    if last is None or last.epochs < ENDLESS or last.seconds is not None or budget.seconds is not None:
        return
    named = "none is given" if budget == Budget() else f"the budget is {budget}"
    raise UsageError(
        f"the last training, as that of a race, lasts until the end of a budget of time, and {named}: give a"
        " time, as 1h"
    )


def check_objectives(strategy: Any, count: int) -> None:
    """Raises UsageError for several objectives where the strategy, or one within it, is for one."""
    if count > 1 and has_trait(strategy, "one_objective"):
        raise UsageError(
            f"strategy {name_of(strategy)!r} is for a single objective, and the search has {count}: name"
            " another strategy, such as nsga2"
        )


def _check_names(search: Search) -> None:
    """Raises UnknownName for an objective that is written almost as a measure is: a training has these, and
    metrics of other names. Raises UsageError for a measure that cannot be taken, and for a metric that is not
    computed: it would be missing in all trials, and the first objective alone would decide."""
    from cambrian.networks.measure import MEASURES
    from cambrian.networks.measure.measure import find_measure, is_measure
    from cambrian.networks.trained import TRAINED_METRICS
    from cambrian.networks.trained.metric import is_trained_metric

    known = [search.objective.name, *MEASURES.names(), *TRAINED_METRICS.names()]
    for name in (objective.name for objective in search.more_objectives):
        if is_measure(name):
            find_measure(name, "objective")  # refuses its settings, and a function with other arguments
            continue
        if is_trained_metric(name):
            continue
        if name.replace("_", "-") in METRICS:
            _check_metric(name, search.task)
            continue
        if difflib.get_close_matches(name, known, n=1, cutoff=ALMOST):
            raise UnknownName("objective", name, known)


def _check_metric(name: str, task: Task | None) -> None:
    """Raises UsageError for a metric that trainings do not have beside the task's own."""
    from cambrian.estimators.scoring import list_measured

    if task is None:
        return
    measured = [metric.replace("-", "_") for metric in list_measured(task)]
    if name.replace("-", "_") in measured and name not in measured:
        raise UnknownName("objective", name, measured)
    if name not in measured:
        written = name.replace("_", "-")
        suits = task.goal.kind in METRICS[written].kinds
        way = f", or load the data with metric={written!r}" if suits else ""
        raise UsageError(
            f"objective {name!r}: trainings that are ranked by {task.metric} have {join_words(measured)}, and"
            f" not {name}: name one of these{way}"
        )


def trains_supernets(strategy: Any) -> bool:
    """Whether the strategy asks for the training of a supernet."""
    return TrainSupernet in getattr(strategy, "requests", ())


def check_begun(strategy: Any, begins: Any) -> None:
    """Raises Unread for networks to begin with, of a strategy whose supernet is all that is trained."""
    if begins:
        raise Unread(
            ["begin_with"],
            f"for strategies that train networks alone, and {name_of(strategy)} trains a supernet",
        )


def learns_gates(strategy: Any) -> bool:
    """Whether the strategy derives an architecture from gates, and scores no children."""
    return Mixes in getattr(strategy, "needs", ())


def check_shared(strategy: Any, space: Any) -> None:
    """Raises Incompatible for a space of which no supernet can be made: one that cannot be shared, or whose
    every question is outer."""
    asked = (c for n in range(SAMPLES) for c in questions(space, sample(space, stream(0, "shared", n))))
    if know(space, Shares) is not None and any(is_shared(space, choice) for choice in asked):
        return
    from cambrian.spaces import SPACES

    names = [name for name in SPACES.names() if know(SPACES.make(name), Shares) is not None]
    raise Incompatible(
        f"{name_of(strategy)} trains a supernet, and no question of {name_of(space)} has answers that"
        f" one network can hold together: choose a space that has some, as {', '.join(names)}"
    )


def check_classes(strategy: Any, task: Task | None) -> None:
    """Raises Incompatible where a supernet would be trained for other targets than classes: the losses of its
    methods, such as distillation, are of these."""
    if task is not None and task.goal.kind != "classes":
        raise Incompatible(
            f"{name_of(strategy)} trains a supernet, which learns classes, and {task.name} has"
            f" {task.answer}: choose a strategy that trains each network, such as evolution"
        )


def _check_method(strategy: Any) -> None:
    """Raises UnknownName or UsageError where the strategy names no way to train a supernet, or settings that
    it does not have: else its first trial would crash."""
    from cambrian.networks.sharing.methods import SUPERNET_METHODS

    method = getattr(strategy, "method", None)  # a strategy of the user's own may decide it later
    if isinstance(method, tuple):
        name, arguments = method
        method = {"name": name, "arguments": arguments}
    if method and isinstance(method, str | Mapping):  # else a method of its class, which is called so
        SUPERNET_METHODS.make(method)


def _check_dropped_paths(search: Search) -> None:
    """Raises UsageError for paths to be dropped in a supernet whose candidates are mixed."""
    dropped = getattr(search.estimator, "drop_path", 0.0) or search.fidelity.skeleton.get("drop_path", 0.0)
    if dropped and learns_gates(search.strategy):
        raise UsageError(
            f"drop_path is {dropped:g}, and {name_of(search.strategy)} mixes the candidates of its supernet,"
            " where no path can be dropped: give it to the estimator that trains networks alone, as"
            " estimators={'final': Train(drop_path=0.2)}"
        )


def check_task(search: Search) -> None:
    """Raises UsageError where there are networks to build and no task, which says their shapes."""
    # Where the search runs and not where it is made: who asks and tells builds networks without our help.
    if search.task is None and any(getattr(e, "builds", False) for e in search.estimators.values()):
        raise UsageError(
            "the search builds networks and has no task, whose data say their inputs and outputs: give one,"
            " as Search(..., task='digits') or task=cambrian.load(PATH)"
        )


def check_needs(component: Any, space: Any) -> None:
    """Raises Incompatible for a component that needs knowledge which the space does not have."""
    for need in component.needs:
        if know(space, need) is None:
            raise Incompatible(f"{_describe_need(component, need, space)}: {remedy(need.__name__)}")


def _describe_need(component: Any, need: type, space: Any) -> str:
    # A protocol of the user's own is named as its author named it.
    ability = ABILITIES.get(need.__name__, f"that has the methods of {need.__name__}")
    return f"{name_of(component)} needs a space {ability}, and {name_of(space)} is not one"


def remedy(need: str) -> str:
    """Advice for a space that does not have this knowledge."""
    return {
        "Grows": "ask for a depth with pick.depth, or use a strategy such as random",
        "Morphs": "its questions ask for no depths, widths, kernels or connections that grow: choose"
        " network-morphism or stages, or a strategy such as evolution",
        "Mixes": "its questions are not all forks of modules: choose nasbench201, darts or pnas, or a"
        " strategy that samples",
        "ContainsAll": "choose fabric, or a strategy such as spos",
        "Trees": "choose tree-cells, or a strategy such as nash",
        "MapsBanks": "choose memory-banks, or a strategy such as spos",
        "SharesPartly": "choose nasbench201, darts or pnas, or a strategy such as gdas",
        "Encodes": "give it tokens, or use a strategy such as random",
    }.get(need, "choose another space or another strategy")


def list_served(estimator: Any) -> tuple[type, ...]:
    """The kinds of requests and weights that the estimator can carry out."""
    return tuple(getattr(estimator, "serves", SERVES))


def check_serves(strategy: Any, estimators: Mapping[str, Any]) -> None:
    """Raises Incompatible where the strategy may make a request that none of the estimators can carry out."""
    # All estimators together: which one a request names is not known before it is made.
    served = {kind for estimator in estimators.values() for kind in list_served(estimator)}
    for kind in getattr(strategy, "requests", (Evaluate, Fresh)):
        if kind not in served:
            if kind is TrainSupernet:
                raise Incompatible(_refuse_supernet(strategy, estimators))
            names = ", ".join(dict.fromkeys(map(name_of, estimators.values())))
            raise Incompatible(
                f"{name_of(strategy)} {REQUESTS.get(kind, f'asks for {kind.__name__}')}, which {names} cannot"
                " do: take an estimator that trains networks, as 'train', or a strategy such as evolution"
            )


def _refuse_supernet(strategy: Any, estimators: Mapping[str, Any]) -> str:
    # The final stage's estimator is often the search's own one.
    name, others = name_of(strategy), ", ".join(dict.fromkeys(map(name_of, estimators.values())))
    return (
        f"{name} trains a supernet, and {others} cannot train one: let the search be planned, as"
        f" cambrian.plan(task, '10m', space=net, strategy='{name}') or `cambrian search digits --space"
        f" nasbench201 --strategy {name}`, or take a strategy without one, as evolution; in a Search of your"
        " own, the estimator is 'one-shot'"
    )


def check_axes(strategy: Any, estimator: Any, fidelity: Fidelity) -> None:
    """Raises Incompatible where the strategy asks for lower fidelities than the estimator can measure at."""
    offered = tuple(getattr(estimator, "axes", ()))
    for name in getattr(strategy, "axes", ()):
        axis, full = find_axis(offered, name), read_axis(fidelity, name)
        who, by = name_of(strategy), name_of(estimator)
        if axis is None:
            raise Incompatible(
                f"{who} measures at lower fidelities of {name}, which {by} cannot order: take an estimator"
                " that can, such as 'train', a function f(network, fidelity), or a table with several epochs;"
                " or a strategy of one fidelity, such as 'random'"
            )
        if full is None:
            raise Incompatible(
                f"{who} measures at lower fidelities of {name}, and the search's fidelity does not name"
                f" its full {name}: give it, as {_example(name)}"
            )
        # A free axis begins at 1, the whole data and seconds above 0.
        values = axis.values or ((0.0,) if name in ("fraction", "seconds") else (1.0,))
        if min(values) >= full:
            raise Incompatible(
                f"{who} measures at lower fidelities of {name}, and there is none below {full:g}"
                f"{': ' + _example(name) if not axis.values else ' in ' + by}"
            )


def _example(name: str) -> str:
    """A fidelity that names the axis, as it is written."""
    values = {"epochs": 27, "seconds": 60, "fraction": 1.0, "resolution": 32}
    return f"fidelity=Fidelity({name}={values[name]})" if name in values else f"skeleton={{{name!r}: 16}}"
