"""Metrics of classes, and of several labels, as scikit-learn has them: of the classes that are chosen, or of
the probabilities that they are chosen by.

Targets and choices are int64 [n]; of several labels both are [n, labels] of 0 and 1. Probabilities are
[n, classes] or [n, labels]. There is at least one example.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Counts(NamedTuple):
    """How often each class, or each label, is right, is a target, and is chosen: int64 [classes] each."""

    right: NDArray[Any]
    targets: NDArray[Any]
    chosen: NDArray[Any]


def count_choices(targets: NDArray[Any], chosen: NDArray[Any]) -> Counts:
    """The counts of every class up to the last one that is a target or chosen, or of all labels."""
    if targets.ndim == 2:
        return Counts((targets & chosen).sum(0), targets.sum(0), chosen.sum(0))
    size = 1 + int(max(targets.max(), chosen.max()))
    right = np.bincount(targets[targets == chosen], minlength=size)
    return Counts(right, np.bincount(targets, minlength=size), np.bincount(chosen, minlength=size))


def accuracy(targets: NDArray[Any], chosen: NDArray[Any]) -> float:
    """The fraction of right choices.

    >>> accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]))
    0.75
    """
    return float(np.mean(targets == chosen))


def balanced_accuracy(targets: NDArray[Any], chosen: NDArray[Any]) -> float:
    """The mean recall over the classes that occur in `targets`, each class weighing the same
    (Brodersen et al. 2010, "The balanced accuracy and its posterior distribution").

    >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]))
    0.5
    """
    counts = count_choices(targets, chosen)
    present = counts.targets > 0  # recall is undefined for a class without targets
    return float(np.mean(counts.right[present] / counts.targets[present]))


def macro_f1(targets: NDArray[Any], chosen: NDArray[Any]) -> float:
    """The harmonic mean of precision and recall of each class, averaged over the classes that are a target
    or chosen; of several labels over all of them, 0 for one that is neither there nor chosen.

    >>> macro_f1(np.array([0, 0, 1]), np.array([0, 1, 1]))
    0.6666666666666666
    >>> macro_f1(np.array([[1], [0], [1]]), np.array([[1], [1], [0]]))
    0.5
    """
    counts = count_choices(targets, chosen)
    total = counts.targets + counts.chosen
    each = 2 * counts.right / np.maximum(total, 1)
    return float(np.mean(each if targets.ndim == 2 else each[total > 0]))


def cohen_kappa(targets: NDArray[Any], chosen: NDArray[Any]) -> float:
    """The agreement beyond that of choices by chance with the same shares, of the most that there can be
    (Cohen 1960, "A coefficient of agreement for nominal scales"); 0 where targets and choices are all of one
    class, which chance explains.

    >>> cohen_kappa(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0]))
    0.5
    """
    counts, n = count_choices(targets, chosen), float(len(targets))
    by_chance = float(counts.targets.astype(float) @ counts.chosen)
    room = n * n - by_chance
    return (n * float(counts.right.sum()) - by_chance) / room if room else 0.0


def matthews(targets: NDArray[Any], chosen: NDArray[Any]) -> float:
    """The correlation between targets and choices (Matthews 1975; of more than two classes Gorodkin 2004);
    0 where one of them is all of one class.

    >>> round(matthews(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0])), 6)
    0.57735
    """
    counts, n = count_choices(targets, chosen), float(len(targets))
    true, said = counts.targets.astype(float), counts.chosen.astype(float)
    spread = (n * n - float(said @ said)) * (n * n - float(true @ true))
    return (n * float(counts.right.sum()) - float(true @ said)) / spread**0.5 if spread else 0.0


def log_loss(targets: NDArray[Any], probabilities: NDArray[Any]) -> float:
    """The mean of -log of the probability of the target's class. A probability within the precision of its
    type to 0 or 1 counts as that precision, so that one that was rounded to 0 does not cost everything.

    >>> round(log_loss(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]])), 6)
    0.693147
    """
    eps = np.finfo(probabilities.dtype).eps
    likely = np.clip(probabilities[np.arange(len(targets)), targets], eps, 1 - eps)
    return float(-np.log(likely.astype(np.float64)).mean())


def roc_auc(targets: NDArray[Any], probabilities: NDArray[Any]) -> float:
    """The area under the receiver operating characteristic: the chance that an example of a class has a
    higher probability of it than an example of another one, where equal ones count half (Hanley & McNeil
    1982). Of two classes that of the second, of more the mean over those that occur, each against the rest;
    of several labels the mean over those that some examples have and others have not. Where there is no such
    pair, one half, as by chance.

    >>> roc_auc(np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5]]))
    0.5
    """
    if targets.ndim == 1:
        columns = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
        pairs = [(targets == k, probabilities[:, k]) for k in columns]
    else:
        pairs = [(targets[:, k] == 1, probabilities[:, k]) for k in range(targets.shape[1])]
    areas = [_area(true, scores) for true, scores in pairs if true.any() and not true.all()]
    return float(np.mean(areas)) if areas else 0.5


def _area(true: NDArray[np.bool_], scores: NDArray[Any]) -> float:
    """The Mann-Whitney statistic of `scores`: equal ones have the mean of their ranks."""
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    have = int(true.sum())
    return float(ranks[places][true].sum() - have * (have + 1) / 2) / (have * (len(true) - have))


def mean_average_precision(targets: NDArray[Any], probabilities: NDArray[Any]) -> float:
    """The average precision of each label, averaged over the labels that some of `targets` [n, labels]
    have: the sum over the thresholds of the precision times the gain in recall.

    >>> mean_average_precision(np.array([[1], [0], [1]]), np.array([[0.9], [0.8], [0.7]]))
    0.8333333333333333
    """
    present = np.flatnonzero(targets.any(0))
    return float(np.mean([_average_precision(targets[:, k], probabilities[:, k]) for k in present]))


def _average_precision(targets: NDArray[Any], scores: NDArray[Any]) -> float:
    order = np.argsort(-scores, kind="stable")
    # Equal scores share one threshold: only the last of them is counted.
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum(targets[order])[last]
    gains = np.diff(hits, prepend=0) / targets.sum()
    return float((hits / (last + 1) * gains).sum())
