"""Who leads after each trial."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.architecture import Architecture
from cambrian.outcome import Done, Fidelity, Infeasible, Trial
from cambrian.problem import Objective
from cambrian.recommendation import find_front, find_incumbents, list_ends, rank_trials
from cambrian.reports.evidence import anytime, best_trials
from cambrian.search.delivery.recommended import read_recommendation
from cambrian.search.display.tally import Tally
from cambrian.weights import Fresh, Inherit

VALUES = st.lists(st.one_of(st.none(), st.integers(0, 3)), max_size=12)
PREFERENCES = st.lists(
    st.one_of(st.none(), st.lists(st.integers(0, 12), max_size=3)), min_size=12, max_size=12
)


def trials(values, preferences=()):
    for n, value in enumerate(values):
        outcome = Infeasible("nan") if value is None else Done(float(value))
        prefers = preferences[n] if n < len(preferences) else None
        yield Trial(n, Architecture({"n": n}), Fidelity(), prefers=tuple(prefers or ()), outcome=outcome)


@settings(deadline=None)
@given(VALUES)
def test_the_first_of_the_highest_leads(values):
    """By its definition, where nobody prefers anything."""
    for n, best in enumerate(find_incumbents(trials(values))):
        known = [v for v in values[: n + 1] if v is not None]
        assert (None if best is None else best.number) == (values.index(max(known)) if known else None)


@settings(deadline=None)
@given(VALUES, PREFERENCES)
def test_of_equals_the_preferred_leads(values, preferences):
    """The last word counts, and never for one that is lower."""
    for n, best in enumerate(find_incumbents(trials(values, preferences))):
        known = [v for v in values[: n + 1] if v is not None]
        highest = [i for i, v in enumerate(values[: n + 1]) if known and v == max(known)]
        said = next((p for p in reversed(preferences[: n + 1]) if p), [])
        liked = [i for i in highest if i in said]
        assert (None if best is None else best.number) == next(iter(liked or highest), None)


@settings(deadline=None)
@given(VALUES, PREFERENCES, st.data())
def test_who_leads_does_not_depend_on_who_ended_first(values, preferences, data):
    """What a display says of trials as they end is what the ledger says of them by their numbers: of all of
    them, and of those that are ranked."""
    rows = list(trials(values, preferences))
    tally = Tally()
    for trial in data.draw(st.permutations(rows)):
        tally.add(trial)
    assert tally.best is next(iter(read_recommendation(rows, [Objective()], [])), None)
    assert tally.best in (find_front(rows, [Objective()]) or [None])


FIDELITIES = st.builds(
    Fidelity,
    epochs=st.integers(1, 2),
    fraction=st.sampled_from([0.5, 1.0]),
    resolution=st.sampled_from([None, 8, 16]),
    seconds=st.sampled_from([None, 1.0, 3.0]),
)


def grade(fidelity: Fidelity) -> tuple[float, float, float]:
    """By the definition: epochs, seconds and pixels, of which one without a bound is the fullest."""
    seconds = math.inf if fidelity.seconds is None else fidelity.seconds
    pixels = math.inf if fidelity.resolution is None else fidelity.resolution
    return fidelity.epochs * fidelity.fraction, seconds, pixels


@settings(deadline=None)
@given(st.lists(st.tuples(FIDELITIES, st.integers(0, 3)), min_size=1, max_size=9))
def test_the_fullest_measurements_lead(measured):
    """The leader of a race, its ranking, a display's tally, a report's curve and its table are one notion of
    the best: the highest score of the fullest measurements, the earliest among equals, and never a score that
    is higher because images were small or time was short."""
    rows = [
        Trial(n, Architecture({"n": n}), fidelity, outcome=Done(float(value)))
        for n, (fidelity, value) in enumerate(measured)
    ]
    tally = Tally()
    for n, (leader, trial, point) in enumerate(zip(find_incumbents(rows), rows, anytime(rows), strict=True)):
        tally.add(trial)
        best = max(range(n + 1), key=lambda i: (*grade(measured[i][0]), measured[i][1], -i))
        assert leader is tally.best is rows[best]
        assert point.value == measured[best][1]
    assert rank_trials(rows)[0] == best_trials(rows, 1)[0] == find_front(rows, [Objective()])[0] == rows[best]
    assert read_recommendation(rows, [Objective()], [])[0] == rows[best]


def test_a_fuller_measurement_that_the_strategy_had_seen_does_not():
    """A race's winner lost to a challenger, in heats that are shorter than its last one: it stays behind,
    though no heat that the strategy ranks has it."""
    heat, challenge = Fidelity(seconds=9.0), Fidelity(seconds=3.0)
    measured = [
        (0, heat, 0.8),
        (0, challenge, 0.81),
        (1, challenge, 0.85),
        (1, challenge, 0.86),
        (2, challenge, 0.7),
    ]
    rows = [
        Trial(n, Architecture({"n": name}), fidelity, outcome=Done(value))
        for n, (name, fidelity, value) in enumerate(measured)
    ]
    ranked = [(0.0, "recommend", {"numbers": [3, 4]})]
    assert read_recommendation(rows, [Objective()], ranked)[0].number == 3
    assert read_recommendation(rows, [Objective()], [])[0].number == 0


def test_a_network_that_went_on_stands_for_its_last_training():
    """Not so one that another network began with."""
    leader, child = Architecture({"n": 0}), Architecture({"n": 1})
    weights = [Fresh(), Inherit(0), Inherit(1), Inherit(1, "morphism")]
    rows = [
        Trial(n, architecture, Fidelity(seconds=9.0 - n), weights=begun, outcome=Done(0.5))
        for n, (architecture, begun) in enumerate(zip([leader] * 3 + [child], weights, strict=True))
    ]
    assert [t.number for t in list_ends(rows)] == [2, 3]
    assert [t.number for t in list_ends([*rows[:2], rows[3]])] == [1, 3]


def test_a_fuller_measurement_since_the_recommendation_leads():
    """A run that went on to a fuller rung recommends its best there, though the strategy ranked an earlier
    one of small images with a higher score; a measurement of smaller images since then changes nothing."""
    small, large = Fidelity(resolution=8), Fidelity(resolution=16)
    ranked = [(0.0, "recommend", {"numbers": [0]})]
    for before, after, leader in ((small, large, 1), (large, small, 0)):
        rows = [
            Trial(n, Architecture({"n": n}), fidelity, outcome=Done(value))
            for n, (fidelity, value) in enumerate([(before, 0.9), (after, 0.8 if leader else 0.95)])
        ]
        assert read_recommendation(rows, [Objective()], ranked)[0].number == leader
