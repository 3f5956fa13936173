"""Scores with a supernet's weights beside those of the same networks trained alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

from cambrian.architecture import Architecture
from cambrian.outcome import Trial
from cambrian.weights import Shared


def find_shared_scores(trials: Iterable[Trial]) -> dict[Architecture, Trial]:
    """The trial of each architecture that was scored with a supernet's weights; the last one of several."""
    scored = (t for t in trials if isinstance(t.weights, Shared) and t.value is not None)
    return {trial.architecture: trial for trial in scored}


def compare_orders(trials: Sequence[Trial]) -> str:
    """A sentence on how well shared scores order the finalists, which were trained alone; empty where fewer
    than two have both scores."""
    shared = find_shared_scores(trials)
    both = [
        (shared[t.architecture].value or 0.0, t.value or 0.0)
        for t in trials
        if t.role == "finalist" and t.value is not None and t.architecture in shared
    ]
    pairs = list(combinations(both, 2))
    if not pairs:
        return ""
    alike = sum((a[0] - b[0]) * (a[1] - b[1]) > 0 for a, b in pairs)
    return (
        f"Of {len(pairs)} pair{'s' if len(pairs) > 1 else ''} of networks that were also trained alone,"
        f" shared weights order {alike} as the trainings do. A supernet that orders no better than chance,"
        " half of many pairs, is of no use for choosing."
    )
