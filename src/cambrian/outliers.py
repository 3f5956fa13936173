"""Values far below the others, such as the negative of a loss that exploded: they would set the scale of all
(Tukey, "Exploratory Data Analysis", 1977, Sec. 2E).

Values far above stay as they are. Higher is better: where most networks are at chance, those few are the ones
to tell apart. Accuracies, from 0 to 1, all stay: they cannot explode.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

FENCE = 3.0
"""The number of interquartile ranges below the lower quartile at which Tukey calls a value far out."""


def find_lowest(values: Values) -> float:
    """The lowest of the values that are not far out."""
    if values.min() >= 0 and values.max() <= 1:
        return float(values.min())
    with np.errstate(over="ignore"):  # of the largest numbers that there are
        first, third = np.quantile(values, (0.25, 0.75))
        reach = FENCE * (third - first) or np.inf  # of values that are mostly equal, none is far out
        return float(values[values >= first - reach].min())


def lift_outliers(values: Values) -> Values:
    """The values, of which those far out count as the worst of the others, as failures do.

    >>> lift_outliers(np.array([-1e9, 1.0, 2.0, 3.0, 4.0, 5.0])).tolist()
    [1.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    """
    return np.maximum(values, find_lowest(values)) if len(values) else values
