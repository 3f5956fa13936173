"""The module that is exported: from images in their natural unit to logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cambrian.errors import DataError
from cambrian.goal import Goal
from cambrian.networks.heads import first_head


class Normalised(nn.Module):
    """`network` behind its normalisation: float32 [n, c, h, w] in the unit of `mean` and `std` (one number
    a channel) to logits [n, classes]."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        # Buffers, so that they are part of the program and no user has to know them.
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).reshape(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).reshape(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        if not images.is_floating_point():  # they would be normalised as if they were from 0 to 1
            raise DataError(f"the network takes float32 images, got {images.dtype}: divide bytes by 255")
        return first_head(self.network((images - self.mean) / self.std))


class Float32Alone(nn.Module):
    """A `network` whose exported program refuses images of any other type: of bytes it would compute
    nonsense, without a word. A traced program keeps no `if`; it keeps this assertion of torch's."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Any:
        torch._assert_tensor_metadata(images, dtype=torch.float32)
        return self.network(images)


class InUnit(nn.Module):
    """A `network` of standard scores, its output float64 in the unit of its targets: [n, 1] to [n, 1]."""

    def __init__(self, network: nn.Module, mean: float, std: float) -> None:
        super().__init__()
        self.network = network
        self.mean, self.std = mean, std

    def forward(self, images: Tensor) -> Tensor:
        # In float64: float32 has no place for a small deviation beside a large mean.
        return first_head(self.network(images)).to(torch.float64) * self.std + self.mean


def in_unit(network: nn.Module, goal: Goal) -> nn.Module:
    """The network with its outputs in the unit of the targets, where these are numbers."""
    return InUnit(network, goal.mean, goal.std) if goal.kind == "numbers" else network


def as_inputs(images: NDArray[Any]) -> Tensor:
    """Images [n, h, w, c], bytes or floats, as the program's inputs: float32 [n, c, h, w], bytes divided by
    255."""
    pixels = images.astype(np.float32)
    if images.dtype == np.uint8:
        pixels /= np.float32(255)
    inputs = torch.from_numpy(pixels.transpose(0, 3, 1, 2))
    # Cloned, so that a single channel has the strides of every other batch: libraries choose their algorithm,
    # and with it the last bits, by strides.
    return inputs.clone(memory_format=torch.contiguous_format)
