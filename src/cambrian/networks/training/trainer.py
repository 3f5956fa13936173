"""The training of one network: steps, epochs, and a state from which it resumes bit for bit.

All random numbers are a function of (seed, trial, epoch, step), never of earlier draws. On CPU with the same
number of threads a resumed training therefore ends with the same weights; on CUDA some of cuDNN's and torch's
kernels add in a varying order, and the weights agree up to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from cambrian.errors import UsageError
from cambrian.networks.pointwise import memory_format
from cambrian.networks.training.augment import Augment
from cambrian.networks.training.averaging import Average
from cambrian.networks.training.batch_stream import BatchStream
from cambrian.networks.training.batches import Images
from cambrian.networks.training.descent import keep_moments
from cambrian.networks.training.growth import LEAST, Growth
from cambrian.networks.training.losses import make_loss
from cambrian.networks.training.precision import choose_precision
from cambrian.networks.training.recipe import Recipe
from cambrian.networks.training.step import GradientStep, HeadsLoss, Moment, Step
from cambrian.randomness import integer_seed

CHECK_STEPS = 5
"""Steps between two checks of the loss: to read it makes a GPU wait."""


class Training:
    """Trains `network`, which is on the device of `images`, for `epochs` epochs. `seed` and `trial` (any name
    of the training) determine all random numbers. `method` learns from each batch, by default by a step down
    the gradient of the recipe's loss.

    `epoch` and `step` are the epochs done and the steps done within the present epoch. `length` is the total
    number of steps, which `fit` changes."""

    def __init__(
        self,
        network: nn.Module,
        images: Images,
        recipe: Recipe,
        augment: Augment,
        epochs: int,
        seed: int = 0,
        trial: int | str = 0,
        method: Step | None = None,
    ) -> None:
        self.network = network
        self.recipe, self.epochs = recipe, epochs
        self.epoch = self.step = 0
        self._steps_before = 0
        self._steps = recipe.epoch_length(len(images))
        self._name = (seed, "trial", trial)
        passes = recipe.batches(len(images))
        self.batches = BatchStream(images, augment, passes, self._name, memory_format(network))
        self.length = epochs * self._steps
        self._growth = _growth(recipe, images)
        if self._growth is not None:
            self.batches.resize(self._growth.side(0.0))
        self._device = images.pixels.device
        self._total = torch.zeros((), device=self._device)  # the sum of this epoch's losses
        # Made here, since only the images know whether their targets are classes.
        precision = choose_precision(network, recipe.precision, self._device)
        loss = HeadsLoss(make_loss(recipe, images.goal), recipe.auxiliary, precision)
        self._method = method or GradientStep(network, recipe, loss)
        self._average = Average(network, recipe.average) if recipe.average else None

    @property
    def steps_done(self) -> int:
        return self.epoch * self._steps + self.step

    @property
    def epoch_length(self) -> int:
        """The number of steps in an epoch."""
        return self._steps

    @property
    def planned_length(self) -> int:
        """The number of steps in all `epochs`."""
        return self.epochs * self._steps

    @property
    def batch(self) -> float:
        """The mean number of images in a step."""
        return len(self.batches.images) / self.batches.steps

    @property
    def steps_learned(self) -> int:
        """The steps of the network, those before this training too."""
        return self._steps_before + min(self.steps_done, self.length)

    @property
    def finished(self) -> bool:
        return self.steps_done >= self.length

    @property
    def prefix(self) -> bool:
        """Whether no step depends on `epochs`, so that a longer training begins with this one."""
        return self._method.prefix

    @property
    def epochs_trained(self) -> float:
        """The epochs of the finished training, by its steps: fewer than `epochs` if it was shortened."""
        return self.length / self._steps

    @property
    def step_pixels(self) -> float:
        """The pixels of the latest step's images, as a share of those of the given images."""
        return self._growth.share(self.batches.side) if self._growth is not None else 1.0

    def pixels_ahead(self, length: int) -> float:
        """The pixels of all steps to come in a training of `length` steps; 1 is a step on the given
        images."""
        if self._growth is None:
            return float(max(0, length - self.steps_done))
        span = self.recipe.rates.span(length, self._steps)
        return self._growth.pixels_ahead(self.steps_done, length, span, self.batches.side)

    def fit(self, steps: int) -> None:
        """End after `steps` steps in all, or with the planned epochs if these are fewer; a schedule over the
        training's length then ends there too."""
        self.length = max(min(steps, self.planned_length), self.steps_done, 1)

    def run_epoch(self, after_step: Callable[[], None] = lambda: None) -> float:
        """Train to the end of the present epoch, with a call of `after_step` between its steps. Returns the
        mean loss over the epoch, or NaN, within CHECK_STEPS steps, once a loss is not finite."""
        self.network.train()
        with _own_randomness(self._device):
            while self.step < self._steps and not self.finished:
                self._take_step()
                self.step += 1
                if self.step % CHECK_STEPS == 0 and not math.isfinite(self._total.item()):
                    return math.nan
                # Not after the last step: then the caller scores the complete epoch before it saves.
                if self.step < self._steps and not self.finished:
                    after_step()
        mean = self._total.item() / self.step
        self.epoch, self.step = self.epoch + 1, 0
        self._total.zero_()
        return mean if math.isfinite(mean) else math.nan

    def averaged(self) -> AbstractContextManager[None]:
        """The network has the weights to be scored inside: their average, if the recipe wants one."""
        return self._average.loaded() if self._average is not None else nullcontext()

    def load_average(self) -> None:
        """Give the network the weights to be scored for good; the training is then over."""
        if self._average is not None:
            self._average.load()

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The state that the rest of the training depends on: tensors by name, and the position as JSON."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        # The prefix is older than other kinds of steps, and stands in the checkpoints of stored runs.
        tensors |= {f"optimiser.{k}": v for k, v in self._method.state().items()}
        tensors["total"] = self._total
        if self._average is not None:
            tensors |= {f"average.{k}": v for k, v in self._average.state().items()}
        place = {"epoch": self.epoch, "step": self.step, "length": self.length, "epochs": self.epochs}
        if self._growth is not None:
            place["side"] = self.batches.side
        if self._steps_before:
            place["steps_before"] = self._steps_before
        return tensors, place

    def begin_with(self, moments: dict[str, Tensor]) -> None:
        """Begin with these moments of the optimiser (see `Step.state`), which an earlier training left; with
        none where that had an optimiser of another kind."""
        moments = keep_moments(moments, self.recipe.optimiser)
        if moments:
            self._method.restore(moments)

    def begin_after(self, steps: int) -> None:
        """The network has learned for so many steps before this training: an average over steps goes on from
        there, so that after many of them a few more hardly move it."""
        self._steps_before = steps

    def restore(self, tensors: dict[str, Tensor], place: dict[str, Any]) -> None:
        """Continue from the result of `state`, also from that of a training with fewer or more epochs if
        steps do not depend on the length (`prefix`). Raises UsageError where this would be another
        training."""
        epochs = int(place.get("epochs", self.epochs))  # older checkpoints do not say
        if epochs != self.epochs:
            self._check_continues(place, epochs)
        else:
            self.length = int(place.get("length", self.length))
        self.network.load_state_dict(_select("network.", tensors))
        self._method.restore(_select("optimiser.", tensors))
        self._total.copy_(tensors["total"])
        if self._average is not None:
            self._average.restore(_select("average.", tensors))
        self.epoch, self.step = int(place["epoch"]), int(place["step"])
        self._steps_before = int(place.get("steps_before", 0))
        if self._growth is not None:
            self.batches.resize(int(place["side"]))

    def _check_continues(self, place: dict[str, Any], epochs: int) -> None:
        """Raise UsageError unless a training of `epochs` epochs, up to `place`, is the beginning of this
        one."""
        # An epoch that has begun counts as done, since its steps cannot be taken back.
        done, whole = int(place["epoch"]) + (int(place["step"]) > 0), epochs * self._steps
        where = f"a training of {epochs} epochs cannot be continued to {self.epochs}"
        if not self.prefix:
            raise UsageError(
                f"training: {where}: its schedule, {self.recipe.schedule!r}, goes by the training's length;"
                " tell its length from the start by decay_epochs, or use 'constant' with warmup=0"
            )
        if int(place["length"]) != whole:
            raise UsageError(f"training: {where}: it took {place['length']} steps, expected {whole}")
        if done > self.epochs:
            raise UsageError(f"training: {where}: it is in its epoch {done} already")

    def _take_step(self) -> None:
        moment = self._locate_step()
        self._grow(moment)
        # By the number of steps alone: passes over the data may be longer or shorter than epochs.
        inputs, targets = self.batches.batch(*divmod(moment.done, self.batches.steps))
        # After the batch is made and before the step: dropout draws from torch's own generator.
        _seed(self._device, integer_seed(*self._name, "step", moment.done))
        self._total += self._method.take(inputs, targets, moment)
        if self._average is not None:
            self._average.update(self._steps_before + moment.done)

    def _locate_step(self) -> Moment:
        """The moment of the next step. The rate of growing images goes by time: by steps it would have fallen
        before the images are large."""
        if self._growth is None:
            return Moment(self.epoch, self.step, self._steps, self.length)
        span = self.recipe.rates.span(self.length, self._steps)
        elapsed = round(span * self._growth.elapsed(min(1.0, self.steps_done / span)))
        return Moment(self.epoch, self.step, self._steps, self.length, elapsed)

    def _grow(self, moment: Moment) -> None:
        """Give the batches the side of this moment, or leave the one they have if it is larger: a training
        whose length was fitted anew does not shrink its images again."""
        if self._growth is not None:
            span = self.recipe.rates.span(moment.length, moment.steps_per_epoch)
            self.batches.resize(max(self.batches.side, self._growth.side(moment.done / span)))


def _growth(recipe: Recipe, images: Images) -> Growth | None:
    side = min(images.side)
    if recipe.first_resolution == 1 or side <= LEAST:
        return None
    return Growth(side, recipe.first_resolution, recipe.full_from)


def _select(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _seed(device: torch.device, seed: int) -> None:
    """Seed the device's own generator."""
    # torch.manual_seed seeds those of all devices and, while CUDA is not in use, stores each call with its
    # traceback, which takes as long as a step of a small network.
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


@contextmanager
def _own_randomness(device: torch.device) -> Iterator[None]:
    """Restore torch's global generators afterwards, so that they may be seeded inside."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield
