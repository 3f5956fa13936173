"""From an architecture to a network that may be trained: built, checked against hard limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cambrian.architecture import Architecture
from cambrian.errors import UsageError
from cambrian.estimators.limits import SIZES, check_limits
from cambrian.networks.measure.measure import find_measure
from cambrian.outcome import Fidelity, Infeasible
from cambrian.randomness import integer_seed
from cambrian.spaces.program.function_space import Shape
from cambrian.spaces.space import Signature, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.estimators.estimator import Context
    from cambrian.tasks.task import Task


def signature(task: Signature, fidelity: Fidelity) -> Shape:
    """What a network's shape depends on: the task's, its images in the size the fidelity gives them."""
    height, width = (fidelity.resolution,) * 2 if fidelity.resolution else (task.height, task.width)
    return Shape(task.channels, height, width, task.classes)


@dataclass(frozen=True)
class Built:
    """A network with its initial weights, and its measures by name: `params`, `macs` where they can be
    counted, and all that was asked for or is limited."""

    network: nn.Module
    metrics: dict[str, float]


def build_network(
    space: Space,
    architecture: Architecture,
    fidelity: Fidelity,
    task: Task | None,
    context: Context,
) -> nn.Module | Infeasible:
    """The network with its initial weights, a function of (seed, trial) alone, or why it cannot be
    had: over a hard limit, here or as it will be at `context.final`, found before it is made.
    Raises Unbuildable where shapes do not fit, UnknownName for a limit on what is not a measure."""
    if task is None:
        raise UsageError("building a network needs a task: it says the input's and output's shape")
    metrics = _hold_to_limits(space, architecture, fidelity, task, context)
    return (
        metrics if isinstance(metrics, Infeasible) else _build(space, architecture, fidelity, task, context)
    )


def build_measured(
    space: Space,
    architecture: Architecture,
    fidelity: Fidelity,
    task: Task,
    context: Context,
    measures: Sequence[str] = (),
) -> Built | Infeasible:
    """As `build_network`, with the network's measures: those that are limited, and `measures`."""
    from cambrian.networks.measure.measure_network import measure_network

    metrics = _hold_to_limits(space, architecture, fidelity, task, context)
    if isinstance(metrics, Infeasible):
        return metrics
    network = _build(space, architecture, fidelity, task, context)
    names = dict.fromkeys((*SIZES, *context.limits, *measures))
    missing = [name for name in names if name not in metrics]
    shape = _image_shape(task, fidelity)
    return Built(network, metrics | measure_network(missing, network, shape, context.device))


def _hold_to_limits(
    space: Space, architecture: Architecture, fidelity: Fidelity, task: Task, context: Context
) -> dict[str, float] | Infeasible:
    def build(fidelity: Fidelity) -> nn.Module:
        return space.build(architecture, signature(task, fidelity), **fidelity.skeleton)

    def shape(fidelity: Fidelity) -> tuple[int, int, int]:
        return _image_shape(task, fidelity)

    limits = _list_binding(context.limits, context.stage)
    return check_limits(build, shape, limits, fidelity, context.final, context.device)


def _list_binding(limits: Mapping[str, float], stage: str) -> dict[str, float]:
    """Those that an evaluation of the stage is held to. A network to be delivered kept the limits on noisy
    measures as a trial or a finalist: by then a clock must not refuse what it has let pass."""
    return {n: most for n, most in limits.items() if stage == "search" or not find_measure(n, "limit").noisy}


def _build(
    space: Space, architecture: Architecture, fidelity: Fidelity, task: Task, context: Context
) -> nn.Module:
    import torch

    from cambrian.networks.pointwise import avoid_strided_pointwise

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(integer_seed(context.seed, "weights", context.trial))
        network = space.build(architecture, signature(task, fidelity), **fidelity.skeleton)
    avoid_strided_pointwise(network)
    return network


def _image_shape(task: Task, fidelity: Fidelity) -> tuple[int, int, int]:
    seen = signature(task, fidelity)
    return seen.channels, seen.height, seen.width
