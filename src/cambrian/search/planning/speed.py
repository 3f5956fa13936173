"""The speed at which a network learns on this machine: seconds per image of a few steps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cambrian.memory_reuse import reuse_memory

if TYPE_CHECKING:
    from torch import nn

PIXELS, DENSE_PIXELS = 1 << 17, 1 << 14
"""Pixels of a measured batch, which is enough to fill the cores: a larger one is not faster per image. Fewer
do for networks that end at the images' resolution, since they have more work for each."""
ENOUGH = 1.0
"""Seconds of steps in a precision after which no further one is measured."""


def measure_speed(network: nn.Module, shape: tuple[int, int, int], device: str) -> float:
    """Seconds of one image of `shape` (channels, height, width), forward and backward, in the precision that
    its device is trained in."""
    return measure_speeds(network, shape, device, False, ["auto"])[0]


def measure_speeds(
    network: nn.Module, shape: tuple[int, int, int], device: str, dense: bool, precisions: Sequence[str]
) -> list[float]:
    """See `measure_speed`; in each of these precisions of `Recipe`, whose steps take turns, so that what else
    runs on the machine slows them alike; `dense` where pixels have a class each."""
    import torch
    from torch.nn import functional as F

    from cambrian.networks.depthwise import quicken_depthwise
    from cambrian.networks.heads import spread_targets
    from cambrian.networks.pointwise import avoid_strided_pointwise, memory_format
    from cambrian.networks.training.precision import half_precision

    # Prepared as the trainer prepares it, so that the measured speed is that of training.
    avoid_strided_pointwise(network)
    quicken_depthwise(network)
    layout = memory_format(network)
    network = network.to(device).to(memory_format=layout).train()  # type: ignore[call-overload]
    images = max(2, min(64, (DENSE_PIXELS if dense else PIXELS) // (shape[1] * shape[2])))
    batch = torch.rand(images, *shape, device=device).contiguous(memory_format=layout)
    targets = torch.zeros(images, dtype=torch.int64, device=device)

    def take_step(precision: str) -> float:
        started = time.perf_counter()
        with half_precision(batch.device, precision):
            output = network(batch)
        logits = (output[0] if isinstance(output, tuple) else output).float()
        loss = F.cross_entropy(logits, spread_targets(targets, logits))
        loss.backward()  # type: ignore[no-untyped-call]
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)
        return time.perf_counter() - started

    rounds: list[list[float]] = []
    with reuse_memory():
        while len(rounds) < 2 or (len(rounds) < 4 and sum(map(sum, rounds)) < ENOUGH * len(precisions)):
            rounds.append([take_step(precision) for precision in precisions])
    # Without the first step, which warms up; the fastest, since other processes only ever slow it down.
    return [min(times) / images for times in zip(*rounds[1:], strict=True)]
