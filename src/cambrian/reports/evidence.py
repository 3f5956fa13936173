"""Evidence from a list of trials: the best value over time, a surrogate's rank correlation, the leaders, the
failures."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cambrian.architecture import Architecture
from cambrian.outcome import Done, Trial, failure_reason
from cambrian.predictors.rank_correlation import spearman
from cambrian.recommendation import list_comparable, place_trial, rank_trials

FEWEST = 3
"""Trials that a rank correlation needs to be worth naming."""


@dataclass(frozen=True)
class Best:
    """After `trials` ended trials and `seconds` of evaluation, added up, the best value is `value`."""

    trials: int
    seconds: float
    value: float


@dataclass(frozen=True)
class Level:
    """A level's trials whose value was guessed before it was measured. `rho` is Spearman's rank
    correlation, None for fewer than three trials or where all are equal."""

    level: int
    predicted: list[float]
    measured: list[float]
    rho: float | None


@dataclass(frozen=True)
class Failures:
    """Trials that ended without a value for one reason."""

    reason: str
    trials: list[Trial] = field(default_factory=list)


def search_trials(trials: Iterable[Trial]) -> list[Trial]:
    """The search's own trials, in order of number."""
    return sorted((t for t in trials if t.kind == "trial"), key=lambda t: t.number)


def anytime(trials: Iterable[Trial]) -> list[Best]:
    """The value of the best trial so far after each ended one, from the first with a value on; it falls where
    a fuller measurement, which says more, has a lower one. A repeat counts as a
    trial and costs no seconds; a failure costs the seconds it took."""
    curve: list[Best] = []
    best: Trial | None = None
    seconds, count = 0.0, 0
    rows = search_trials(trials)
    numbers = {t.number for t in list_comparable(rows)}
    for trial in rows:
        if trial.outcome is None:
            continue
        # A repeat is a draw of the strategy, so that it counts; its outcome was measured before.
        count += 1
        seconds += trial.outcome.seconds if trial.cached is None else 0.0
        comparable = trial.score is not None and trial.number in numbers
        if comparable and (best is None or place_trial(trial) > place_trial(best)):
            best = trial
        if best is not None and best.value is not None:
            curve.append(Best(count, seconds, best.value))
    return curve


def levels(trials: Iterable[Trial]) -> list[Level]:
    """Predicted against measured by level, from `reason["level"]` and `reason["predicted"]`."""
    pairs: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for trial in search_trials(trials):
        guess = trial.reason.get("predicted")
        if trial.value is not None and isinstance(guess, int | float):
            # Strategies predict scores, whose sign is turned where lower values are better.
            predicted_value = guess if trial.score == trial.value else -guess
            pairs[int(trial.reason.get("level", 0))].append((float(predicted_value), trial.value))
    rows_by_level = []
    for level, rows in sorted(pairs.items()):
        predicted, measured = [p for p, _ in rows], [m for _, m in rows]
        rho = spearman(predicted, measured)
        # NaN where one side is constant: a surrogate that predicts the same for all has no ranking.
        defined = len(rows) >= FEWEST and not math.isnan(rho)
        rows_by_level.append(Level(level, predicted, measured, rho if defined else None))
    return rows_by_level


def best_trials(trials: Iterable[Trial], top: int) -> list[Trial]:
    """The `top` best trials of different architectures, best first (see `rank_trials`)."""
    first: dict[Architecture, Trial] = {}
    for trial in rank_trials(search_trials(trials)):
        first.setdefault(trial.architecture, trial)
    return list(first.values())[:top]


def leaderboard(trials: Iterable[Trial], top: int = 10) -> list[dict[str, Any]]:
    """The best trials as plain rows: rank, trial, value, level, params, macs, seconds, key, answers."""
    rows = []
    for rank, trial in enumerate(best_trials(trials, top), start=1):
        assert isinstance(trial.outcome, Done)
        rows.append(
            {
                "rank": rank,
                "trial": trial.number,
                "value": trial.outcome.value,
                "level": trial.reason.get("level"),
                "params": trial.outcome.metrics.get("params"),
                "macs": trial.outcome.metrics.get("macs"),
                "seconds": trial.outcome.seconds,
                "key": trial.architecture.key,
                "architecture": trial.architecture.to_json(),
            }
        )
    return rows


def failures(trials: Iterable[Trial]) -> list[Failures]:
    """Trials that ended without a value, by reason, the commonest first; repeats are left out."""
    groups: dict[str, Failures] = {}
    for trial in sorted(trials, key=lambda t: t.number):
        reason = failure_reason(trial)
        if trial.cached is None and reason:
            groups.setdefault(reason, Failures(reason)).trials.append(trial)
    return sorted(groups.values(), key=lambda f: -len(f.trials))
