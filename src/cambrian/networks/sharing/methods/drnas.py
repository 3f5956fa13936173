"""Weights of candidates drawn from Dirichlet distributions: Chen et al., "DrNAS: Dirichlet Neural
Architecture Search" (ICLR 2021, arXiv 2006.10355), Sec. 3.1, without its progressive stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from torch import Tensor
from torch.distributions import Dirichlet, kl_divergence
from torch.nn import functional as F

from cambrian.networks.sharing.methods.gate_rules import Logits, Mixtures, Progress, Rules
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
class DrNAS(GateSettings):
    """A site's concentration is elu(logit) + 1. `anchor` weighs the divergence from the uniform Dirichlet
    (Eq. 5), in place of a decay of the logits."""

    gate_decay: Annotated[float, Span(0)] = 0.0
    anchor: Annotated[float, Span(0)] = 1e-3

    def __post_init__(self) -> None:
        check_settings(self, "supernet method 'drnas'")

    def relax(self, logits: Logits, progress: Progress) -> Mixtures:
        # `rsample` is differentiable with respect to the concentration.
        return {site: Weighted(Dirichlet(concentrate(logit)).rsample()) for site, logit in logits.items()}

    def penalise(self, logits: Logits, progress: Progress) -> Tensor:
        """`anchor` times the sum of the divergences."""
        distances = []
        for logit in logits.values():
            own = Dirichlet(concentrate(logit))
            distances.append(kl_divergence(own, Dirichlet(torch.ones_like(logit))))
        return self.anchor * torch.stack(distances).sum()

    def step(self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream) -> Step:
        rules = Rules(self.relax, find_mean, self.penalise)
        return GateStep(self, rules, supernet, recipe, validation)


def concentrate(logit: Tensor) -> Tensor:
    return F.elu(logit) + 1


def find_mean(logit: Tensor) -> Tensor:
    """The mean of the distribution, by which options are compared."""
    concentration = concentrate(logit)
    return concentration / concentration.sum()
