"""The measurement of one network by several measures, each on the device that it needs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress

import torch
from torch import Tensor, nn

from cambrian.errors import UsageError
from cambrian.networks.measure.dry_run import Uncountable
from cambrian.networks.measure.measure import Measure, Spreads, find_measure
from cambrian.networks.measure.undefined import Undefined
from cambrian.networks.pointwise import memory_format
from cambrian.networks.tensor_copies import copy_network

Shape = tuple[int, int, int]
SPREAD = "_spread"
"""Suffix of a measure's name, for the spread of its readings."""


def measure_network(
    names: Iterable[str], network: nn.Module, shape: Shape, device: str = "cpu"
) -> dict[str, float]:
    """Measure a network that reads images of `shape` (channels, height, width) by the measures called
    `names`. Returns the numbers by name, and the spread of measures that have one (`latency_spread`).
    Numbers that cannot be counted, or that the network does not have, are left out. The network is not
    changed; it may be on the meta device if no measure needs weights.

    >>> measure_network(["params", "macs"], nn.Conv2d(3, 8, 1), (3, 4, 4))
    {'params': 32.0, 'macs': 384.0}
    """
    metrics: dict[str, float] = {}
    for name in names:
        with suppress(Uncountable, Undefined):
            metrics |= take_measure(name, network, shape, device)
    return metrics


def take_measure(name: str, network: nn.Module, shape: Shape, device: str) -> dict[str, float]:
    """One measure, and its spread where it has one. Raises Uncountable, Undefined, and UsageError for
    a measure that does not return a finite number."""
    measure = find_measure(name)
    if not measure.needs_weights(device):
        # No copy: these measures read modules and shapes only, and the network may be on the meta device.
        batch = torch.empty(measure.images, *shape, device="meta")
        return {name: _check_number(name, measure(network, batch, device))}
    # On a copy: the network that will be trained must not change, whatever a user's measure does.
    layout = memory_format(network)
    subject = copy_network(network).to(device, memory_format=layout)  # type: ignore[call-overload]
    batch = draw_batch(measure, shape).to(device).contiguous(memory_format=layout)
    if isinstance(measure, Spreads):
        value, spread = measure.measure_spread(subject, batch, device)
        return {name: _check_number(name, value), name + SPREAD: _check_number(name + SPREAD, spread)}
    return {name: _check_number(name, measure(subject, batch, device))}


def draw_batch(measure: Measure, shape: Shape) -> Tensor:
    """float[images, *shape] in [0, 1), always the same, from a generator of its own."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(measure.images, *shape, generator=generator)


def _check_number(name: str, value: object) -> float:
    """The number as a float. Raises UsageError for values that are not finite numbers."""
    number = math.nan
    if not isinstance(value, bool | str):  # float() takes both, and neither is a measurement
        with suppress(TypeError, ValueError):
            number = float(value)  # type: ignore[arg-type]
    if not math.isfinite(number):
        raise UsageError(f"measure {name!r} gave {value!r:.80}: expected a finite number")
    return number
