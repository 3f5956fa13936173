"""Rank correlations of predictions and values, as reported in PNAS (Liu et al. 2018, Table 1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rank correlation in [-1, 1]; NaN for fewer than two pairs or if one side is constant."""
    from scipy.stats import spearmanr

    return float(spearmanr(x, y).statistic) if _varies(x) and _varies(y) else float("nan")


def kendall(x: ArrayLike, y: ArrayLike) -> float:
    """Kendall's tau-b in [-1, 1]; NaN for fewer than two pairs or if one side is constant."""
    from scipy.stats import kendalltau

    return float(kendalltau(x, y).statistic) if _varies(x) and _varies(y) else float("nan")


def _varies(x: ArrayLike) -> bool:
    values = np.asarray(x)
    return len(values) > 1 and bool((values != values[0]).any())
