"""A stage of Chen et al., "Progressive Differentiable Architecture Search: Bridging the Depth Gap between
Search and Evaluation" (P-DARTS, ICCV 2019, arXiv 1904.12760), Sec. 3: DARTS with the options that earlier
stages left, and with dropout behind skip connections, which are otherwise learned first because they need no
learning."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from cambrian.errors import UsageError
from cambrian.networks.sharing.methods.gate_rules import Logits, Mixtures, Progress, Rules, mix_softmax
from cambrian.networks.sharing.methods.gate_step import GateSettings, GateStep
from cambrian.networks.sharing.mixing import Candidates, Mixture
from cambrian.networks.sharing.supernet import MixedSite, Supernet
from cambrian.settings import SHARE, check_settings

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe
    from cambrian.networks.training.step import Step

DECAY = 0.2
"""Of the dropout, for each epoch in which gates learn (the released code)."""


@dataclass(frozen=True)
class PDARTS(GateSettings):
    """The outputs of skip connections are dropped out, at first with a probability of `dropout`. `kept` are
    the indices of the options that are left, by site (none: all of them)."""

    dropout: Annotated[float, SHARE] = 0.0
    kept: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_settings(self, "supernet method 'p-darts'")

    def find_dropout(self, epoch: int) -> float:
        """The probability in that epoch: it falls linearly while gates rest, then exponentially.

        >>> stage = PDARTS(epochs=25, frozen=10, dropout=0.4)
        >>> [round(stage.find_dropout(epoch), 3) for epoch in (0, 5, 10, 15)]
        [0.384, 0.304, 0.4, 0.147]
        """
        if epoch < self.frozen:
            return self.dropout * (self.epochs - epoch - 1) / self.epochs
        return self.dropout * math.exp(-DECAY * (epoch - self.frozen))

    def step(self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream) -> Step:
        sites = supernet.sites

        def relax(logits: Logits, progress: Progress) -> Mixtures:
            rate = self.find_dropout(progress.epoch)
            mixed = mix_softmax(logits, progress)
            return {name: drop_skips(mixture, sites[name], rate) for name, mixture in mixed.items()}

        step = GateStep(self, Rules(relax), supernet, recipe, validation)
        step.kept |= read_kept(self.kept, sites, next(supernet.parameters()).device)
        return step


@dataclass(frozen=True)
class DroppedSkips:
    """`inner`, in which the outputs of the candidates in `skips` are dropped out at `rate`."""

    inner: Mixture
    skips: tuple[int, ...]
    rate: float

    def __call__(self, candidates: Candidates) -> Tensor:
        modules: list[Any] = list(candidates.modules)
        for i in self.skips:
            modules[i] = _Dropped(modules[i], self.rate)
        return self.inner(replace(candidates, modules=modules))


@dataclass(frozen=True)
class _Dropped:
    module: Any
    rate: float
    connects: bool = True

    def __call__(self, *inputs: Any) -> Tensor:
        return F.dropout(self.module(*inputs), self.rate, training=self.module.training)


def drop_skips(mixture: Mixture, site: MixedSite, rate: float) -> Mixture:
    return DroppedSkips(mixture, site.skips, rate) if site.skips and rate > 0 else mixture


def read_kept(
    kept: Mapping[str, list[int]], sites: Mapping[str, MixedSite], device: torch.device
) -> dict[str, Tensor]:
    """The options that are left as bool[options], of the sites that this supernet has."""
    masks = {}
    for name, left in kept.items():
        if name in sites:
            count = sites[name].options
            if not left or not all(0 <= i < count for i in left):
                raise UsageError(
                    f"supernet method 'p-darts': kept[{name!r}] are indices of its {count} options,"
                    f" got {left!r}"
                )
            masks[name] = torch.zeros(count, dtype=torch.bool, device=device)
            masks[name][left] = True
    return masks
