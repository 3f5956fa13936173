"""DARTS with Beta-decay: Ye et al., "beta-DARTS: Beta-Decay Regularization for Differentiable
Architecture Search" (CVPR 2022, arXiv 2203.01665), Sec. 3.2: the logits' log-sum-exp is a part of the loss,
so that no option's logit grows far above the others'."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from torch import Tensor

from cambrian.networks.sharing.methods.gate_rules import Logits, Progress, Rules
from cambrian.networks.sharing.methods.gate_step import GateSettings, GateStep
from cambrian.networks.sharing.supernet import Supernet
from cambrian.settings import Span, check_settings

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe
    from cambrian.networks.training.step import Step


@dataclass(frozen=True)
class BetaDARTS(GateSettings):
    """The penalty is `beta` times the mean over the sites, growing linearly from 0 to it."""

    gate_decay: Annotated[float, Span(0)] = 0.0
    beta: Annotated[float, Span(0)] = 50.0

    def __post_init__(self) -> None:
        check_settings(self, "supernet method 'beta-darts'")

    def penalise(self, logits: Logits, progress: Progress) -> Tensor:
        sums = torch.stack([logit.logsumexp(0) for logit in logits.values()])
        return self.beta * progress.share * sums.mean()

    def step(self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream) -> Step:
        return GateStep(self, Rules(penalty=self.penalise), supernet, recipe, validation)
