"""Losses as values: the mean over the examples of a batch, computed from their logits.

`LOSSES` are the losses that a recipe can name, which need only the labels; `Distillation` also needs a
teacher, and is for steps that have one. Where the targets are not classes (see `cambrian.goal`), the usual
cross-entropy stands for the loss of their kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from cambrian.goal import CLASSES, IGNORED, Goal
from cambrian.networks.training.recipe import Recipe


class Loss(Protocol):
    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """float[n, classes], int64[n] -> float[]; of characters float[n, classes, length] and int64[n,
        length]."""
        ...


@dataclass(frozen=True)
class CrossEntropy:
    """The cross-entropy, with a share `smoothing` of each target spread evenly over all classes (Szegedy et
    al. 2016, Sec. 7)."""

    smoothing: float = 0.0

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(logits, targets, label_smoothing=self.smoothing)


@dataclass(frozen=True)
class SquaredError:
    """The squared distance between the logits and the one-hot target (Hui & Belkin 2021, arXiv 2006.07322,
    Sec. 2), with the same smoothing as the cross-entropy."""

    smoothing: float = 0.0

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        classes = logits.shape[1]
        known = targets != IGNORED
        hot = F.one_hot(targets.clamp(min=0), classes).movedim(-1, 1).to(logits.dtype)
        smooth = (1 - self.smoothing) * hot + self.smoothing / classes
        return (logits - smooth).square().sum(1)[known].sum() / known.sum().clamp(min=1)


@dataclass(frozen=True)
class Distillation:
    """The cross-entropy between student and teacher, both softened by `temperature` (Hinton et al. 2015,
    arXiv 1503.02531, Sec. 2). No gradient flows to the teacher."""

    temperature: float = 1.0

    def __call__(self, student: Tensor, teacher: Tensor) -> Tensor:
        """float[n, classes] twice -> float[]."""
        target = (teacher.detach() / self.temperature).softmax(1)
        loss = F.cross_entropy(student / self.temperature, target)
        # Gradients shrink with the square of the temperature (Sec. 2.1), which must not decide how much
        # this loss weighs beside one of labels.
        return loss * self.temperature**2


@dataclass(frozen=True)
class Huber:
    """Half the squared error up to an error of one standard deviation, and beyond it the absolute error less
    one half (Huber 1964, "Robust Estimation of a Location Parameter"), so that outliers do not rule."""

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """float[n, 1], float[n] -> float[]."""
        return F.huber_loss(logits[:, 0], targets)


@dataclass(frozen=True)
class MeanSquare:
    """The mean squared error of numbers."""

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """float[n, 1], float[n] -> float[]."""
        return F.mse_loss(logits[:, 0], targets)


@dataclass(frozen=True)
class BinaryCrossEntropy:
    """The cross-entropy of each label alone, averaged, with a share `smoothing` of each target spread evenly
    over yes and no."""

    smoothing: float = 0.0

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """float[n, labels], int64[n, labels] -> float[]."""
        smooth = (1 - self.smoothing) * targets.to(logits.dtype) + self.smoothing / 2
        return F.binary_cross_entropy_with_logits(logits, smooth)


@dataclass(frozen=True)
class PixelCrossEntropy:
    """The mean cross-entropy of all pixels that are not ignored, with a share `smoothing` of each target
    spread evenly over the classes."""

    smoothing: float = 0.0

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """float[n, classes, height, width], int64[n, height, width] -> float[]."""
        total = F.cross_entropy(
            logits, targets, ignore_index=IGNORED, label_smoothing=self.smoothing, reduction="sum"
        )
        # All pixels of a batch may be ignored, once the images are scaled down.
        return total / (targets != IGNORED).sum().clamp(min=1)


@dataclass(frozen=True)
class SumOfHeads:
    """The sum of a loss over several classifications, whose logits lie side by side."""

    loss: Loss
    goal: Goal

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """float[n, classes of all heads], int64[n, heads] -> float[]."""
        parts = enumerate(self.goal.parts)
        losses = [self.loss(logits[:, part], targets[:, head]) for head, (_, part) in parts]
        return torch.stack(losses).sum()


LOSSES: Mapping[str, Callable[[float], Loss]] = {
    "cross-entropy": CrossEntropy,
    "squared-error": SquaredError,
}


def make_loss(recipe: Recipe, goal: Goal = CLASSES) -> Loss:
    """The loss that the recipe names, with its smoothing, for targets of that goal: of numbers Huber's or the
    squared error, of labels the binary cross-entropy, of several heads the sum, of pixels and of
    characters the mean over all of them."""
    if goal.kind == "numbers":
        return MeanSquare() if recipe.loss == "squared-error" else Huber()
    if goal.kind == "labels":
        return BinaryCrossEntropy(recipe.label_smoothing)
    if goal.kind == "pixels":
        return PixelCrossEntropy(recipe.label_smoothing)
    loss = LOSSES[recipe.loss](recipe.label_smoothing)
    return SumOfHeads(loss, goal) if goal.kind == "heads" else loss
