"""Table 1 of PNAS (Liu et al. 2018, Sec. 5.2), computed from the trained levels of a search: the rank
correlation of each surrogate on the level it was fitted to, and on the next one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from cambrian.architecture import Architecture
from cambrian.predictors import PREDICTORS
from cambrian.predictors.predictor import Values, make_trials
from cambrian.predictors.rank_correlation import kendall, spearman
from cambrian.randomness import integer_seed
from cambrian.spaces.knowledge import Encodes

Level = tuple[Sequence[Architecture], Sequence[float]]
"""The architectures trained at a level and their finite values."""

PAPER = ("mlp", "lstm", "mlp-ensemble", "lstm-ensemble")


class Row(msgspec.Struct, frozen=True):
    """`surrogate`, fitted on the `fitted` architectures up to `level`: the rank correlations of predictions
    and values at that level (`spearman`, `kendall`) and at the next (`spearman_next`, `kendall_next`, over
    `unseen` architectures). None if there are fewer than two values or all are equal."""

    surrogate: str
    level: int
    fitted: int
    spearman: float | None
    kendall: float | None
    unseen: int = 0
    spearman_next: float | None = None
    kendall_next: float | None = None


def table1(
    space: Encodes, levels: Mapping[int, Level], surrogates: Sequence[str] = PAPER, seed: int = 0
) -> list[Row]:
    """One row per surrogate and level. Surrogates are fitted as in the search: level by level, each time on
    all levels so far."""
    trained = [(b, *levels[b]) for b in sorted(levels) if len(levels[b][0])]
    return [row for name in surrogates for row in _rows(space, trained, name, seed)]


def _rows(
    space: Encodes,
    trained: Sequence[tuple[int, Sequence[Architecture], Sequence[float]]],
    name: str,
    seed: int,
) -> list[Row]:
    learner = PREDICTORS.make(name).start(space, integer_seed(seed, "table 1"))
    fitted, rows, architectures, values = None, [], list[Architecture](), list[float]()
    for i, (level, new, measured) in enumerate(trained):
        architectures += new
        values += measured
        fitted = learner.fit(make_trials(architectures, values), fitted)
        held_in = _correlations(fitted.predict(new).mean, measured)
        row = Row(name, level, len(values), *held_in)
        # Predicted before the next turn fits them: this is the question that a search asks.
        if i + 1 < len(trained):
            _, unseen, truth = trained[i + 1]
            rho, tau = _correlations(fitted.predict(unseen).mean, truth)
            row = msgspec.structs.replace(row, unseen=len(truth), spearman_next=rho, kendall_next=tau)
        rows.append(row)
    return rows


def _correlations(predicted: Values, truth: Sequence[float]) -> tuple[float | None, float | None]:
    rho, tau = spearman(predicted, truth), kendall(predicted, truth)
    return (None, None) if math.isnan(rho) else (rho, tau)
