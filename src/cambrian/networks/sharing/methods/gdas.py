"""One sampled candidate for each site: Dong & Yang, "Searching for a Robust Neural Architecture in Four
GPU Hours" (GDAS, CVPR 2019, arXiv 1910.04465), Sec. 3.2: the Gumbel maximum forwards, its softmax back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from torch import Tensor

from cambrian.networks.sharing.methods.gate_rules import Logits, Mixtures, Progress, Rules, draw_gumbel
from cambrian.networks.sharing.methods.gate_step import GateSettings, GateStep
from cambrian.networks.sharing.mixing import Straight
from cambrian.networks.sharing.supernet import Supernet
from cambrian.settings import POSITIVE, check_settings, check_truths

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe
    from cambrian.networks.training.step import Step


@dataclass(frozen=True)
class GDAS(GateSettings):
    """The temperature falls linearly from `first_temperature` to `last_temperature`. With `released`, gates
    of candidates that did not run get the gradient of the released code, in which such a gate is added to the
    output as a number; without it they get one by the softmax alone."""

    first_temperature: Annotated[float, POSITIVE] = 10.0
    last_temperature: Annotated[float, POSITIVE] = 0.1
    released: bool = True

    def __post_init__(self) -> None:
        check_settings(self, "supernet method 'gdas'")
        check_truths(released=self.released)

    def temperature(self, progress: Progress) -> float:
        return self.first_temperature + (self.last_temperature - self.first_temperature) * progress.share

    def relax(self, logits: Logits, progress: Progress) -> Mixtures:
        """One draw for each site and batch, the same in all cells."""
        tau = self.temperature(progress)
        return {site: sample_straight(logit, tau, self.released) for site, logit in logits.items()}

    def step(self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream) -> Step:
        return GateStep(self, Rules(self.relax, soft=False), supernet, recipe, validation)


def sample_straight(logit: Tensor, temperature: float, others: bool) -> Straight:
    """The argmax of the noisy logits, with the gradient of their softmax."""
    soft = ((logit.log_softmax(0) + draw_gumbel(logit)) / temperature).softmax(0)
    chosen = int(soft.argmax())
    hard = torch.zeros_like(soft)
    hard[chosen] = 1.0
    # The difference is zero in value, exactly, so that the output is the candidate's own.
    return Straight(hard + (soft - soft.detach()), chosen, others)
