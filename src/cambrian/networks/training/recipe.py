"""The settings of a training. This file does not import torch, so that a search can be planned without it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

from cambrian.errors import UsageError, did_you_mean
from cambrian.networks.training.schedules import SHAPES, Schedule
from cambrian.settings import POSITIVE, SHARE, Span, check_settings

USUAL_RATES = {"sgd": 0.2, "adamw": 3e-3, "muon": 0.3}
"""The optimisers, and the learning rate of each where nobody names one."""
OPTIMISERS = tuple(USUAL_RATES)
# Names only, the losses themselves need torch (`losses.LOSSES`).
LOSSES = ("cross-entropy", "squared-error")
SCORES = ("last", "best")
PRECISIONS = ("auto", "float32", "bfloat16")
LATER: dict[str, bool] = {"later": True}
"""Marks a setting added after runs were stored: at its default it is left out of specs and identities."""


@dataclass(frozen=True)
class Recipe:
    """Settings of a training. `learning_rate` is the peak (left open: the usual one of the optimiser, see
    `USUAL_RATES`), reached after `warmup` (a fraction of all steps) and followed by the schedule (see
    `schedules`; "cosine", Loshchilov & Hutter 2017, falls to 0). Warm-up, schedule, drop path and the
    growth of images extend over the length of the training or, where `decay_epochs` is above 0, over that
    many epochs: a training can then be continued (`prefix`). For "step", `decay_epochs` is the number of
    epochs between two multiplications by `decay_factor`; for "restarts" it is the first period, and each
    later period is `restart_multiple` times as long. "trapezoid" stays at the peak and falls linearly to 0
    over the last `cooldown` share of the steps after the warm-up.

    `optimiser` is SGD with Nesterov's momentum, AdamW, or "muon" (see `muon`), which moves filters along
    orthogonal directions at a share of the rate and keeps their norms, and all else by SGD.

    `loss` is a name (see `losses`); of numbers, cross-entropy stands for Huber's loss, and squared-error is
    the mean squared error. `weight_decay` spares biases, normalisation (He et al. 2019, Sec. 3.1) and the
    filters of muon. `auxiliary` weights the loss of the auxiliary head, where the network has one.
    `drop_path` is reached linearly over the training (Zoph et al. 2018, Sec. 4). `gradient_clip` bounds the
    gradient's norm (0: no bound). `crop` (pixels of shift), `flip` and `cutout` (side of the hole in
    pixels, 0: none) augment the images; for None `augment.automatic` chooses by the images' size and
    channels.

    `augment_strength` is that of all of them: 0 is none, 1 the settings as they are, 2 shifts twice as
    far and a hole that is three eighths of the side larger; flips are on or off.

    `epoch_steps` is the number of steps in an epoch, after which a training is scored; 0: as many as a pass
    over the data has. Passes go on across epochs, so that a large data set can be scored within a pass, and a
    small one after several.

    `first_resolution` is the share of the images' side that the first steps see (1: all of it); from there
    the side grows in two leaps (see `growth`) to the full one, at which the training spends the time from
    the share `full_from` on. Scores are always of full images.

    `average` is the decay per step of an exponential moving average of weights and statistics (0: none). The
    average is scored and saved, and a network that inherits begins with it; the training itself goes on from
    the weights of its last step.

    `length` is the share of its fidelity's epochs that a training has: as a question, it lets a search choose
    how long its networks are trained, where more is not always better.

    `precision` is that of convolutions and products of matrices in training (see `precision`): "float32",
    "bfloat16", or "auto", which is bfloat16 on a GPU (but for those older than Ampere) and float32 on a CPU.

    `score` names the epoch whose score a search reports and whose weights it keeps: "last", which is
    unbiased, or "best" on validation, as the gates of a supernet are; the best is recorded in both cases.
    `checkpoint_seconds` is the minimum
    time between two checkpoints; 0 writes one at the end of each epoch, and a training that has a short time
    writes them more often."""

    learning_rate: Annotated[float, POSITIVE] = None  # type: ignore[assignment]  # filled in below
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
    loss: str = field(default="cross-entropy", metadata=LATER)
    decay_epochs: Annotated[float, Span(0)] = field(default=0.0, metadata=LATER)
    decay_factor: Annotated[float, Span(0, 1, above=True)] = field(default=0.1, metadata=LATER)
    restart_multiple: Annotated[float, Span(1)] = field(default=2.0, metadata=LATER)
    cooldown: Annotated[float, Span(0, 1, above=True)] = field(default=0.4, metadata=LATER)
    epoch_steps: Annotated[int, Span(0)] = field(default=0, metadata=LATER)
    first_resolution: Annotated[float, Span(0, 1, above=True)] = field(default=1.0, metadata=LATER)
    full_from: Annotated[float, Span(0, 1)] = field(default=0.75, metadata=LATER)
    average: Annotated[float, SHARE] = field(default=0.0, metadata=LATER)
    length: Annotated[float, Span(0, 1, above=True)] = field(default=1.0, metadata=LATER)
    augment_strength: Annotated[float, Span(0, 4)] = field(default=1.0, metadata=LATER)
    precision: str = field(default="auto", metadata=LATER)

    def __post_init__(self) -> None:
        _check_name("optimiser", self.optimiser, OPTIMISERS)
        if self.learning_rate is None:
            object.__setattr__(self, "learning_rate", USUAL_RATES[self.optimiser])
        _check_name("schedule", self.schedule, SHAPES)
        _check_name("loss", self.loss, LOSSES)
        _check_name("score", self.score, SCORES)
        _check_name("precision", self.precision, PRECISIONS)
        check_settings(self, "training")
        if SHAPES[self.schedule].periodic and not self.decay_epochs:
            raise UsageError(
                f"training: schedule {self.schedule!r} needs decay_epochs, the epochs of its (first) period"
            )

    @cached_property
    def rates(self) -> Schedule:
        """The schedule, which gives factors of `learning_rate`."""
        # A shape takes the settings of its own field names; the others are for other schedules.
        shape: type[Any] = SHAPES[self.schedule]
        settings = {f.name: getattr(self, f.name) for f in dataclasses.fields(shape)}
        return Schedule(shape(**settings), self.decay_epochs, self.warmup)

    @property
    def prefix(self) -> bool:
        """Whether a longer training begins with the shorter one: no setting depends on the training's
        length."""
        grows = self.drop_path > 0 or self.first_resolution < 1
        return self.rates.prefix and (not grows or self.decay_epochs > 0)

    def rate(self, step: int, steps: int, steps_per_epoch: int) -> float:
        """The learning rate of step `step` (from 0) of `steps`."""
        return self.learning_rate * self.rates.rate(step, steps, steps_per_epoch)

    @property
    def facts(self) -> dict[str, Any]:
        """The settings that determine the trained weights, as JSON. Settings that were added later are left
        out at their defaults, so that older checkpoints still belong to the same training."""
        return {
            f.name: getattr(self, f.name)
            for f in dataclasses.fields(self)
            if f.name != "checkpoint_seconds"
            and not (f.metadata.get("later") and getattr(self, f.name) == f.default)
        }

    def count_epochs(self, most: int) -> int:
        """The epochs of a training whose fidelity has `most`."""
        return max(1, round(self.length * most))

    def batches(self, examples: int) -> int:
        """The number of steps in a pass over the data, whose batches hold all examples and are of nearly
        equal size."""
        # At least two examples each: a last batch of one would have no variance for batch normalisation.
        return max(1, min(round(examples / self.batch_size), examples // 2))

    def epoch_length(self, examples: int) -> int:
        """The number of steps in an epoch."""
        return self.epoch_steps or self.batches(examples)


def _check_name(setting: str, name: str, valid: Iterable[str]) -> None:
    if name not in valid:
        raise UsageError(f"training: unknown {setting} {name!r}{did_you_mean(name, valid)}")
