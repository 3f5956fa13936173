"""Batches of augmented images. Each is a function of (name, pass, step) and independent of earlier draws."""

from __future__ import annotations

import torch
from torch import Tensor

from cambrian.networks.training.augment import Augment, Draws, cut_out, draw, pad, windows
from cambrian.networks.training.batches import Images
from cambrian.randomness import stream


class BatchStream:
    """`steps` batches of nearly equal size in each pass over the data, which is called an epoch here and has
    its own order of examples. `name` is the seed and the purpose of the stream: a second stream (validation
    batches for gates) has another name."""

    def __init__(
        self,
        images: Images,
        augment: Augment,
        steps: int,
        name: tuple[int, *tuple[int | str, ...]],
        memory_format: torch.memory_format = torch.channels_last,
    ) -> None:
        self.images, self.steps = images, steps
        self._whole, self._name, self._format = augment, name, memory_format
        self._drawn: tuple[int, Draws] | None = None  # the latest epoch and its draws
        self._seen, self._augment = images, augment
        self._padded = pad(images.pixels, augment.crop)

    @property
    def side(self) -> int:
        """The shorter side of the images in a batch."""
        return min(self._seen.side)

    def resize(self, side: int) -> None:
        """Scale the images so that their shorter side is `side`, and the augmentation with them."""
        if side == self.side:
            return
        share = side / min(self.images.side)
        height, width = (round(length * share) for length in self.images.side)
        # Always from the given images: what was scaled down has lost its detail.
        self._seen, self._augment = self.images.resize((height, width)), self._whole.scale(share)
        self._padded = pad(self._seen.pixels, self._augment.crop)
        self._drawn = None

    def draws(self, epoch: int) -> Draws:
        """The random draws of that epoch, on the images' device."""
        if self._drawn is None or self._drawn[0] != epoch:
            rng = stream(*self._name, "epoch", epoch)
            draws = draw(self._whole, len(self.images), self.images.side, rng)
            if self._seen is not self.images:
                crops = self._whole.crop, self._augment.crop
                draws = draws.scale(crops, (self.images.side, self._seen.side))
            parts = (draws.order, draws.corner, draws.mirrored, draws.hole)
            self._drawn = epoch, Draws(*(part.to(self._padded.device) for part in parts))
        return self._drawn[1]

    def batch(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        """Inputs [b, channels, height, width] and targets [b, ...] of step `step` (from 0) of an epoch."""
        draws, n = self.draws(epoch), len(self.images)
        # Bounds by integer division: the batches cover all examples, and sizes differ by one at most.
        batch = slice(n * step // self.steps, n * (step + 1) // self.steps)
        # Without shifts and flips a plain lookup of the images is cheaper than the gather by pixel.
        if self._augment.crop or self._augment.flip:
            pixels = windows(self._padded, draws, batch, self._seen.side)
        else:
            pixels = self._padded[draws.order[batch]]
        inputs = self.images.inputs(pixels)
        if self._augment.cutout:
            inputs = cut_out(inputs, self._augment.cutout, draws.hole[batch])
        return inputs.contiguous(memory_format=self._format), self._seen.targets[draws.order[batch]]
