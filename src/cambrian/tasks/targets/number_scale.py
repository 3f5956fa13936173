"""The scale on which numbers are learned, and the few far out that would set it for all others.

Networks learn standard scores. One number of a billion among a thousand below a hundred has the deviation of
all to itself: the others have the same score up to a millionth, and what is learned of them is nothing. Where
few are far out (Tukey, by the rule of `cambrian.outliers`, on both sides) and make most of the deviation, the
scale is that of the others; a loss that is linear far out (Huber's) keeps them from ruling. Of numbers with a
heavy tail, such as incomes, more than a few are far out: they are what is to be learned, and stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cambrian.errors import DataError
from cambrian.outliers import find_lowest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cambrian.tasks.task import Task

FEW = 0.01
"""The share of the numbers up to which those far out are few."""
RULING = 10.0
"""The times by which they make the deviation larger, from which on they rule it: a network for y with an
error of 3 had one of 7 at 14 times, and of 33 at 142 (1,500 rows)."""
FARTHEST = 1e30
"""The standard score beyond which float32 could not add the losses of a part."""
NAMED = 3


def find_near(numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of the numbers [n] set the scale: all, or those beside a few far out that would rule it.

    >>> find_near(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 1e9])).tolist()
    [True, True, True, True, True, False]
    """
    # Beyond 1: what lies from 0 to 1 is taken for accuracies, of which none is far below the others.
    scaled = numbers * (2 / (float(np.abs(numbers).max()) or 1.0))
    near = (scaled >= find_lowest(scaled)) & (scaled <= -find_lowest(-scaled))
    far = len(numbers) - int(near.sum())
    spread = float(numbers[near].std())
    rules = 0 < far <= max(1, FEW * len(numbers)) and 0 < RULING * spread <= float(numbers.std())
    return near if rules else np.ones(len(numbers), np.bool_)


def fit_scale(numbers: NDArray[np.float64]) -> tuple[float, float]:
    """The mean and the deviation by which these numbers become standard scores."""
    near = numbers[find_near(numbers)]
    return float(near.mean()), float(near.std()) or 1.0


def find_far_out(task: Task) -> tuple[str, ...]:
    """A sentence about numbers so far out that they would rule the scale, and rule the score of their part.
    Raises DataError where they are too far out to be computed with."""
    if task.goal.kind != "numbers":
        return ()
    numbers = task.targets.astype(np.float64)
    near = find_near(numbers)
    far, others = numbers[~near], numbers[near]
    if not len(far):
        return ()
    named = ", ".join(f"{number:.6g}" for number in far[:NAMED]) + ", ..." * (len(far) > NAMED)
    one = len(far) == 1
    said = (
        f"{task.name}: {len(far):,} of {len(numbers):,} numbers to predict {'lies' if one else 'lie'} far"
        f" beyond the others, which reach from {others.min():.6g} to {others.max():.6g}: {named}"
    )
    if np.abs(numbers - task.goal.mean).max() / task.goal.std > FARTHEST:
        raise DataError(
            f"{said}. Nothing can be learned beside {'it' if one else 'them'}: leave such rows out"
        )
    return (
        f"{said}. Networks learn on the scale of the others, and the score of a part that has"
        f" {'it' if one else 'one'} says little: leave such rows out if"
        f" {'it is a mistake' if one else 'they are mistakes'}",
    )
