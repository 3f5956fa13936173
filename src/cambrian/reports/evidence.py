"""What a list of trials says: best value over time, how well a surrogate ranked, who leads, what failed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cambrian.architecture import Architecture
from cambrian.outcome import Crashed, Done, Infeasible, Trial
from cambrian.predictors.rank_correlation import spearman

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
    """The best value so far after every ended trial from the first that has one on. A repeat counts as
    a trial and costs no seconds; a failure costs what it took."""
    curve: list[Best] = []
    best: Trial | None = None
    seconds, count = 0.0, 0
    for trial in search_trials(trials):
        if trial.outcome is None:
            continue
        count += 1
        seconds += trial.outcome.seconds if trial.cached is None else 0.0
        if trial.score is not None and (best is None or best.score is None or trial.score > best.score):
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
            turned = guess if trial.score == trial.value else -guess  # strategies predict scores
            pairs[int(trial.reason.get("level", 0))].append((float(turned), trial.value))
    found = []
    for level, rows in sorted(pairs.items()):
        predicted, measured = [p for p, _ in rows], [m for _, m in rows]
        rho = spearman(predicted, measured)
        defined = len(rows) >= FEWEST and not math.isnan(rho)
        found.append(Level(level, predicted, measured, rho if defined else None))
    return found


def best_trials(trials: Iterable[Trial], top: int) -> list[Trial]:
    """The `top` best trials of different architectures, best first, earlier ones first among equals."""
    ranked = sorted(
        (t for t in search_trials(trials) if t.score is not None), key=lambda t: -(t.score or 0.0)
    )
    first: dict[Architecture, Trial] = {}
    for trial in ranked:
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
    found: dict[str, Failures] = {}
    for trial in sorted(trials, key=lambda t: t.number):
        if trial.cached is None and isinstance(trial.outcome, Infeasible | Crashed):
            reason = trial.outcome.reason if isinstance(trial.outcome, Infeasible) else "crashed"
            found.setdefault(reason, Failures(reason)).trials.append(trial)
    return sorted(found.values(), key=lambda f: -len(f.trials))


def why(trial: Trial) -> str:
    """The sentence of a trial that failed."""
    if isinstance(trial.outcome, Infeasible):
        return trial.outcome.detail or trial.outcome.reason
    return trial.outcome.error if isinstance(trial.outcome, Crashed) else ""
