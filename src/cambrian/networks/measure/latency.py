"""The duration of a forward pass on a device: the median of many runs, and their spread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Annotated, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from cambrian.networks.measure.dry_run import in_mode
from cambrian.networks.measure.runtimes import EAGER, EXPORTED, RUNTIMES, check_device, check_runtime
from cambrian.settings import COUNT, POSITIVE, Span, check_settings

SETTLED = 5
"""Consecutive forwards that must take about the same time before the device counts as warm."""
ABOUT = 0.1
"""The largest difference between them, as a share of their median."""
FEWEST = 5
"""Forwards that are always timed, however long they take: fewer do not give a usable spread."""


@dataclass(frozen=True)
class Timing:
    """Seconds per forward: median, interquartile range and middle 80 % (`low` to `high`) of `runs` forwards,
    after `warmup` others."""

    median: float
    spread: float
    low: float
    high: float
    runs: int
    warmup: int


@dataclass(frozen=True)
class Latency:
    """Seconds that a forward of `images` images takes in evaluation mode, in 32 bits, in the network's own
    layout, with `threads` threads (on CPU) and until the device is done (on CUDA), in one `runtime`: eager
    (torch as the network is written), exported (its `torch.export` program), or onnxruntime (on CPU).

    The device is warmed up until SETTLED forwards in a row take about the same time, with at most `warmup`
    forwards. Then `runs` forwards are timed, or as many as begin within `seconds`, but at least FEWEST. The
    number is their median, the spread their interquartile range."""

    images: Annotated[int, COUNT] = 1
    threads: Annotated[int, COUNT] = 1
    warmup: Annotated[int, Span(0)] = 20
    runs: Annotated[int, COUNT] = 50
    seconds: Annotated[float, POSITIVE] = 2.0
    runtime: str = field(default=EAGER, metadata={"later": True})

    unit: ClassVar[str] = "s"
    noisy: ClassVar[bool] = True
    reads_batch: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_settings(self, "latency")
        check_runtime(self.runtime)

    def needs_weights(self, device: str) -> bool:
        return True

    def protocol(self, device: str) -> str:
        check_device(self.runtime, device)
        images = f"{self.images} image{'s' if self.images > 1 else ''} on {device}"
        threads = f", {self.threads} thread{'s' if self.threads > 1 else ''}"
        where = images if device.startswith("cuda") else images + threads
        via = {EAGER: "", EXPORTED: " of the exported program"}.get(self.runtime, " by ONNX Runtime")
        return f"median of {self.runs} forwards{via} of {where}, after up to {self.warmup} to warm up"

    def __call__(self, network: nn.Module, batch: Tensor, device: str) -> float:
        return self.measure_spread(network, batch, device)[0]

    def measure_spread(self, network: nn.Module, batch: Tensor, device: str) -> tuple[float, float]:
        """The median and the interquartile range, in seconds."""
        prepare = RUNTIMES[self.runtime]
        with in_mode(network, training=False), _threads(self.threads), torch.no_grad():
            forward = prepare(network, batch, device, self.threads)
            timing = time_forwards(forward, time.perf_counter, self.warmup, self.runs, self.seconds)
        return timing.median, timing.spread


def time_forwards(
    forward: Callable[[], object], clock: Callable[[], float], warmup: int, runs: int, seconds: float
) -> Timing:
    """Warm up, then time `forward` by `clock`, which returns seconds."""

    def read() -> float:
        started = clock()
        forward()
        return clock() - started

    # The first forwards are slow: memory is allocated, kernels are chosen, the clock speed rises.
    start, warm = clock(), list[float]()
    while len(warm) < warmup and not _is_warm(warm) and clock() - start < seconds:
        warm.append(read())
    start, readings = clock(), list[float]()
    while len(readings) < min(runs, FEWEST) or (len(readings) < runs and clock() - start < seconds):
        readings.append(read())
    low, high = np.percentile(readings, [10, 90]).tolist()
    spread = _quartile_distance(readings)
    return Timing(median(readings), spread, low, high, len(readings), len(warm))


def _is_warm(readings: list[float]) -> bool:
    last = readings[-SETTLED:]
    return len(last) == SETTLED and max(last) - min(last) <= ABOUT * median(last)


def _quartile_distance(readings: list[float]) -> float:
    if len(readings) < 2:
        return 0.0
    # Quartiles and not the standard deviation: one interruption by the system must not decide the spread.
    low, _middle, high = quantiles(readings, method="inclusive")
    return high - low


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let torch's kernels use `count` threads inside, and the former number afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
