"""A table of a device's latencies, from a few random networks of a space that are measured on it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture, sample
from cambrian.choices import Scalar
from cambrian.errors import Unbuildable, UsageError
from cambrian.networks.measure.latency_table import LatencyTable
from cambrian.randomness import integer_seed, stream
from cambrian.search.latency.latency_fit import FEWEST, fit_table

if TYPE_CHECKING:
    from torch import nn

    from cambrian.spaces.space import Signature, Space

TRIES = 20
"""Draws for each network that is wanted: some are drawn twice, and some cannot be built."""


def measure_sample(
    space: Space,
    task: Signature,
    count: int = 20,
    measure: str = "latency",
    device: str = "cpu",
    seed: int = 0,
    skeleton: Mapping[str, Scalar] | None = None,
) -> LatencyTable:
    """The table of `count` random networks, each measured once by `measure`, which is in seconds. Raises
    UsageError for another measure, and for a space with fewer than five networks that can be counted."""
    from cambrian.networks.measure.dry_run import Uncountable
    from cambrian.networks.measure.measure import find_measure
    from cambrian.networks.measure.operation_totals import count_operations
    from cambrian.networks.measure.undefined import Undefined

    if find_measure(measure).unit != "s":
        raise UsageError(f"--measure {measure}: expected a measure in seconds, such as latency(threads=2)")
    shape = (task.channels, task.height, task.width)
    rng, seen = stream(seed, "latency", "sample"), set[Architecture]()
    counts: list[dict[str, float]] = []
    values: list[float] = []
    for _ in range(TRIES * count):
        architecture = sample(space, rng)
        if len(values) == count or architecture in seen:
            continue
        seen.add(architecture)
        with suppress(Unbuildable, Uncountable, Undefined):
            network = _build(space, architecture, task, skeleton or {}, seed)
            # Both before either is kept: a row of counts without its value would shift all after it.
            count_of, value = count_operations(network, shape), _measure(measure, network, shape, device)
            counts.append(count_of)
            values.append(value)
    if len(values) < FEWEST:
        raise UsageError(
            f"only {len(values)} networks of the space could be measured, and a table needs {FEWEST}: take"
            " the measure itself, latency"
        )
    return fit_table(counts, values, measure, device)


def _build(
    space: Space, architecture: Architecture, task: Signature, skeleton: Mapping[str, Scalar], seed: int
) -> nn.Module:
    """The network with arbitrary weights, in the layout in which it is trained."""
    import torch

    from cambrian.networks.pointwise import avoid_strided_pointwise

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(integer_seed(seed, "latency", "weights"))
        network: Any = space.build(architecture, task, **skeleton)
    avoid_strided_pointwise(network)
    return network  # type: ignore[no-any-return]


def _measure(measure: str, network: nn.Module, shape: tuple[int, int, int], device: str) -> float:
    from cambrian.networks.measure.measure_network import take_measure

    return take_measure(measure, network, shape, device)[measure]
