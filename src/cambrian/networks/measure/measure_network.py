"""Measures taken of one network, each as it wants the network to be."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress

import torch
from torch import Tensor, nn

from cambrian.errors import UsageError
from cambrian.networks.measure.dry_run import Uncountable
from cambrian.networks.measure.measure import Measure, Spreads, find_measure
from cambrian.networks.pointwise import memory_format
from cambrian.networks.tensor_copies import copied

Shape = tuple[int, int, int]
SPREAD = "_spread"
"""Follows the name of a measure in the name of its readings' spread."""


def measure_network(
    names: Iterable[str], network: nn.Module, shape: Shape, device: str = "cpu"
) -> dict[str, float]:
    """The measures called `names` of a network that reads images of `shape` (channels, height, width), by
    name, and of those that have one the spread (`latency_spread`). What cannot be counted is left out.
    The network, which may be without weights where no measure needs them, is left as it is.

    >>> measure_network(["params", "macs"], nn.Conv2d(3, 8, 1), (3, 4, 4))
    {'params': 32.0, 'macs': 384.0}
    """
    metrics: dict[str, float] = {}
    for name in names:
        with suppress(Uncountable):
            metrics |= take_measure(name, network, shape, device)
    return metrics


def take_measure(name: str, network: nn.Module, shape: Shape, device: str) -> dict[str, float]:
    """One measure, and its spread where it has one. Raises Uncountable, and UsageError for a measure whose
    number is none."""
    measure = find_measure(name)
    if not measure.needs_weights(device):
        batch = torch.empty(measure.images, *shape, device="meta")
        return {name: _check_number(name, measure(network, batch, device))}
    # On a copy: whatever the measure does, the network that will be trained is as it was.
    layout = memory_format(network)
    subject = copied(network).to(device, memory_format=layout)  # type: ignore[call-overload]
    batch = draw_batch(measure, shape).to(device).contiguous(memory_format=layout)
    if isinstance(measure, Spreads):
        value, spread = measure.measure_spread(subject, batch, device)
        return {name: _check_number(name, value), name + SPREAD: _check_number(name + SPREAD, spread)}
    return {name: _check_number(name, measure(subject, batch, device))}


def draw_batch(measure: Measure, shape: Shape) -> Tensor:
    """float[images, *shape] in [0, 1), always the same, from no generator that others draw from."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(measure.images, *shape, generator=generator)


def _check_number(name: str, value: object) -> float:
    """The number as a float. Raises UsageError for anything else."""
    number = math.nan
    if not isinstance(value, bool | str):
        with suppress(TypeError, ValueError):
            number = float(value)  # type: ignore[arg-type]
    if not math.isfinite(number):
        raise UsageError(f"measure {name!r} gave {value!r:.80}: expected a finite number")
    return number
