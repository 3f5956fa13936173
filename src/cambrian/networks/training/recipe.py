"""How a network is trained, as settings: no tensors here, so that a plan can be made without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from cambrian.errors import UsageError, did_you_mean
from cambrian.settings import POSITIVE, SHARE, Span, check_settings

OPTIMISERS = ("sgd", "adamw")
SCHEDULES = ("cosine", "constant")
SCORES = ("last", "best")


@dataclass(frozen=True)
class Recipe:
    """Settings of a training; `learning_rate` is the peak, reached after `warmup` (a fraction of all
    steps) and followed by the schedule (Loshchilov & Hutter 2017 for "cosine", down to 0).

    `weight_decay` spares biases and normalisation (He et al. 2019, Sec. 3.1). `auxiliary` weighs the
    loss of the auxiliary head, where the network has one. `drop_path` is reached linearly over the
    training (Zoph et al. 2018, Sec. 4). `gradient_clip` bounds the gradient's norm (0: no bound).
    `crop` (pixels of shift), `flip` and `cutout` (side of the hole in pixels, 0: none) augment the
    images; None leaves the choice to `augment.automatic`, by the images' size and channels.

    `score` says which epoch a search reports and keeps the weights of: "last", which is unbiased, or
    "best" on validation; the best is recorded either way. `checkpoint_seconds` is the least time
    between two checkpoints; 0 writes one at the end of each epoch."""

    learning_rate: Annotated[float, POSITIVE] = 0.2
    optimiser: str = "sgd"
    momentum: Annotated[float, SHARE] = 0.9
    weight_decay: Annotated[float, Span(0)] = 5e-4
    batch_size: Annotated[int, Span(2)] = 64
    schedule: str = "cosine"
    warmup: Annotated[float, SHARE] = 0.1
    label_smoothing: Annotated[float, SHARE] = 0.0
    drop_path: Annotated[float, SHARE] = 0.0
    auxiliary: Annotated[float, Span(0)] = 0.4
    gradient_clip: Annotated[float, Span(0)] = 5.0
    crop: Annotated[int | None, Span(0)] = None
    flip: bool | None = None
    cutout: Annotated[int, Span(0)] = 0
    score: str = "last"
    checkpoint_seconds: Annotated[float, Span(0)] = 60.0

    def __post_init__(self) -> None:
        _check_name("optimiser", self.optimiser, OPTIMISERS)
        _check_name("schedule", self.schedule, SCHEDULES)
        _check_name("score", self.score, SCORES)
        check_settings(self, "training")

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of step `step` (from 0) of `steps`."""
        warm = round(self.warmup * steps)
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        if self.schedule == "constant":
            return self.learning_rate
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))

    def batches(self, examples: int) -> int:
        """Steps in an epoch. Every example is seen, in batches of nearly equal size: a last batch of
        one would have no variance for batch normalisation to divide by."""
        return max(1, min(round(examples / self.batch_size), examples // 2))


def _check_name(setting: str, name: str, valid: tuple[str, ...]) -> None:
    if name not in valid:
        raise UsageError(f"training: unknown {setting} {name!r}{did_you_mean(name, valid)}")
