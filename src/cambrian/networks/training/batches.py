"""Labelled images as tensors in memory, and their conversion to the inputs of a network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from cambrian.goal import CLASSES, Goal

PIECE = 2**24
"""The numbers that are scaled at once: 64 MiB of them, and as many of the result at most."""


@dataclass(frozen=True)
class Images:
    """`pixels` [n, height, width, channels], uint8 or float32; `targets` int64[n], or as `goal` has them, of
    numbers their standard scores; `mean` and `std` float32[channels] in the unit of a network's inputs (uint8
    divided by 255, float32 unchanged)."""

    pixels: Tensor
    targets: Tensor
    mean: Tensor
    std: Tensor
    goal: Goal = CLASSES

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def side(self) -> tuple[int, int]:
        return int(self.pixels.shape[1]), int(self.pixels.shape[2])

    def inputs(self, pixels: Tensor) -> Tensor:
        """Convert a batch [b, height, width, channels] of pixels to a network's input: normalised float32
        [b, channels, height, width], channels last in memory."""
        # The unit is folded into mean and std, which saves one pass over the pixels.
        scaled = pixels.to(torch.float32)
        unit = 255.0 if pixels.dtype == torch.uint8 else 1.0
        return ((scaled - unit * self.mean) / (unit * self.std)).permute(0, 3, 1, 2)

    def resize(self, side: tuple[int, int]) -> Images:
        """The same images, scaled to `side` (height, width)."""
        return self if side == self.side else replace(self, pixels=_scale(self.pixels, side))


def images(
    pixels: NDArray[np.generic],
    targets: NDArray[np.generic],
    mean: tuple[float, ...],
    std: tuple[float, ...],
    device: str = "cpu",
    resolution: int | None = None,
    goal: Goal = CLASSES,
) -> Images:
    """Copies of the arrays on `device`, scaled to `resolution` pixels a side if it is given."""
    tensor = torch.from_numpy(np.array(pixels)).to(device)
    unscaled = Images(
        tensor,
        torch.from_numpy(_as_learned(targets, goal)).to(device),
        torch.tensor(mean, dtype=torch.float32, device=device),
        torch.tensor(std, dtype=torch.float32, device=device),
        goal,
    )
    return unscaled if resolution is None else unscaled.resize((resolution, resolution))


def _as_learned(targets: NDArray[np.generic], goal: Goal) -> NDArray[Any]:
    """The targets as a network learns them: of numbers their standard scores."""
    if goal.kind == "numbers":
        return ((targets.astype(np.float64) - goal.mean) / goal.std).astype(np.float32)
    return np.array(targets, dtype=np.int64)


def _scale(pixels: Tensor, side: tuple[int, int]) -> Tensor:
    """Scale bilinearly with antialiasing, in the same number type (uint8 is rounded)."""
    # In pieces: scaling works in float32, four times the memory of uint8.
    parts = torch.split(pixels, max(1, PIECE // pixels[0].numel()))
    return torch.cat([_scale_piece(part, side) for part in parts])


def _scale_piece(pixels: Tensor, side: tuple[int, int]) -> Tensor:
    floats = pixels.permute(0, 3, 1, 2).float()
    result = F.interpolate(floats, side, mode="bilinear", antialias=True).permute(0, 2, 3, 1)
    if pixels.dtype == torch.uint8:
        result = result.round().clamp(0, 255)
    return result.to(pixels.dtype).contiguous()
