"""How long a forward pass takes on the device at hand: the median of many, and their spread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from cambrian.networks.measure.dry_run import in_mode
from cambrian.settings import COUNT, POSITIVE, Span, check_settings

SETTLED = 5
"""Forwards in a row that take about the same time: the device is warm."""
ABOUT = 0.1
"""How far apart these may lie, of their median."""
FEWEST = 5
"""Forwards that are timed however long they take: fewer have no spread worth the name."""


@dataclass(frozen=True)
class Timing:
    """Seconds of a forward: the median and the distance of the quartiles of `runs`, after `warmup` others."""

    median: float
    spread: float
    runs: int
    warmup: int


@dataclass(frozen=True)
class Latency:
    """Seconds that a forward of `images` images takes in evaluation mode, in 32 bits, in the network's own
    layout, by `threads` threads (on CPU) and until the device is done (on CUDA).

    Forwards warm the device up until SETTLED in a row take about the same time, `warmup` of them at most.
    Then `runs` are timed, or as many as begin within `seconds` (FEWEST of them whatever they take). The
    number is their median, the spread the distance of their quartiles."""

    images: Annotated[int, COUNT] = 1
    threads: Annotated[int, COUNT] = 1
    warmup: Annotated[int, Span(0)] = 20
    runs: Annotated[int, COUNT] = 50
    seconds: Annotated[float, POSITIVE] = 2.0

    unit: ClassVar[str] = "s"
    noisy: ClassVar[bool] = True
    reads_batch: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_settings(self, "latency")

    def needs_weights(self, device: str) -> bool:
        return True

    def protocol(self, device: str) -> str:
        images = f"{self.images} image{'s' if self.images > 1 else ''} on {device}"
        threads = f", {self.threads} thread{'s' if self.threads > 1 else ''}"
        where = images if device.startswith("cuda") else images + threads
        return f"median of {self.runs} forwards of {where}, after up to {self.warmup} to warm up"

    def __call__(self, network: nn.Module, batch: Tensor, device: str) -> float:
        return self.measure_spread(network, batch, device)[0]

    def measure_spread(self, network: nn.Module, batch: Tensor, device: str) -> tuple[float, float]:
        """The median, and the distance of the quartiles."""

        def forward() -> None:
            network(batch)
            if device.startswith("cuda"):  # a forward only queues its kernels there
                torch.cuda.synchronize(device)

        with in_mode(network, training=False), _threads(self.threads), torch.no_grad():
            timing = time_forwards(forward, time.perf_counter, self.warmup, self.runs, self.seconds)
        return timing.median, timing.spread


def time_forwards(
    forward: Callable[[], object], clock: Callable[[], float], warmup: int, runs: int, seconds: float
) -> Timing:
    """Warm up and time `forward` by `clock`, which gives seconds."""

    def read() -> float:
        started = clock()
        forward()
        return clock() - started

    begun, warm = clock(), list[float]()
    while len(warm) < warmup and not _settled(warm) and clock() - begun < seconds:
        warm.append(read())
    begun, readings = clock(), list[float]()
    while len(readings) < min(runs, FEWEST) or (len(readings) < runs and clock() - begun < seconds):
        readings.append(read())
    return Timing(median(readings), _quartile_distance(readings), len(readings), len(warm))


def _settled(readings: list[float]) -> bool:
    last = readings[-SETTLED:]
    return len(last) == SETTLED and max(last) - min(last) <= ABOUT * median(last)


def _quartile_distance(readings: list[float]) -> float:
    if len(readings) < 2:
        return 0.0
    low, _middle, high = quantiles(readings, method="inclusive")
    return high - low


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """So many threads for torch's own kernels, and afterwards as many as there were."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
