"""ZiCo: the inverse coefficient of variation of gradients (Li et al. 2023, arXiv 2301.11300)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from cambrian.errors import UsageError
from cambrian.networks.measure.zero_cost.proxy import Batch, Proxy, compute_loss, differentiate, weights_of
from cambrian.settings import Span


def zico(gradients: Sequence[Tensor]) -> float:
    """The sum over layers of ln(sum over weights of mean |g| / sd(g)). `gradients` float[batches, weights],
    one for each layer; weights whose gradient does not vary are left out, and layers without others."""
    total = 0.0
    for g in gradients:
        deviation = g.double().std(0, correction=0)
        varies = deviation > 0
        ratio = (g.double().abs().mean(0)[varies] / deviation[varies]).sum()
        total += float(ratio.log()) if ratio > 0 else 0.0
    return total


@dataclass(frozen=True)
class Zico(Proxy):
    """How large and how steady gradients are, over `batches` parts of the images."""

    images: Annotated[int, Span(2)] = 64
    batches: Annotated[int, Span(2)] = 2
    phrase: ClassVar[str] = "log of the mean over the deviation of gradients"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batches > self.images:  # a part without images has no loss
            raise UsageError(
                f"a proxy: batches are parts of the images, at most {self.images}, got {self.batches}"
            )

    def score(self, network: nn.Module, batch: Batch) -> float:
        weights = weights_of(network)
        rows = [
            [g.flatten() for g in differentiate(compute_loss(network, part), weights)]
            for part in _split(batch, self.batches)
        ]
        return zico([torch.stack(layer) for layer in zip(*rows, strict=True)])


def _split(batch: Batch, parts: int) -> list[Batch]:
    images = batch.images.tensor_split(parts)
    targets: Sequence[Tensor | None] = [None] * parts
    if batch.targets is not None:
        targets = batch.targets.tensor_split(parts)
    return [replace(batch, images=i, targets=t) for i, t in zip(images, targets, strict=True)]
