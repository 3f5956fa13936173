"""The networks that a search for several objectives hands over: those at the front's knees, or the best one
that keeps the user's conditions.

The knees are a greedy selection by hypervolume (Guerreiro, Fonseca & Paquete, "Greedy Hypervolume Subset
Selection in Low Dimensions", Evolutionary Computation 24(3), 2016): a network where the front bends outwards
adds the largest volume to those chosen before it, whatever the scales of the objectives are.
"""

from __future__ import annotations

from collections.abc import Sequence

from cambrian.effort import grade_fidelity
from cambrian.errors import UsageError
from cambrian.hypervolume import Vector, choose_reference, measure_hypervolume
from cambrian.outcome import Done, Trial
from cambrian.problem import Objective
from cambrian.recommendation import find_whole_front
from cambrian.search.parts.conditions import Condition, describe_values, read_conditions, write_value

KNEES = 3
"""The networks of a front that are handed over where nobody says how many."""


def choose_knees(trials: Sequence[Trial], objectives: Sequence[Objective], count: int = KNEES) -> list[Trial]:
    """At most `count` trials of the front: the best of the first objective, then, one after the other, the
    one that adds the most hypervolume to those chosen. The reference point is that of `choose_reference`; a
    trial that is not above it is chosen only where none is."""
    front = find_whole_front(trials, objectives)
    vectors = [t.scores(objectives) for t in front]
    if not vectors:
        return []
    reference = choose_reference(vectors, objectives)
    useful = [n for n, v in enumerate(vectors) if measure_hypervolume([v], reference) > 0.0]
    # The front is sorted by the first objective, best first.
    return [front[n] for n in _pick_greedily(vectors, reference, useful or [0], count)]


def name_begun(trial: Trial) -> str:
    """The name of a network that the search began with, such as "your network"; "" for any other trial."""
    return str(trial.reason.get("begins", ""))


def _pick_greedily(
    vectors: Sequence[Vector], reference: Vector, useful: Sequence[int], count: int
) -> list[int]:
    """The indices of the chosen vectors, in the order of their choice."""
    chosen = [useful[0]]
    left = list(useful[1:])
    while left and len(chosen) < count:
        volumes = [measure_hypervolume([vectors[m] for m in (*chosen, n)], reference) for n in left]
        chosen.append(left.pop(volumes.index(max(volumes))))
    return chosen


def find_reference(trials: Sequence[Trial], objectives: Sequence[Objective]) -> tuple[float, ...]:
    """The reference point of the trials' front, each value in the user's direction; () without a front."""
    vectors = [t.scores(objectives) for t in find_whole_front(trials, objectives)]
    if not vectors:
        return ()
    reference = choose_reference(vectors, objectives)
    return tuple(-x if o.minimize else x for x, o in zip(reference, objectives, strict=True))


def describe_hypervolume(
    objectives: Sequence[Objective], reference: Sequence[float], volume: float
) -> list[str]:
    """A line on the front's hypervolume and the point from which it is measured, where there is a front."""
    if len(objectives) < 2 or not reference:
        return []
    point = ", ".join(
        f"{o.name} {write_value(o.name, x)}" for o, x in zip(objectives, reference, strict=True)
    )
    taken = [o.name for o in objectives if o.reference is None]
    why = f" ({', '.join(taken)}: a tenth of the front's range beyond its worst)" if taken else ""
    return [f"hypervolume of the front: {volume:.5g}, from {point}{why}"]


def list_satisfying(ranked: Sequence[Trial], objectives: Sequence[Objective], text: str) -> list[Trial]:
    """Those of the `ranked` trials, the best first, that keep all conditions of `text`. Of one objective they
    stay in their order. Of several, those that were measured more fully go first, and of these the better
    ones by the first objective that no condition bounds (accuracy>90% asks for the cheapest such network),
    else by the first of all. Raises UsageError with the nearest trial there is where none keeps them, or
    where a metric was not measured."""
    conditions = read_conditions(text)
    _check_measured(ranked, conditions, objectives[0])
    # The conditions come first: where no network that was measured most fully keeps them, as none of a race's
    # longest heat may, another one does.
    kept = [t for t in ranked if not _miss(t, conditions, objectives[0])]
    if not kept:
        raise UsageError(_describe_nearest(ranked, conditions, objectives[0]))
    if len(objectives) == 1:
        return kept
    bounded = {c.metric for c in conditions}
    aim = next((n for n, o in enumerate(objectives) if o.name not in bounded), 0)
    # Values after fewer epochs promise less than those after more, as in `find_front`.
    return sorted(kept, key=lambda t: (grade_fidelity(t.fidelity), t.scores(objectives)[aim]), reverse=True)


def check_choice(text: str, objectives: Sequence[Objective], others: Sequence[str]) -> None:
    """Raise UsageError for conditions that cannot be read, or on a metric that a search for the objectives,
    which measures `others` besides, does not know."""
    known = [*(o.name for o in objectives), *others]
    for condition in read_conditions(text):
        if condition.metric not in known:
            raise UsageError(
                f"the choice {str(condition)!r} needs {condition.metric}, which this search does not measure:"
                f" add it to the objectives, or choose by {', '.join(dict.fromkeys(known))}"
            )


def read_metric(trial: Trial, name: str, first: Objective) -> float | None:
    """The trial's value of the metric, in the user's direction."""
    if not isinstance(trial.outcome, Done):
        return None
    return trial.outcome.value if name == first.name else trial.outcome.metrics.get(name)


def _miss(trial: Trial, conditions: Sequence[Condition], first: Objective) -> float:
    """The largest share by which the trial misses a condition."""
    return max(c.miss(read_metric(trial, c.metric, first)) for c in conditions)


def _check_measured(trials: Sequence[Trial], conditions: Sequence[Condition], first: Objective) -> None:
    if not trials:
        raise UsageError("there is nothing to choose from: no trial has a value")
    for name in (c.metric for c in conditions):
        if all(read_metric(t, name, first) is None for t in trials):
            metrics = sorted({n for t in trials if isinstance(t.outcome, Done) for n in t.outcome.metrics})
            known = ", ".join([first.name, *metrics])
            raise UsageError(f"no trial has a {name} to choose by: the trials have {known}")


def _describe_nearest(trials: Sequence[Trial], conditions: Sequence[Condition], first: Objective) -> str:
    """The sentence that refuses the conditions, with the trial that misses them by the least."""
    nearest = min(trials, key=lambda t: _miss(t, conditions, first))
    written = describe_values((c.metric, read_metric(nearest, c.metric, first)) for c in conditions)
    return (
        f"none of {len(trials):,} networks keeps {', '.join(map(str, conditions))}: the nearest, trial"
        f" {nearest.number}, has {written}; choose by a wider bound"
    )
