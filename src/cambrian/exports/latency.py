"""Latency of a network, measured on the device at hand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from torch import nn


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds of a forward of `batch` images: the median and the middle 80 % of `repeats`."""

    device: str
    batch: int
    median: float
    low: float
    high: float
    repeats: int
    threads: int

    @property
    def per_image(self) -> float:
        return self.median / self.batch

    def __str__(self) -> str:
        return f"{self.median:.2f} ms for {self.batch} ({self.low:.2f} to {self.high:.2f}), {self.device}"


def latency(
    network: nn.Module,
    shape: tuple[int, int, int],
    *,
    device: str = "cpu",
    batches: Sequence[int] = (1, 32),
    repeats: int = 30,
    warmup: int = 5,
    seconds: float = 5.0,
) -> list[Latency]:
    """Time `network` in evaluation mode on images of `shape` (channels, height, width), a row per batch size.
    `warmup` forwards are not counted; after `seconds` no further one, and no further repeat, is begun. The
    network itself is not changed."""
    import copy

    import torch

    subject = copy.deepcopy(network).to(device).eval()
    rows = []
    with torch.inference_mode():
        for batch in batches:
            images = torch.rand(batch, *shape, device=device)
            begun = time.perf_counter()
            # The first forwards allocate memory and choose algorithms.
            for _ in range(warmup):
                if time.perf_counter() - begun < seconds:
                    _forward(subject, images, device)
            begun = time.perf_counter()
            # One at least, however slow the network is.
            times = [_forward(subject, images, device)]
            while len(times) < repeats and time.perf_counter() - begun < seconds:
                times.append(_forward(subject, images, device))
            # Quantiles, not a mean: other processes only ever add time, some of them much.
            low, median, high = np.percentile(np.array(times) * 1e3, [10, 50, 90]).tolist()
            rows.append(Latency(device, batch, median, low, high, len(times), torch.get_num_threads()))
    return rows


def _forward(network: nn.Module, images: object, device: str) -> float:
    """Seconds of one forward, until the device is done."""
    import torch

    started = time.perf_counter()
    network(images)
    # CUDA runs behind the program: without this only the launch would be timed.
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return time.perf_counter() - started
