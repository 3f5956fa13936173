"""Latency from few measurements: a ridge regression (Hoerl & Kennard 1970) on the operations of a network.

A latency is nearly the sum of the operations' own (Cai et al., "ProxylessNAS", ICLR 2019, Sec. 3.3, have a
table of them), and ten or twenty measured networks say what each kind of operation costs on a device. Which
columns are used, and how strong the penalty is, is chosen by the error at measurements left out in turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cambrian.networks.measure.latency_table import Counts, LatencyTable
from cambrian.networks.measure.operation_totals import CALLS
from cambrian.predictors.rank_correlation import spearman

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

PENALTIES = tuple(10.0**n for n in range(-8, 3))
FEWEST = 5
"""Measurements of which each can be left out and the others still tell something."""


class Fit(NamedTuple):
    """`weights` of columns, `intercept`, and the predictions float[n] of each row by a fit without it."""

    weights: Array
    intercept: float
    left_out: Array


def fit_table(
    counts: Sequence[Counts], values: Sequence[float], measured: str = "latency", device: str = "cpu"
) -> LatencyTable:
    """The table of networks with these `counts` and measured `values`."""
    target = np.array(values, np.float64)
    best, names = _choose_fit(counts, target)
    return LatencyTable(
        measured,
        device,
        len(target),
        best.intercept,
        {name: w for name, w in zip(names, best.weights.tolist(), strict=True) if w},
        _correlate(best.left_out, target),
    )


def _choose_fit(counts: Sequence[Counts], target: Array) -> tuple[Fit, list[str]]:
    """The fit, and the names of its columns, with the least squared error at rows that were left out."""
    fits = []
    for names in _list_columns(counts):
        columns = np.array([[row.get(name, 0.0) for name in names] for row in counts])
        fits += [(fit_ridge(columns, target, penalty), names) for penalty in PENALTIES]
    return min(fits, key=lambda pair: float(np.square(pair[0].left_out - target).sum()))


def _list_columns(counts: Sequence[Counts]) -> list[list[str]]:
    """The totals of the whole network alone, and with those of each kind of operation; the calls of each kind
    alone, which are all that ten measurements of cells of one shape can tell apart."""
    names = sorted({name for row in counts for name in row})
    totals = [name for name in names if " " not in name]
    return [totals, names, [name for name in names if name.endswith(f" {CALLS}")]]


def fit_ridge(columns: Array, target: Array, penalty: float) -> Fit:
    """The ridge regression on columns float[n, k] in units of their deviations, `penalty` being a share of
    their total variance. The predictions of rows left out are in closed form (Allen's PRESS, 1974)."""
    centre, scale = columns.mean(axis=0), columns.std(axis=0)
    # A column that is the same everywhere says nothing, and is left out of the fit.
    spread = np.where(scale > 1e-12 * np.abs(centre), scale, np.inf)
    x, y = (columns - centre) / spread, target - target.mean()
    kernel, n = x @ x.T, len(y)
    size = max(float(np.trace(kernel)), 1e-12)
    share = penalty * size / n
    # The kernel knows nothing of the mean, whose direction gets a number of its own size: so that the inverse
    # is as good as that of the rest. It is taken out again.
    solved = np.linalg.inv(kernel + share * np.eye(n) + size / n) - 1 / (n * (size + share))
    weights = x.T @ (solved @ y) / spread
    left_out = target - (solved @ y) / np.diag(solved)
    return Fit(weights, float(target.mean() - centre @ weights), left_out)


def _correlate(predicted: Array, values: Array) -> float:
    rho = float(spearman(predicted, values))
    # Undefined where one side is constant, as where all networks were measured alike.
    return rho if np.isfinite(rho) else 0.0
