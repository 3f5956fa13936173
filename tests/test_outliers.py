"""Values far out: against Tukey's fences by NumPy's quantiles."""

from array import array
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambrian.outliers import find_lowest, find_lowest_sorted, insert_sorted, lift_outliers

WHOLE = st.lists(st.integers(-100, 100).map(lambda n: n * 4.0), min_size=1, max_size=40)


@given(WHOLE)
def test_the_lowest_is_within_the_fence(values):
    """In whole numbers, of which both ways to a quantile are exact; the values keep their order."""
    first, third = np.quantile(values, (0.25, 0.75))
    fence = first - 3 * (third - first) if third > first else -np.inf
    assert find_lowest(np.array(values)) == min(value for value in values if value >= fence)
    assert lift_outliers(np.array(values)).tolist() == [max(v, find_lowest(np.array(values))) for v in values]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_accuracies_stay(values):
    """To the last bit, however far below the others one is."""
    assert lift_outliers(np.array(values)).tobytes() == np.array(values).tobytes()


@given(st.floats(-1e6, -1e-6), st.integers(2, 40))
def test_of_equal_values_none_is_far_out(value, count):
    """Whatever their quantiles are rounded to; nor one beside them, since they have no range."""
    assert find_lowest(np.array([value] * count)) == value
    assert find_lowest(np.array([value * 2, *[value] * (count + 6)])) == value * 2


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_largest_numbers_have_quantiles(count):
    """Between the ends of what a float holds: their difference is infinite, and a fence by it was no number,
    below which all values lay."""
    values = [-1.7e308] * count + [1.7e308] * count
    assert find_lowest(np.array(values)) == -1.7e308


class Counting(Sequence):
    """Values that count how often one of them is read."""

    def __init__(self, values):
        self.values, self.read = values, 0

    def __len__(self):
        return len(self.values)

    def __getitem__(self, place):
        self.read += 1
        return self.values[place]


def test_few_of_many_sorted_values_are_read():
    """A policy asks after each of its trials: to read them all took as long as all else that REINFORCE does
    by its ten-thousandth."""
    values = Counting([float(n) for n in range(-100_000, 0)])
    assert find_lowest_sorted(values) == -100_000
    assert values.read < 40


@given(WHOLE, st.integers(-400, 400))
def test_a_value_is_sorted_in(values, value):
    """Into a new array; the old one is of a state that others may have."""
    before = array("d", sorted(values))
    assert insert_sorted(before, value).tolist() == sorted([*values, value])
    assert before.tolist() == sorted(values)
