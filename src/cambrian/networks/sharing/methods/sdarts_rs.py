"""DARTS whose weights learn under perturbed gates: Chen & Hsieh, "Stabilizing Differentiable Architecture
Search via Perturbation-based Regularization" (ICML 2020, arXiv 2002.05283), SDARTS-RS, Sec. 4.1: a loss that
stays low in a neighbourhood of the gates is also low where they become one-hot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from torch import Tensor

from cambrian.networks.sharing.methods.gate_rules import Logits, Mixtures, Progress, Rules, mix_softmax
from cambrian.networks.sharing.methods.gate_step import GateSettings, GateStep
from cambrian.networks.sharing.mixing import Weighted
from cambrian.networks.sharing.supernet import Supernet
from cambrian.settings import Span, check_settings

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe
    from cambrian.networks.training.step import Step


@dataclass(frozen=True)
class SDARTSRS(GateSettings):
    """Every mixing weight, which is a softmax of logits, is moved by a uniform draw from -radius to radius
    while weights learn, which grows linearly from `first_radius` to `last_radius`."""

    first_radius: Annotated[float, Span(0)] = 0.03
    last_radius: Annotated[float, Span(0)] = 0.3

    def __post_init__(self) -> None:
        check_settings(self, "supernet method 'sdarts-rs'")

    def relax(self, logits: Logits, progress: Progress) -> Mixtures:
        if progress.learning:
            return mix_softmax(logits, progress)
        radius = self.first_radius + (self.last_radius - self.first_radius) * progress.share
        return {site: Weighted(perturb(logit.softmax(0), radius)) for site, logit in logits.items()}

    def step(self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream) -> Step:
        return GateStep(self, Rules(self.relax), supernet, recipe, validation)


def perturb(weights: Tensor, radius: float) -> Tensor:
    """The weights, each moved by a draw from U(-radius, radius), within [0, 1] and with a sum of 1 again (the
    released code). Where all of them fall to 0, the largest one before that is 1."""
    moved = weights + radius * (2 * torch.rand_like(weights) - 1)
    kept = moved.clamp(0, 1)
    if not kept.any():
        kept[moved.argmax()] = 1.0
    return kept / kept.sum()
