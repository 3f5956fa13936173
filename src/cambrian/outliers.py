"""Values far below the others, such as the negative of a loss that exploded: they would set the scale of all
(Tukey, "Exploratory Data Analysis", 1977, Sec. 2E).

Values far above stay as they are. Higher is better: where most networks are at chance, those few are the ones
to tell apart. Accuracies, from 0 to 1, all stay: they cannot explode.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, insort
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Values = NDArray[np.float64]

FENCE = 3.0
"""The number of interquartile ranges below the lower quartile at which Tukey calls a value far out."""
EXPLODED = 100.0
"""The times by which a value far below the others makes a range longer, from which on it is no end of it."""


def find_lowest(values: Values) -> float:
    """The lowest of the values that are not far out."""
    return find_lowest_sorted(np.sort(values))


def find_lowest_sorted(values: Sequence[float] | Values) -> float:
    """The same of values in ascending order, in a time that hardly grows with their number."""
    if values[0] >= 0 and values[-1] <= 1:
        return float(values[0])
    first, third = _find_quantile(values, 0.25), _find_quantile(values, 0.75)
    if first == third:  # of values that are mostly equal, none is far out
        return float(values[0])
    return float(values[bisect_left(values, first - FENCE * (third - first))])


def insert_sorted(values: Sequence[float], value: float) -> array[float]:
    """The values in ascending order, with one more. States keep them so, where each of thousands of trials
    asks for what is far out: a copy of an array costs a hundredth of one of a tuple."""
    longer = array("d", values)
    insort(longer, value)
    return longer


def _find_quantile(values: Sequence[float] | Values, share: float) -> float:
    place = share * (len(values) - 1)
    low, high = float(values[math.floor(place)]), float(values[math.ceil(place)])
    part = place - math.floor(place)
    # Equal ones stay exactly what they are; and a difference of the largest numbers would be infinite.
    return low if low == high else low * (1 - part) + high * part


def lift_outliers(values: Values) -> Values:
    """The values, of which those far out count as the worst of the others, as failures do.

    >>> lift_outliers(np.array([-1e9, 1.0, 2.0, 3.0, 4.0, 5.0])).tolist()
    [1.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    """
    return np.maximum(values, find_lowest(values)) if len(values) else values
