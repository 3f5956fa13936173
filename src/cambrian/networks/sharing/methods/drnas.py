"""Weights of candidates drawn from Dirichlet distributions: Chen et al., "DrNAS: Dirichlet Neural
Architecture Search" (ICLR 2021, arXiv 2006.10355), Sec. 3.1; and its progressive stages (Sec. 3.3), after
each of which only the best operations of a site are left, and see more of the channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from torch import Tensor
from torch.distributions import Dirichlet, kl_divergence
from torch.nn import functional as F

from cambrian.errors import UsageError
from cambrian.networks.sharing.methods.gate_rules import (
    Logits,
    Mixtures,
    Progress,
    Rules,
    find_best,
    keep_shares,
    list_kept,
)
from cambrian.networks.sharing.methods.gate_step import GateSettings, GateStep
from cambrian.networks.sharing.mixing import Weighted
from cambrian.networks.sharing.supernet import Supernet
from cambrian.settings import COUNT, Span, check_settings

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe
    from cambrian.networks.training.step import Step


@dataclass(frozen=True)
class DrNAS(GateSettings):
    """A site's concentration is elu(logit) + 1. `anchor` weighs the divergence from the uniform Dirichlet
    (Eq. 5), in place of a decay of the logits. The training has two stages of equal length where `keep` is
    above 0: so many options of a site are in the second one. Gates rest for the first `rest` epochs of each
    stage. Operations see one `channel_share` of the channels (K in the paper), and one `first_share` in the
    first of two stages (0: the same)."""

    gate_decay: Annotated[float, Span(0)] = 0.0
    anchor: Annotated[float, Span(0)] = 1e-3
    keep: Annotated[int, Span(0)] = 0
    rest: Annotated[int, Span(0)] = 0
    channel_share: Annotated[int, COUNT] = 1
    first_share: Annotated[int, Span(0, whole=True)] = 0

    def __post_init__(self) -> None:
        check_settings(self, "supernet method 'drnas'")
        if self.first_share and not (self.keep and self.first_share >= self.channel_share > 1):
            raise UsageError(
                f"supernet method 'drnas': first_share is for two stages (keep above 0) of partial channels,"
                f" at least channel_share, which is then above 1; got first_share={self.first_share},"
                f" channel_share={self.channel_share}, keep={self.keep}"
            )

    def find_share(self, epoch: int) -> int:
        """The operations see 1 / so many of the channels in that epoch.

        >>> [DrNAS(epochs=4, keep=3, channel_share=2, first_share=4).find_share(n) for n in range(4)]
        [4, 4, 2, 2]
        """
        first = self.first_share or self.channel_share
        return first if epoch < self._find_stage() else self.channel_share

    def relax(self, logits: Logits, progress: Progress) -> Mixtures:
        return {site: sample_shares(logit, progress.kept.get(site)) for site, logit in logits.items()}

    def rests(self, epoch: int) -> bool:
        """Whether gates rest in that epoch, at the beginning of a stage."""
        return epoch % self._find_stage() < self.rest

    def drop(self, probabilities: Logits, epoch: int) -> Mapping[str, Tensor]:
        """The options that are left from the beginning of that epoch on, as it begins."""
        if not self.keep or epoch != self._find_stage():
            return {}
        return {site: find_best(p, self.keep) for site, p in probabilities.items()}

    def _find_stage(self) -> int:
        """The epochs of a stage."""
        return -(-self.epochs // 2) if self.keep else self.epochs

    def penalise(self, logits: Logits, progress: Progress) -> Tensor:
        """`anchor` times the sum of the divergences."""
        distances = []
        for logit in logits.values():
            own = Dirichlet(concentrate(logit))
            distances.append(kl_divergence(own, Dirichlet(torch.ones_like(logit))))
        return self.anchor * torch.stack(distances).sum()

    def step(self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream) -> Step:
        rules = Rules(
            self.relax, find_mean, self.penalise, drop=self.drop, rests=self.rests, find_share=self.find_share
        )
        return GateStep(self, rules, supernet, recipe, validation)


def sample_shares(logit: Tensor, kept: Tensor | None) -> Weighted:
    """The mixture of the candidates that are left, by a sample of the distribution."""
    # `rsample` is differentiable with respect to the concentration. What was dropped is drawn as well, and
    # the others are given its share (the released code).
    return Weighted(keep_shares(Dirichlet(concentrate(logit)).rsample(), kept), list_kept(kept))


def concentrate(logit: Tensor) -> Tensor:
    return F.elu(logit) + 1


def find_mean(logit: Tensor) -> Tensor:
    """The mean of the distribution, by which options are compared."""
    concentration = concentrate(logit)
    return concentration / concentration.sum()
