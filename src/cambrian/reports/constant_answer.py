"""The sentence on a winner that is no better on the test part than an answer that looks at no input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cambrian.outcome import Done, Trial
from cambrian.reports.tested import is_tested

if TYPE_CHECKING:
    from cambrian.tasks.task import Task


def tell_constant(winner: Trial, task: Task | None) -> list[str]:
    """Of an accuracy the answer is the commonest class of the training part; of r2, which is 0 for the mean
    of the test part, a number."""
    outcome = winner.outcome
    if task is None or not isinstance(outcome, Done) or not is_tested(outcome.metrics):
        return []
    if task.metric == "r2" and outcome.value <= 0:
        return [
            f"A constant number has an r2 of 0 at most: with {outcome.value:.4g} the network is no better."
        ]
    if task.metric != "accuracy" or task.goal.kind != "classes":
        return []
    commonest = int(np.bincount(task.targets[task.train]).argmax())
    share = float((task.targets[task.test] == commonest).mean())
    if outcome.value > share:
        return []
    return [
        f"Always to answer {task.labels[commonest]!r:.60} has an accuracy of {share:.2%} on the test part:"
        " the network is no better."
    ]
