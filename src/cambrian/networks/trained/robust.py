"""Accuracy on images that are made harder: corrupted, or attacked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np

from cambrian.errors import UnknownName, UsageError
from cambrian.networks.robustness.attack import PGD
from cambrian.networks.robustness.corruptions import CORRUPTIONS, SEVERITIES
from cambrian.networks.robustness.scoring import score_attack, score_corruptions, take_some
from cambrian.networks.trained.parts import Parts
from cambrian.settings import COUNT, check_settings

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class CorruptedAccuracy:
    """The mean accuracy under the corruptions of Hendrycks & Dietterich (ICLR 2019, arXiv 1903.12261): the
    given kinds (none: all 15) in the given severities, on at most `images` images. Of the five severities
    the middle one is the default, since a search has one number to rank by."""

    kinds: tuple[str, ...] = ()
    severities: tuple[int, ...] = (3,)
    images: Annotated[int, COUNT] = 500

    def __post_init__(self) -> None:
        check_settings(self, "corrupted-accuracy")
        for kind in self.kinds:
            if kind not in CORRUPTIONS:
                raise UnknownName("corruption", kind, CORRUPTIONS)
        if not self.severities or not set(self.severities) <= set(SEVERITIES):
            raise UsageError(f"corrupted-accuracy: severities are 1 to 5, got {list(self.severities)}")

    def __call__(self, network: nn.Module, parts: Parts) -> float:
        kinds, images = self.kinds or tuple(CORRUPTIONS), take_some(parts.scored, self.images)
        by_kind = score_corruptions(network, images, kinds, self.severities, parts.seed, parts.batch)
        return float(np.mean(list(by_kind.values())))


@dataclass(frozen=True)
class PGDAccuracy(PGD):
    """The accuracy under projected gradient descent (Madry et al., ICLR 2018, arXiv 1706.06083): every number
    of an image in [0, 1] changes by `eps` at most, in `steps` steps of `step`, from `restarts` random places;
    on at most `images` images."""

    images: Annotated[int, COUNT] = 500

    def __call__(self, network: nn.Module, parts: Parts) -> float:
        images = take_some(parts.scored, self.images)
        return score_attack(network, images, self, parts.seed, parts.batch)
