"""What a metric needs of the parts of the data: where it says nothing, nothing can be chosen by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cambrian.errors import DataError
from cambrian.tasks.examples import Examples
from cambrian.tasks.splits import Split

if TYPE_CHECKING:
    from numpy.typing import NDArray


def check_parts(examples: Examples, chosen: Split, metric: str) -> None:
    """Raise DataError for a part in which no example has a label, so that there is nothing to be found, and
    for one to be scored of which the metric has no value."""
    parts = {"training": chosen.train, "validation": chosen.validation, "test": chosen.test}
    for part, indices in parts.items():
        targets, which = examples.targets[indices], f"{len(indices)} {part} {examples.noun}"
        reason = ""
        if examples.goal.kind == "labels" and not targets.any():
            reason = (
                f"none of the {which} has a label: give more {examples.noun} that have one, a larger part, or"
                " another seed"
            )
        elif part != "training" and metric == "roc-auc":
            reason = _lack_pairs(examples, targets, which)
        elif part != "training" and metric == "mape" and (targets == 0).any():
            reason = (
                f"{(targets == 0).sum()} of the {which} have the number 0, by which mape divides: choose mae"
            )
        if reason:
            raise DataError(f"{examples.name}: {reason}")


def _lack_pairs(examples: Examples, targets: NDArray[Any], which: str) -> str:
    """Why no two of the examples differ in their target; empty where some do."""
    if (targets != targets[:1]).any():
        return ""
    same = "have the same labels"
    if targets.ndim == 1:
        same = f"are of the class {examples.labels[int(targets[0])]!r:.60}"
    return (
        f"all {which} {same}, and roc-auc tells examples of several apart: give a larger part or another"
        " seed, or choose another metric"
    )
