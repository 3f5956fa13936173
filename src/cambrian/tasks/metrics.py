"""Metrics, by their names: of classes, of numbers, of several labels, and of several classifications.

Each belongs to one kind of goal (see `cambrian.goal`), and the first of a kind is its usual one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import UnknownName, UsageError
from cambrian.goal import IGNORED

if TYPE_CHECKING:
    from numpy.typing import NDArray

KINDS = {
    "classes": "classes",
    "numbers": "numbers",
    "labels": "several labels",
    "heads": "several classifications",
    "pixels": "the class of each pixel",
    "characters": "next characters",
}
"""The kinds of goals in words."""


@dataclass(frozen=True)
class Metric:
    """`function` of targets and predictions, as `kind` has them: of labels, the predictions are
    probabilities. `minimize`: lower is better. `share`: at most one, which people read as a percentage."""

    function: Callable[[NDArray[Any], NDArray[Any]], float]
    kind: str = "classes"
    minimize: bool = False
    share: bool = True

    def __call__(self, targets: NDArray[Any], predictions: NDArray[Any]) -> float:
        return self.function(targets, predictions)


def accuracy(targets: NDArray[Any], predictions: NDArray[Any]) -> float:
    """The fraction of `predictions` int[n] that equal `targets` int[n]; n is at least one.

    >>> accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]))
    0.75
    """
    return float(np.mean(targets == predictions))


def balanced_accuracy(targets: NDArray[Any], predictions: NDArray[Any]) -> float:
    """The mean recall over the classes that occur in `targets`, each class weighing the same
    (Brodersen et al. 2010, "The balanced accuracy and its posterior distribution").

    >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]))
    0.5
    """
    members = np.bincount(targets)
    hits = np.bincount(targets[targets == predictions], minlength=len(members))
    present = members > 0  # recall is undefined for a class without targets
    return float(np.mean(hits[present] / members[present]))


def r2(targets: NDArray[Any], predictions: NDArray[Any]) -> float:
    """The share of the variance of `targets` [n] that `predictions` [n] explain; below 0 where their mean
    would have been nearer.

    >>> r2(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.0]))
    0.5
    """
    rest = float(np.square(targets - predictions).sum())
    whole = float(np.square(targets - targets.mean()).sum())
    # Equal targets have no variance to explain: right or wrong, as scikit-learn has it.
    return 1 - rest / whole if whole else float(rest == 0)


def rmse(targets: NDArray[Any], predictions: NDArray[Any]) -> float:
    """The root of the mean squared error, in the unit of the targets.

    >>> rmse(np.array([0.0, 0.0]), np.array([3.0, 3.0]))
    3.0
    """
    return float(np.sqrt(np.square(targets - predictions).mean()))


def mae(targets: NDArray[Any], predictions: NDArray[Any]) -> float:
    """The mean absolute error, in the unit of the targets.

    >>> mae(np.array([0.0, 0.0]), np.array([1.0, -3.0]))
    2.0
    """
    return float(np.abs(targets - predictions).mean())


def mean_average_precision(targets: NDArray[Any], predictions: NDArray[Any]) -> float:
    """The average precision of each label, averaged over the labels that some of `targets` [n, labels]
    have: the sum over the thresholds of the precision times the gain in recall.

    >>> mean_average_precision(np.array([[1], [0], [1]]), np.array([[0.9], [0.8], [0.7]]))
    0.8333333333333333
    """
    present = np.flatnonzero(targets.any(0))
    return float(np.mean([_average_precision(targets[:, k], predictions[:, k]) for k in present]))


def _average_precision(targets: NDArray[Any], scores: NDArray[Any]) -> float:
    order = np.argsort(-scores, kind="stable")
    # Equal scores share one threshold: only the last of them is counted.
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum(targets[order])[last]
    gains = np.diff(hits, prepend=0) / targets.sum()
    return float((hits / (last + 1) * gains).sum())


def macro_f1(targets: NDArray[Any], predictions: NDArray[Any]) -> float:
    """The harmonic mean of precision and recall of each label, at a probability of one half, averaged over
    the labels; 0 for a label that is neither there nor predicted.

    >>> macro_f1(np.array([[1], [0], [1]]), np.array([[0.9], [0.8], [0.2]]))
    0.5
    """
    chosen = predictions > 0.5
    hits = (chosen & (targets == 1)).sum(0)
    total = chosen.sum(0) + targets.sum(0)
    return float(np.mean(2 * hits / np.maximum(total, 1)))


def mean_iou(targets: NDArray[Any], predictions: NDArray[Any]) -> float:
    """The intersection over the union of the pixels of a class, in all images together, averaged over the
    classes that occur in `targets` or `predictions` (Everingham et al. 2010, "The PASCAL Visual Object
    Classes Challenge", Sec. 4.3). Pixels that are ignored in `targets` do not count.

    >>> mean_iou(np.array([[[0, 1]], [[1, 1]]]), np.array([[[0, 0]], [[1, 1]]]))
    0.5833333333333333
    """
    ious = list_ious(targets, predictions, 1 + int(max(targets.max(), predictions.max())))
    return float(np.nanmean(ious))


def list_ious(targets: NDArray[Any], predictions: NDArray[Any], classes: int) -> NDArray[np.float64]:
    """The intersection over the union of each class; not a number for one that is nowhere."""
    known = targets != IGNORED
    true, predicted = targets[known], predictions[known]
    both = np.bincount(true[true == predicted], minlength=classes)
    union = np.bincount(true, minlength=classes) + np.bincount(predicted, minlength=classes) - both
    return np.where(union > 0, both / np.maximum(union, 1), np.nan)


def pixel_accuracy(targets: NDArray[Any], predictions: NDArray[Any]) -> float:
    """The share of right pixels, of those that are not ignored.

    >>> pixel_accuracy(np.array([[[0, 1]], [[1, -100]]]), np.array([[[0, 0]], [[1, 1]]]))
    0.6666666666666666
    """
    known = targets != IGNORED
    return accuracy(targets[known], predictions[known])


def bits_per_character(targets: NDArray[Any], predictions: NDArray[Any]) -> float:
    """The mean of -log2 of the probability that `predictions` [n, characters] give to `targets` int[n].

    >>> bits_per_character(np.array([0, 1]), np.array([[0.5, 0.5], [0.75, 0.25]]))
    1.5
    """
    likely = predictions[np.arange(len(targets)), targets].astype(np.float64)
    # A probability that float32 rounds to 0 costs much, and not everything.
    return float(-np.log2(np.maximum(likely, 1e-30)).mean())


def perplexity(targets: NDArray[Any], predictions: NDArray[Any]) -> float:
    """The number of equally likely characters among which a choice would be as hard.

    >>> perplexity(np.array([0, 0]), np.array([[0.25, 0.75], [0.25, 0.75]]))
    4.0
    """
    return float(2 ** bits_per_character(targets, predictions))


def next_accuracy(targets: NDArray[Any], predictions: NDArray[Any]) -> float:
    """The share of characters that were the likeliest ones.

    >>> next_accuracy(np.array([0, 1]), np.array([[0.6, 0.4], [0.7, 0.3]]))
    0.5
    """
    return accuracy(targets, predictions.argmax(1))


METRICS: dict[str, Metric] = {
    "accuracy": Metric(accuracy),
    "balanced-accuracy": Metric(balanced_accuracy),
    "r2": Metric(r2, "numbers"),
    "rmse": Metric(rmse, "numbers", minimize=True, share=False),
    "mae": Metric(mae, "numbers", minimize=True, share=False),
    "mean-average-precision": Metric(mean_average_precision, "labels"),
    "macro-f1": Metric(macro_f1, "labels"),
    # Of several classifications: the share of right answers of each, averaged.
    "mean-accuracy": Metric(accuracy, "heads"),
    "miou": Metric(mean_iou, "pixels"),
    "pixel-accuracy": Metric(pixel_accuracy, "pixels"),
    "bits-per-character": Metric(bits_per_character, "characters", minimize=True, share=False),
    "perplexity": Metric(perplexity, "characters", minimize=True, share=False),
    "next-accuracy": Metric(next_accuracy, "characters"),
}


def list_metrics(kind: str) -> list[str]:
    """The names of the metrics of that kind of goal, the usual one first."""
    return [name for name, metric in METRICS.items() if metric.kind == kind]


def choose_metric(name: str | None, kind: str) -> str:
    """The metric of that name, or the usual one. Raises UsageError for one of another kind of goal."""
    valid = list_metrics(kind)
    if name is None:
        return valid[0]
    if name not in METRICS:
        raise UnknownName("metric", name, METRICS)
    if name not in valid:
        raise UsageError(
            f"metric={name}: measures predictions of {KINDS[METRICS[name].kind]}, and the data have"
            f" {KINDS[kind]}: choose {' or '.join(valid)}"
        )
    return name


def is_share(name: str) -> bool:
    """Whether the values of the metric are read as percentages."""
    return name in METRICS and METRICS[name].share


def is_minimized(name: str) -> bool:
    """Whether lower values of the metric are better."""
    return name in METRICS and METRICS[name].minimize
