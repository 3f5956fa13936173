"""The pictures and figures of a comparison."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cambrian.counts import seconds_text
from cambrian.pictures.charts import Series, bands, plain
from cambrian.referee.comparison import Comparison
from cambrian.referee.curves import Curves, checkpoints
from cambrian.referee.judgement import Judgement, Pair
from cambrian.referee.ranks import picture
from cambrian.referee.statistics import interval

DRAWN = 150
"""Points of a drawn line."""
SETTLED = 0.1
"""The vertical axis begins at the lowest mean after this share of the budget: the course before is steep and
tells little."""


def pictures(comparison: Comparison) -> dict[str, str]:
    """SVG by name: "evaluations" or "epochs", "seconds" where costs are known, "ranks"."""
    counted = "evaluations" if comparison.contest.epochs is None else "epochs"
    charts = {counted: anytime(comparison.curves, counted, comparison.contest.unit)}
    if comparison.timed is not None:
        charts["seconds"] = anytime(
            comparison.timed, "seconds of estimator and strategy", comparison.contest.unit
        )
    return charts | {"ranks": picture(comparison.judgement)}


def anytime(curves: Curves, x_name: str, y_name: str) -> str:
    """Means over seeds with 95 % bootstrap bands."""
    few = curves.at_budgets(checkpoints(len(curves.at), DRAWN))
    series = [s for s in _series(few) if len(s.x)]
    settled = few.at[-1] * SETTLED
    ends = [(low, high) for s in series for x, low, high in zip(s.x, s.low, s.high) if x >= settled]
    low, high = min((low for low, _ in ends), default=0.0), max((high for _, high in ends), default=1.0)
    return bands(f"Best so far over {x_name}", series, x_name, y_name, (low, high), _short)


def _series(curves: Curves) -> Iterator[Series]:
    for name, scores, since in zip(curves.strategies, curves.scores, curves.since):
        # Only from where every seed has a score of its own: a mean with stand-ins is not one of scores.
        low, high = interval(scores[:, since:])
        mean = scores[:, since:].mean(axis=0)
        yield Series(name, *(a.tolist() for a in (curves.at[since:], mean, low, high)))


def _short(value: float) -> str:
    """
    >>> _short(300.0), _short(20000.0), _short(3500000.0)
    ('300', '20k', '3.5M')
    """
    # Thousands only from 10k on: 3,000 is hardly longer than 3k, and plainer.
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= 10 * size or (value >= size and unit == "M"):
            return f"{value / size:g}{unit}"
    return plain(value)


def standings(comparison: Comparison) -> list[dict[str, Any]]:
    """A row per strategy, best mean rank first: figures at the end of the budget."""
    judgement, rows = comparison.judgement, []
    for name in judgement.order:
        scores = comparison.curves.scores[judgement.strategies.index(name), :, -1]
        low, high = interval(scores)
        lines = comparison.lines[name]
        trials = sum(line.trials for line in lines)
        each = trials or 1  # none, where a strategy stops before its first
        row = {
            "strategy": name,
            "rank": judgement.rank(name),
            "mean": float(scores.mean()),
            "sd": float(scores.std(ddof=1)) if len(scores) > 1 else None,
            "low": float(low),
            "high": float(high),
            "better than random": _beyond_random(judgement, name, comparison.baseline),
            "evaluations": trials / len(lines),  # fewer than the budget where a strategy stopped by itself
            "thinking": sum(sum(line.thinking) for line in lines) / each,
            "estimator": sum(sum(line.cost) for line in lines) / each if comparison.contest.timed else None,
            "ended": next((line.ended for line in lines if line.ended), None),
        }
        rows.append(row)
    return rows


def _beyond_random(judgement: Judgement, name: str, baseline: str) -> float | None:
    """The probability of improvement over random search; None for random search itself."""
    # A pair stands in one order only; the other direction is the complement.
    for pair in judgement.pairs:
        if {pair.a, pair.b} == {name, baseline} and name != baseline:
            return pair.better[0] if pair.a == name else 1 - pair.better[0]
    return None


def pairs(judgement: Judgement, margin: float) -> list[dict[str, Any]]:
    """A row per pair, at the end of the budget; a difference is the score of a less that of b."""
    return [_pair(pair, margin, judgement.minimize) for pair in judgement.pairs]


def _pair(pair: Pair, margin: float, minimize: bool) -> dict[str, Any]:
    a_inferior, b_inferior = pair.inferior(margin)
    good = [name for name, bad in ((pair.a, a_inferior), (pair.b, b_inferior)) if not bad]
    difference, low, high = (float(d[-1]) for d in (pair.difference, pair.low, pair.high))
    if minimize:  # pairs are judged with higher scores better; readers see their own unit
        difference, low, high = -difference, -high, -low
    return {
        "a": pair.a,
        "b": pair.b,
        "difference": difference,
        "low": low,
        "high": high,
        "p": float(pair.p[-1]),
        "winner": {1: pair.a, -1: pair.b}.get(pair.winner),
        "better": list(pair.better),
        "not inferior": good,
    }


def facts(comparison: Comparison) -> dict[str, Any]:
    """The whole comparison, as JSON."""
    record = {
        "contest": comparison.contest.identity(),
        "unit": comparison.contest.unit,
        "minimize": comparison.contest.minimize,
        "seeds": comparison.seeds,
        "margin": comparison.margin,
        "verdict": comparison.verdict,
        "verdict over seconds": comparison.timed_verdict,
        "standings": standings(comparison),
        "evaluations": _judgement_data(comparison.judgement, comparison.curves, comparison.margin),
        "seconds": None,
        "directory": None if comparison.directory is None else str(comparison.directory),
    }
    if comparison.timed is not None and comparison.timed_judgement is not None:
        record["seconds"] = _judgement_data(comparison.timed_judgement, comparison.timed, comparison.margin)
    return record


def _judgement_data(judgement: Judgement, curves: Curves, margin: float) -> dict[str, Any]:
    few = curves.at_budgets(checkpoints(len(curves.at), DRAWN))
    low, high = zip(*(interval(scores) for scores in few.scores))
    return {
        "pairs": pairs(judgement, margin),
        "curves": {
            name: {
                "at": few.at[since:],
                "mean": scores.mean(axis=0)[since:],
                "low": a[since:],
                "high": b[since:],
            }
            for name, scores, since, a, b in zip(few.strategies, few.scores, few.since, low, high)
        },
        "checkpoints": {
            "at": judgement.at,
            "p": {f"{p.a} / {p.b}": p.p for p in judgement.pairs},
            "difference": {
                f"{p.a} / {p.b}": -p.difference if judgement.minimize else p.difference
                for p in judgement.pairs
            },
        },
    }


def plainly(value: Any) -> Any:
    """Arrays as lists, figures to six digits, for JSON."""
    if isinstance(value, dict):
        return {k: plainly(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plainly(v) for v in value]
    if isinstance(value, np.ndarray):
        return plainly(value.tolist())
    # Six digits are finer than any interval here, and keep the file small.
    return float(f"{value:.6g}") if isinstance(value, float) else value


def seconds(value: float) -> str:
    """
    >>> seconds(0.00123), seconds(0.123), seconds(3.21), seconds(7200)
    ('1.2 ms', '123 ms', '3.2 s', '2.0 h')
    """
    if value < 1:
        return f"{1000 * value:.2g} ms" if value < 0.01 else f"{1000 * value:.0f} ms"
    return f"{value:.2g} s" if value < 10 else seconds_text(value)
