"""Metrics of a classifier. Every metric is a fraction of one, and higher is better."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def accuracy(targets: NDArray[Any], predictions: NDArray[Any]) -> float:
    """The fraction of `predictions` int[n] that equal `targets` int[n]; n is at least one.

    >>> accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]))
    0.75
    """
    return float(np.mean(targets == predictions))


def balanced_accuracy(targets: NDArray[Any], predictions: NDArray[Any]) -> float:
    """The mean recall over the classes that occur in `targets`, each class weighing the same
    (Brodersen et al. 2010, "The balanced accuracy and its posterior distribution").

    >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]))
    0.5
    """
    members = np.bincount(targets)
    hits = np.bincount(targets[targets == predictions], minlength=len(members))
    present = members > 0  # recall is undefined for a class without targets
    return float(np.mean(hits[present] / members[present]))


METRICS: dict[str, Callable[[NDArray[Any], NDArray[Any]], float]] = {
    "accuracy": accuracy,
    "balanced-accuracy": balanced_accuracy,
}
