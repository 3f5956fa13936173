"""Learning rate schedules as values: the factor by which the peak rate is multiplied at each step.

A schedule with a fixed horizon is a *prefix*: the rate at a step does not depend on the length of the
training, so that a longer training begins with the shorter one, bit for bit, and a short one can be
continued. Without a horizon a schedule extends over the length of the training, and a longer training differs
from its first step.

This file does not import torch, so that a search can be planned without it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol


class Shape(Protocol):
    """The decrease of the rate from its peak. `periodic`: it needs a horizon, its period; `steady`: it does
    not need a length. The fields of a shape are the recipe's settings of the same names."""

    periodic: ClassVar[bool]
    steady: ClassVar[bool]

    def factor(self, step: int, span: int) -> float:
        """The factor `step` steps after the peak, where the decrease takes `span` steps."""
        ...


@dataclass(frozen=True)
class Constant:
    """The peak rate at every step."""

    periodic: ClassVar[bool] = False
    steady: ClassVar[bool] = True

    def factor(self, step: int, span: int) -> float:
        return 1.0


@dataclass(frozen=True)
class Cosine:
    """Decreases to 0 along half a cosine (Loshchilov & Hutter 2017, Eq. 5, no restarts), then stays 0."""

    periodic: ClassVar[bool] = False
    steady: ClassVar[bool] = False

    def factor(self, step: int, span: int) -> float:
        return _half_cosine(min(step, span), span)


@dataclass(frozen=True)
class Linear:
    """Decreases linearly to 0, then stays 0. With a long warm-up this is the one cycle of Smith & Topin
    (2018, arXiv 1708.07120)."""

    periodic: ClassVar[bool] = False
    steady: ClassVar[bool] = False

    def factor(self, step: int, span: int) -> float:
        return 1.0 - min(step, span) / span


@dataclass(frozen=True)
class Trapezoid:
    """Stays at the peak, then decreases linearly to 0 over the last `cooldown` share of the span, the
    "warmup-stable-decay" of Hu et al. (2024, arXiv 2404.06395), compared with the cosine by Hägele et al.
    (2024, arXiv 2405.18392)."""

    cooldown: float = 0.4
    periodic: ClassVar[bool] = False
    steady: ClassVar[bool] = False

    def factor(self, step: int, span: int) -> float:
        # The steps at the peak need not be whole: only the slope depends on them.
        falling = self.cooldown * span
        return min(1.0, max(0.0, (span - step) / falling))


@dataclass(frozen=True)
class StepDecay:
    """Multiplies the rate by `decay_factor` after every span (He et al. 2016, Sec. 3.4: by 0.1)."""

    decay_factor: float = 0.1
    periodic: ClassVar[bool] = True
    steady: ClassVar[bool] = False

    def factor(self, step: int, span: int) -> float:
        return float(self.decay_factor ** (step // span))


@dataclass(frozen=True)
class CosineRestarts:
    """SGDR (Loshchilov & Hutter 2017, Eq. 5): half a cosine over a span (T_0 in the paper), then again from
    the peak, over spans that are each `restart_multiple` (T_mult) times as long as the previous one."""

    restart_multiple: float = 2.0
    periodic: ClassVar[bool] = True
    steady: ClassVar[bool] = False

    def factor(self, step: int, span: int) -> float:
        since, period = float(step), float(span)
        if self.restart_multiple == 1:  # periods that do not grow may be many to walk through
            since %= period
        while since >= period:
            since, period = since - period, period * self.restart_multiple
        return _half_cosine(since, period)


SHAPES: Mapping[str, type[Shape]] = {
    "cosine": Cosine,
    "constant": Constant,
    "linear": Linear,
    "trapezoid": Trapezoid,
    "step": StepDecay,
    "restarts": CosineRestarts,
}


@dataclass(frozen=True)
class Schedule:
    """Increases linearly to the peak over `warmup`, a share of the horizon (Goyal et al. 2017, Sec. 2.2),
    then decreases by `shape`, so that the first decrease ends with the horizon. `horizon` is in epochs; 0
    stands for the length of the training."""

    shape: Shape
    horizon: float = 0.0
    warmup: float = 0.0

    @property
    def prefix(self) -> bool:
        """Whether no rate depends on the length of the training."""
        return self.horizon > 0 or (self.shape.steady and self.warmup == 0)

    def span(self, total_steps: int, steps_per_epoch: int) -> int:
        """The horizon in steps."""
        return max(1, round(self.horizon * steps_per_epoch)) if self.horizon else total_steps

    def rate(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """The factor at step `step` (from 0) of `total_steps`."""
        span = self.span(total_steps, steps_per_epoch)
        warm = round(self.warmup * span)
        if step < warm:
            return (step + 1) / warm
        if step < span:  # the warm-up shortens the first decrease, so that later ones begin on time
            return self.shape.factor(step - warm, span - warm)
        return self.shape.factor(step, span)


def _half_cosine(step: float, span: float) -> float:
    """From 1 at step 0 to 0 at `span`."""
    return 0.5 * (1 + math.cos(math.pi * step / span))
