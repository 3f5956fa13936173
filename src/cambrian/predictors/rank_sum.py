"""Scores of several proxies as one, without labels: sums of logarithms of ranks (Lee & Ham 2024, AZ-NAS,
arXiv 2403.19232, Sec. 3.3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def sum_log_ranks(scores: Sequence[ArrayLike]) -> NDArray[np.float64]:
    """The sum over `scores`, each float[n] with higher better, of ln(rank / n), where the worst has rank 1.
    The logarithm makes one low rank count for more than one high rank. A score that is not a number is the
    worst; ties share their mean rank.

    >>> sum_log_ranks([[3.0, 1.0, 2.0], [30.0, 10.0, float("nan")]]).round(3).tolist()
    [0.0, -1.504, -1.504]
    """
    from scipy.stats import rankdata

    total = np.zeros(np.asarray(scores[0]).shape)
    for column in scores:
        values = np.nan_to_num(np.asarray(column, dtype=np.float64), nan=-np.inf, neginf=-np.inf)
        total += np.log(rankdata(values) / max(len(values), 1))
    return total
