"""The networks of a front that are handed over, against brute force."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from cambrian.architecture import Architecture
from cambrian.errors import UsageError
from cambrian.hypervolume import choose_reference, measure_front, measure_hypervolume
from cambrian.outcome import Done, Fidelity, Trial
from cambrian.problem import Objective
from cambrian.search.delivery.front_choice import check_choice, choose_knees, find_reference, list_satisfying

BOTH = (Objective("accuracy"), Objective("ms", minimize=True))


def make_trials(*points: tuple[float, float], **more: Any) -> list[Trial]:
    """Trials of an accuracy and of milliseconds each."""
    return [
        Trial(n, Architecture({"q": n}), Fidelity(), outcome=Done(value, {"ms": ms}))
        for n, (value, ms) in enumerate(points)
    ]


def numbers(trials: list[Trial]) -> list[int]:
    return [t.number for t in trials]


def test_a_front_that_bends_once_has_its_knee_there() -> None:
    """The most accurate first, then the bend; a dominated trial never."""
    trials = make_trials((0.50, 1.0), (0.90, 2.0), (0.91, 10.0), (0.70, 3.0), (0.89, 1.9))
    assert numbers(choose_knees(trials, BOTH, 2)) in ([2, 1], [2, 4])
    assert numbers(choose_knees(trials, BOTH, 1)) == [2]
    assert 3 not in numbers(choose_knees(trials, BOTH, 5))


def test_an_objective_of_which_all_are_equal_leaves_the_knees() -> None:
    """One network was chosen, as none of them added any volume."""
    points = [(0.50, 1.0), (0.90, 2.0), (0.91, 10.0)]
    both = numbers(choose_knees(make_trials(*points), BOTH, 3))
    alike = [
        Trial(n, Architecture({"q": n}), Fidelity(), outcome=Done(value, {"ms": ms, "bits": 8.0}))
        for n, (value, ms) in enumerate(points)
    ]
    assert numbers(choose_knees(alike, (*BOTH, Objective("bits", minimize=True)), 3)) == both


def test_the_choice_does_not_depend_on_units() -> None:
    rng = np.random.default_rng(0)
    points = [(float(a), float(b)) for a, b in rng.random((40, 2))]
    chosen = numbers(choose_knees(make_trials(*points), BOTH, 4))
    assert chosen == numbers(choose_knees(make_trials(*((100 * a, b / 1000) for a, b in points)), BOTH, 4))


@pytest.mark.parametrize("seed", range(5))
def test_knees_have_nearly_the_hypervolume_of_the_best_subset(seed: int) -> None:
    """At least 1 - 1/e of what is left to the best subset with the same first network (Nemhauser, Wolsey &
    Fisher 1978, for a greedy choice of a submodular function)."""
    rng = np.random.default_rng(seed)
    angles = rng.random(9) * np.pi / 2
    points = [(float(np.sin(a)), float(-np.cos(a))) for a in angles]
    chosen = [t.scores(BOTH) for t in choose_knees(make_trials(*points), BOTH, 3)]
    front = [t.scores(BOTH) for t in make_trials(*points)]
    reference = choose_reference(front, BOTH)
    alone = measure_hypervolume(chosen[:1], reference)
    best = max(measure_hypervolume([chosen[0], *pair], reference) for pair in combinations(front, 2))
    assert measure_hypervolume(chosen, reference) - alone >= (1 - np.exp(-1)) * (best - alone)


def test_a_network_beyond_the_reference_is_not_chosen() -> None:
    """The most accurate one is too slow to be of use; where all are, the front's first is taken."""
    trials = make_trials((0.9, 50.0), (0.8, 5.0), (0.5, 1.0))
    limited = (Objective("accuracy"), Objective("ms", minimize=True, reference=10.0))
    assert numbers(choose_knees(trials, limited, 3)) == [1, 2]
    assert find_reference(trials, limited) == (pytest.approx(0.5 - 0.04), 10.0)
    assert numbers(choose_knees(trials[:1], limited, 3)) == [0]
    assert choose_knees([], limited, 3) == []


def test_conditions_choose_the_best_that_keeps_them() -> None:
    """Of the first objective that is not bounded itself."""
    trials = make_trials((0.9, 8.0), (0.8, 5.0), (0.85, 6.0), (0.7, 2.0))
    assert numbers(list_satisfying(trials, BOTH, "ms<=6")) == [2, 1, 3]
    assert numbers(list_satisfying(trials, BOTH, "accuracy>75%"))[0] == 1
    assert numbers(list_satisfying(trials, BOTH, "accuracy>75%,ms<7"))[0] == 2


def test_conditions_that_nothing_keeps_name_the_nearest() -> None:
    trials = make_trials((0.9, 8.0), (0.8, 5.0))
    with pytest.raises(UsageError, match="none of 2 networks keeps ms<4: the nearest, trial 1, has ms 5"):
        list_satisfying(trials, BOTH, "ms<4")
    with pytest.raises(UsageError, match="no trial has a mss to choose by: the trials have accuracy, ms"):
        list_satisfying(trials, BOTH, "mss<4")
    with pytest.raises(UsageError, match="there is nothing to choose from"):
        list_satisfying([], BOTH, "ms<4")


def test_a_choice_by_something_unmeasured_is_refused_before_the_search() -> None:
    check_choice("params<1M,ms<4", BOTH, ("params",))
    with pytest.raises(UsageError, match="needs latency, which this search does not measure: add it"):
        check_choice("latency<5ms", BOTH, ())


def test_trials_after_fewer_epochs_are_chosen_only_where_no_other_keeps_the_conditions() -> None:
    """Their values promise less, as on the front; but a network that keeps the conditions is better than
    none. The fullest of those that keep them go first, whatever else was measured more fully."""
    short, *rest = make_trials((0.99, 1.0), (0.8, 5.0), (0.9, 4.0))
    fidelities = (Fidelity(epochs=4), Fidelity(epochs=2))
    long = [
        Trial(t.number, t.architecture, fidelity, outcome=t.outcome)
        for t, fidelity in zip(rest, fidelities, strict=True)
    ]
    assert numbers(list_satisfying([short, *long], BOTH, "ms<6")) == [1, 2, 0]
    assert numbers(list_satisfying([short, *long], BOTH, "ms<5")) == [2, 0]
    assert numbers(list_satisfying([short, *long], BOTH, "ms<2")) == [0]
    with pytest.raises(UsageError, match="none of 3 networks keeps ms<1: the nearest, trial 0"):
        list_satisfying([short, *long], BOTH, "ms<1")


def test_of_one_objective_the_conditions_leave_the_order_alone() -> None:
    """The strategy may know better than the highest value, as a race does of its leader."""
    trials = make_trials((0.7, 4.0), (0.9, 8.0), (0.8, 5.0))
    assert numbers(list_satisfying(trials, BOTH[:1], "ms<6")) == [0, 2]
    assert numbers(list_satisfying(trials, BOTH[:1], "accuracy>75%")) == [1, 2]


def test_a_front_is_of_the_trials_that_have_all_objectives() -> None:
    """Where the longest training lacks one, shorter ones have a front, knees and a volume."""
    trials = make_trials((0.9, 8.0), (0.8, 5.0))
    lacking = Trial(2, Architecture({"q": 2}), Fidelity(epochs=4), outcome=Done(0.95))
    assert numbers(choose_knees([*trials, lacking], BOTH, 3)) == [0, 1]
    assert find_reference([*trials, lacking], BOTH) == find_reference(trials, BOTH)
    assert measure_front([*trials, lacking], BOTH) == measure_front(trials, BOTH) > 0
