"""The sentence on a winner that is no better on the test part than an answer that looks at no input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cambrian.outcome import Done, Trial
from cambrian.reports.tested import is_tested
from cambrian.search.display.tally import number_text
from cambrian.tasks.targets.metrics import is_minimized, is_share, measure

if TYPE_CHECKING:
    from cambrian.tasks.task import Task


def tell_constant(winner: Trial, task: Task | None) -> list[str]:
    """Of classes the answer is their shares of the training part, by which the commonest is chosen; of
    numbers the mean or the median of it, whichever is better, or of r2, which is 0 for the mean of the test
    part, any."""
    outcome = winner.outcome
    if task is None or not isinstance(outcome, Done) or not is_tested(outcome.metrics):
        return []
    if task.metric == "r2" and outcome.value <= 0:
        return [
            f"A constant number has an r2 of 0 at most: with {outcome.value:.4g} the network is no better."
        ]
    if task.goal.kind not in ("classes", "numbers") or task.metric == "r2":
        return []
    value = _score_classes(task) if task.goal.kind == "classes" else _score_numbers(task)
    if outcome.value < value if is_minimized(task.metric) else outcome.value > value:
        return []
    if task.metric == "accuracy":
        commonest = int(np.bincount(task.targets[task.train]).argmax())
        return [
            f"Always to answer {task.labels[commonest]!r:.60} has an accuracy of {value:.2%} on the test"
            " part: the network is no better."
        ]
    constant, reached = (number_text(number, is_share(task.metric)) for number in (value, outcome.value))
    return [
        f"A constant answer reaches {constant} ({task.metric}) on the test part: with {reached} the network"
        " is no better."
    ]


def _score_classes(task: Task) -> float:
    shares = np.bincount(task.targets[task.train], minlength=task.classes) / len(task.train)
    constant = np.broadcast_to(shares, (len(task.test), task.classes))
    return measure(task.metric, task.targets[task.test], constant, task.goal)


def _score_numbers(task: Task) -> float:
    known, true = task.targets[task.train], task.targets[task.test]
    numbers = (float(np.mean(known)), float(np.median(known)))
    return min(measure(task.metric, true, np.full(len(true), number), task.goal) for number in numbers)
