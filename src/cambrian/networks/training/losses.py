"""Losses as values: the mean over the examples of a batch, computed from their logits.

`LOSSES` are the losses that a recipe can name, which need only the labels; `Distillation` also needs a
teacher, and is for steps that have one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor
from torch.nn import functional as F

from cambrian.networks.training.recipe import Recipe


class Loss(Protocol):
    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """float[n, classes], int64[n] -> float[]."""
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
        hot = F.one_hot(targets, classes).to(logits.dtype)
        smooth = (1 - self.smoothing) * hot + self.smoothing / classes
        return (logits - smooth).square().sum(1).mean()


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


LOSSES: Mapping[str, Callable[[float], Loss]] = {
    "cross-entropy": CrossEntropy,
    "squared-error": SquaredError,
}


def make_loss(recipe: Recipe) -> Loss:
    """The loss that the recipe names, with its smoothing."""
    return LOSSES[recipe.loss](recipe.label_smoothing)
