"""Metrics, by their names: of classes, of numbers, of several labels, and of several classifications.

Each belongs to one or several kinds of goals (see `cambrian.goal`), and the first of a kind is its usual one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import UnknownName, UsageError
from cambrian.goal import IGNORED, Goal
from cambrian.tasks.targets.class_metrics import (
    accuracy,
    balanced_accuracy,
    cohen_kappa,
    log_loss,
    macro_f1,
    matthews,
    mean_average_precision,
    roc_auc,
)

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
    """`function` of targets and predictions, for the goals of these `kinds`. It gets `probabilities`, or what
    is chosen by them (see `choose`); of numbers these. `minimize`: lower is better. `share`: at most one,
    which people read as a percentage; one that `counts` is that of the examples that are right, of which the
    error by chance follows from their number."""

    function: Callable[[NDArray[Any], NDArray[Any]], float]
    kinds: tuple[str, ...] = ("classes",)
    probabilities: bool = False
    minimize: bool = False
    share: bool = True
    counts: bool = False

    def __call__(self, targets: NDArray[Any], predictions: NDArray[Any]) -> float:
        return self.function(targets, predictions)


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


def mape(targets: NDArray[Any], predictions: NDArray[Any]) -> float:
    """The mean absolute error, each as a share of its target's size; a target of 0 counts as the least number
    that 1 can be told apart by.

    >>> mape(np.array([10.0, 100.0]), np.array([11.0, 50.0]))
    0.3
    """
    sizes = np.maximum(np.abs(targets), np.finfo(np.float64).eps)
    return float((np.abs(targets - predictions) / sizes).mean())


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


NUMBERS, LABELS, PIXELS, CHARACTERS = ("numbers",), ("labels",), ("pixels",), ("characters",)

METRICS: dict[str, Metric] = {
    "accuracy": Metric(accuracy, counts=True),
    "balanced-accuracy": Metric(balanced_accuracy),
    "r2": Metric(r2, NUMBERS),
    "rmse": Metric(rmse, NUMBERS, minimize=True, share=False),
    "mae": Metric(mae, NUMBERS, minimize=True, share=False),
    "mape": Metric(mape, NUMBERS, minimize=True, share=False),
    "mean-average-precision": Metric(mean_average_precision, LABELS, probabilities=True),
    "macro-f1": Metric(macro_f1, ("classes", "labels")),
    "roc-auc": Metric(roc_auc, ("classes", "labels"), probabilities=True, share=False),
    "log-loss": Metric(log_loss, probabilities=True, minimize=True, share=False),
    "mcc": Metric(matthews, share=False),
    "cohen-kappa": Metric(cohen_kappa, share=False),
    # Of several classifications: the share of right answers of each, averaged.
    "mean-accuracy": Metric(accuracy, ("heads",), counts=True),
    "miou": Metric(mean_iou, PIXELS),
    "pixel-accuracy": Metric(pixel_accuracy, PIXELS),
    "bits-per-character": Metric(
        bits_per_character, CHARACTERS, probabilities=True, minimize=True, share=False
    ),
    "perplexity": Metric(perplexity, CHARACTERS, probabilities=True, minimize=True, share=False),
    "next-accuracy": Metric(accuracy, CHARACTERS),
}


def choose(outputs: NDArray[Any], goal: Goal) -> NDArray[Any]:
    """What is predicted by the probabilities of all classes, float [n, outputs, ...]: the likeliest class of
    each example or pixel, or of each head, int64 [n, heads]; of several labels 1 for those above one half.
    Numbers stay as they are.

    >>> choose(np.array([[0.2, 0.8], [0.6, 0.4]]), Goal()).tolist()
    [1, 0]
    """
    if goal.kind == "numbers":
        return outputs
    if goal.kind == "labels":
        return (outputs > 0.5).astype(np.int64)
    if goal.kind == "heads":
        return np.stack([outputs[:, part].argmax(1) for _, part in goal.parts], 1)
    likeliest: NDArray[Any] = outputs.argmax(1)
    return likeliest


def measure(name: str, targets: NDArray[Any], outputs: NDArray[Any], goal: Goal) -> float:
    """The metric of that name of `outputs`, which are numbers [n], or the probabilities of all classes."""
    metric = METRICS[name]
    return metric(targets, outputs if metric.probabilities else choose(outputs, goal))


def list_metrics(kind: str) -> list[str]:
    """The names of the metrics of that kind of goal, the usual one first."""
    return [name for name, metric in METRICS.items() if kind in metric.kinds]


def choose_metric(name: str | None, kind: str) -> str:
    """The metric of that name, or the usual one. Raises UsageError for one of another kind of goal."""
    valid = list_metrics(kind)
    if name is None:
        return valid[0]
    if name not in METRICS:
        raise UnknownName("metric", name, METRICS)
    if name not in valid:
        kinds = " or ".join(KINDS[each] for each in METRICS[name].kinds)
        raise UsageError(
            f"metric={name}: measures predictions of {kinds}, and the data have {KINDS[kind]}: choose"
            f" {' or '.join(valid)}"
        )
    return name


def is_share(name: str) -> bool:
    """Whether the values of the metric are read as percentages."""
    return name in METRICS and METRICS[name].share


def is_minimized(name: str) -> bool:
    """Whether lower values of the metric are better."""
    return name in METRICS and METRICS[name].minimize
