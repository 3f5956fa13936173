"""Projected gradient descent against a network (Madry et al., "Towards Deep Learning Models Resistant to
Adversarial Attacks", ICLR 2018, arXiv 1706.06083, Sec. 2.1): the worst images near the given ones, within a
largest change of each number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional as F

from cambrian.settings import COUNT, POSITIVE, check_settings


@dataclass(frozen=True)
class PGD:
    """Images in [0, 1], of which each number changes by `eps` at most: from a random place within, `steps`
    steps of `step` along the sign of the gradient of the loss, each projected back. Of the given images and
    those of all `restarts` those count that are taken for another class, and of these the highest loss."""

    eps: Annotated[float, POSITIVE] = 8 / 255
    steps: Annotated[int, COUNT] = 20
    step: Annotated[float, POSITIVE] = 2 / 255
    restarts: Annotated[int, COUNT] = 1

    def __post_init__(self) -> None:
        check_settings(self, "pgd")

    def attack(
        self,
        classify: Callable[[Tensor], Tensor],
        images: Tensor,
        targets: Tensor,
        generator: torch.Generator,
    ) -> Tensor:
        """The worst images found; `classify` gives the logits of float32 images [n, c, h, w] in [0, 1]."""
        worst, (wrong, highest) = images, self._judge(classify, images, targets)
        for _ in range(self.restarts):
            moved = self._climb(classify, images, targets, generator)
            mistaken, losses = self._judge(classify, moved, targets)
            # The loss of a right answer among many likely classes can be above that of a wrong one.
            better = torch.where(mistaken == wrong, losses > highest, mistaken)
            worst = torch.where(better[:, None, None, None], moved, worst)
            wrong, highest = wrong | mistaken, torch.where(better, losses, highest)
        return worst

    def _climb(
        self,
        classify: Callable[[Tensor], Tensor],
        images: Tensor,
        targets: Tensor,
        generator: torch.Generator,
    ) -> Tensor:
        # From the CPU's generator, so that every device begins at the same places.
        noise = torch.rand(images.shape, generator=generator).to(images)
        moved = (images + self.eps * (2 * noise - 1)).clamp(0, 1)
        for _ in range(self.steps):
            moved = moved.detach().requires_grad_()
            loss = F.cross_entropy(classify(moved), targets, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, moved)
            moved = moved.detach() + self.step * gradient.sign()
            moved = images + (moved - images).clamp(-self.eps, self.eps)
            moved = moved.clamp(0, 1)
        return moved.detach()

    @torch.no_grad()
    def _judge(
        self, classify: Callable[[Tensor], Tensor], images: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Which images are taken for another class, bool[n], and their losses [n]."""
        logits = classify(images)
        return logits.argmax(1) != targets, F.cross_entropy(logits, targets, reduction="none")
