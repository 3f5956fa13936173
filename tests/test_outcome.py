"""Who leads after each trial."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.architecture import Architecture
from cambrian.outcome import Done, Fidelity, Infeasible, Trial
from cambrian.recommendation import find_incumbents

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
