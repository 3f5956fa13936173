"""Batches of augmented images. Each is a function of (name, pass, step) and independent of earlier draws.

Masks go with their images: the same draws shift and mirror both. Pixels of which a network is shown nothing,
those that move in and those of a hole, are neither learned nor judged (as the holes of French
et al. 2020, arXiv 1906.01916).
"""

from __future__ import annotations

import torch
from torch import Tensor

from cambrian.goal import IGNORED
from cambrian.networks.training.augment import Augment, Draws, cut_out, draw, find_holes, pad, windows
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
        self._pad()

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
        self._pad()
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
        inputs = self.images.inputs(self._move(self._padded, draws, batch))
        targets = self._seen.targets[draws.order[batch]]
        if self._masks is not None:
            targets = self._move(self._masks, draws, batch)
        if self._augment.cutout:
            holes = find_holes(self._seen.side, self._augment.cutout, draws.hole[batch])
            inputs = cut_out(inputs, holes)
            targets = targets if self._masks is None else targets.masked_fill(holes, IGNORED)
        return inputs.contiguous(memory_format=self._format), targets

    def _pad(self) -> None:
        """Prepare the images, and masks, from which windows are taken."""
        self._padded = pad(self._seen.pixels, self._augment.crop)
        masked = self._seen.goal.kind == "pixels"
        self._masks = (
            pad(self._seen.targets[..., None], self._augment.crop, IGNORED)[..., 0] if masked else None
        )

    def _move(self, padded: Tensor, draws: Draws, batch: slice) -> Tensor:
        """The batch of images, or masks, shifted and mirrored."""
        # Without shifts and flips a plain lookup of the images is cheaper than the gather by pixel.
        if self._augment.crop or self._augment.flip:
            return windows(padded, draws, batch, self._seen.side)
        return padded[draws.order[batch]]
