"""Latency of a network, measured on the device at hand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

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
    At most `warmup` forwards are not counted; after `seconds` no further one is begun, but for a few that a
    spread needs (see `time_forwards`). The network itself is not changed."""
    import copy

    import torch

    from cambrian.networks.measure.latency import time_forwards
    from cambrian.networks.measure.runtimes import prepare_eager

    subject = copy.deepcopy(network).to(device).eval()
    rows = []
    with torch.inference_mode():
        for batch in batches:
            threads = torch.get_num_threads()
            forward = prepare_eager(subject, torch.rand(batch, *shape, device=device), device, threads)
            timing = time_forwards(forward, time.perf_counter, warmup, repeats, seconds)
            median, low, high = (1e3 * s for s in (timing.median, timing.low, timing.high))
            rows.append(Latency(device, batch, median, low, high, timing.runs, threads))
    return rows
