"""The final network on the test images: whom it takes for whom, and where it errs most surely; of numbers,
the predicted beside the true ones; of several labels, classifications or classes of pixels, each alone.

The images decide nothing here: the winner has been chosen, and its score is on record.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import CambrianError
from cambrian.goal import IGNORED, Goal
from cambrian.outcome import Done
from cambrian.reports.sampled_text import sample_text
from cambrian.search.display.tally import percent
from cambrian.tasks.targets.class_metrics import accuracy
from cambrian.tasks.targets.metrics import list_ious

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cambrian.search.result import Result

WORK = 2e10
"""Multiply-adds that a report may spend: one to two seconds of a core."""
FEWEST = 200
"""Test images that are looked at however large the network is."""
WORST = 12


@dataclass(frozen=True)
class Mistake:
    """A test image that was taken for another class: its place in the data, and its picture as a PNG."""

    place: int
    label: str
    predicted: str
    confidence: float
    picture: bytes


@dataclass(frozen=True)
class Tested:
    """`confused[i, j]` counts images of class i that were taken for class j, where there are any: a matrix of
    thousands of classes would not fit into memory. `count` of `total` test images were looked at;
    `mistakes` are the surest ones first. Where nothing could be looked at, `reason` says why. Of numbers,
    `pairs` are the true and the predicted one of each example; of several labels or heads, `each` is a table
    with a row for each of them, the header first. `written` is a text that a network of characters
    writes."""

    labels: tuple[str, ...] = ()
    confused: Mapping[tuple[int, int], int] = field(default_factory=dict)
    count: int = 0
    total: int = 0
    mistakes: tuple[Mistake, ...] = ()
    reason: str = ""
    pairs: tuple[tuple[float, float], ...] = ()
    each: tuple[tuple[object, ...], ...] = ()
    written: str = ""


def look_at_test_images(result: Result) -> Tested | None:
    """None where there is no tested network, or where its data are elsewhere."""
    winner, task = result.winner, result.task
    if winner is None or task is None or result.directory is None or not len(task.test):
        return None
    if not isinstance(winner.outcome, Done) or not is_tested(winner.outcome.metrics):
        return None
    which = _choose(task.test, winner.outcome.metrics.get("macs"))
    try:
        predictions = result.predict(task.inputs[which])
    # A space that was edited since builds no such network; the rest of the report does without it.
    except CambrianError as error:
        return Tested(reason=str(error))
    if predictions.numbers is not None:
        pairs = zip(task.targets[which].tolist(), predictions.numbers.tolist(), strict=True)
        return Tested(count=len(which), total=len(task.test), pairs=tuple(pairs))
    if predictions.masks is not None:
        each = judge_masks(task.labels, task.targets[which], predictions.masks)
        return Tested(count=len(which), total=len(task.test), each=each)
    if task.goal.kind == "characters":
        judged = _judge(task, which, predictions.probabilities)
        return replace(judged, written=sample_text(result, winner.outcome.metrics.get("macs")))
    if task.goal.kind != "classes":
        each = judge_each(task.goal, task.labels, task.targets[which], predictions.probabilities)
        return Tested(count=len(which), total=len(task.test), each=each)
    return _judge(task, which, predictions.probabilities)


def is_tested(metrics: Mapping[str, float]) -> bool:
    """Whether a trial has scores on the test part."""
    return "test_accuracy" in metrics or "test_loss" in metrics


def judge_masks(
    labels: Sequence[str], targets: NDArray[np.int64], masks: NDArray[np.int64]
) -> tuple[tuple[object, ...], ...]:
    """The header and the rows of a table: of each class its share of the pixels, and the intersection over
    the union."""
    known = targets[targets != IGNORED]
    shares = np.bincount(known, minlength=len(labels)) / known.size
    ious = list_ious(targets, masks, len(labels))
    rows = zip(labels, shares, ious, strict=True)
    return (
        ("class", "pixels", "IoU"),
        *((label, percent(float(s)), percent(None if np.isnan(i) else float(i))) for label, s, i in rows),
    )


def judge_each(
    goal: Goal, labels: Sequence[str], targets: NDArray[np.int64], probabilities: NDArray[np.float32]
) -> tuple[tuple[object, ...], ...]:
    """The header and the rows of a table: the accuracy of each head, or of each label how many examples have
    it, how many are predicted to, and the precision and the recall."""
    if goal.kind == "heads":
        heads = [(name, probabilities[:, part].argmax(1)) for name, part in goal.parts]
        right = [(name, percent(accuracy(targets[:, n], best))) for n, (name, best) in enumerate(heads)]
        return (("classification", "accuracy"), *right)
    rows = []
    for label, true, probability in zip(labels, targets.T, probabilities.T, strict=True):
        chosen = probability > 0.5
        hits, have, said = int((chosen & (true == 1)).sum()), int(true.sum()), int(chosen.sum())
        shares = (percent(hits / count if count else None) for count in (said, have))
        rows.append((label, have, said, *shares))
    return (("label", "examples", "predicted", "precision", "recall"), *rows)


def _choose(test: NDArray[np.int64], macs: float | None) -> NDArray[np.int64]:
    """All test images, or as many as can be looked at in a second or two, evenly over the test part."""
    most = len(test) if not macs else max(FEWEST, int(WORK / macs))
    if most >= len(test):
        return test
    return test[np.linspace(0, len(test) - 1, most).astype(np.int64)]


def _judge(task: Any, which: NDArray[np.int64], probabilities: NDArray[np.float32]) -> Tested:
    true, predicted = task.targets[which], probabilities.argmax(1)
    true = true[:, -1] if task.causal else true  # the character after the whole piece
    confused = Counter(zip(true.tolist(), predicted.tolist(), strict=True))
    sure = probabilities.max(1)
    wrong = np.flatnonzero(true != predicted)
    # Stable, so that of equally sure ones the first in the data comes first.
    surest = wrong[np.argsort(-sure[wrong], kind="stable")][:WORST]
    if "text" in task.rendering:  # whose pixels say nothing to people
        surest = surest[:0]
    mistakes = tuple(
        Mistake(
            int(which[i]),
            str(task.labels[true[i]]),
            str(task.labels[predicted[i]]),
            float(sure[i]),
            draw_image(task.inputs[which[i]]),
        )
        for i in surest
    )
    labels = tuple(map(str, task.labels))
    return Tested(labels, confused, len(which), len(task.test), mistakes)


def draw_image(pixels: NDArray[Any]) -> bytes:
    """An image [height, width, channels] as a PNG: three channels as colours, of other numbers the first one
    in grey; float images from their least to their greatest value."""
    from PIL import Image

    shown = np.asarray(pixels[..., :3] if pixels.shape[-1] in (3, 4) else pixels[..., 0])
    if shown.dtype != np.uint8:
        low, high = float(shown.min()), float(shown.max())
        shown = ((shown - low) / ((high - low) or 1.0) * 255).astype(np.uint8)
    picture = Image.fromarray(shown)
    picture.thumbnail((160, 160))  # larger ones would make the page heavy
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
