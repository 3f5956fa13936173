"""Building the network of an architecture, measuring it and holding it to hard limits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cambrian.errors import UsageError
from cambrian.estimators.limits import SIZES, build_weights, check_limits
from cambrian.networks.measure.measure import find_measure, is_measure
from cambrian.outcome import Fidelity, Infeasible
from cambrian.randomness import integer_seed
from cambrian.spaces.drafts import draft_network, is_own, is_shared, note_parameters
from cambrian.spaces.program.function_space import Shape, is_causal, is_dense
from cambrian.spaces.space import Signature

if TYPE_CHECKING:
    from torch import nn

    from cambrian.architecture import Architecture
    from cambrian.estimators.job import Job
    from cambrian.spaces.space import Space
    from cambrian.tasks.task import Task


def signature(task: Signature, fidelity: Fidelity) -> Shape:
    """The shapes of a network's input and output: those of the task, with images in the fidelity's size."""
    height, width = (fidelity.resolution,) * 2 if fidelity.resolution else (task.height, task.width)
    return Shape(task.channels, height, width, task.classes, is_dense(task), is_causal(task))


@dataclass(frozen=True)
class Built:
    """A network with its initial weights, and its measures by name."""

    network: nn.Module
    metrics: dict[str, float]


def build_network(job: Job) -> nn.Module | Infeasible:
    """The job's network with its initial weights, a function of (seed, identity) alone, or Infeasible if it
    exceeds a hard limit, either as it is or as it will be at `job.final`; limits are checked before it is
    made. Raises Unbuildable if shapes do not fit, UnknownName for a limit on an unknown measure."""
    built = build_measured(job, always=())
    return built if isinstance(built, Infeasible) else built.network


def build_measured(job: Job, always: Iterable[str] = SIZES) -> Built | Infeasible:
    """As `build_network`, with the measures that have limits, that are objectives of the problem, and that
    are named in `always`; measures that cannot be counted are left out."""
    if job.task is None:
        raise UsageError("building a network needs a task: it says the input's and output's shape")
    # Limits first, on networks without weights: a network over them may not fit into memory.
    metrics = hold_to_limits(job, job.task)
    if isinstance(metrics, Infeasible):
        return metrics
    network = _build(job, job.task)
    return Built(network, metrics | _measure_rest(job, job.task, network, always, metrics))


def measure_at(
    space: Space,
    task: Task,
    architecture: Architecture,
    fidelity: Fidelity,
    names: Iterable[str],
    device: str,
) -> dict[str, float]:
    """The measures called `names` of the network as it is at `fidelity`, with arbitrary weights; without any
    where no measure needs them. Those that it does not have are left out."""
    from cambrian.networks.measure.measure_network import measure_network

    names, shape = list(names), signature(task, fidelity)
    if any(find_measure(name).needs_weights(device) for name in names):
        network = build_weights(lambda sized: space.build(architecture, shape, **sized.skeleton), fidelity)
    else:
        network = draft_network(space, architecture, shape, fidelity.skeleton)
    return measure_network(names, network, _image_shape(task, fidelity), device)


def hold_to_limits(job: Job, task: Task) -> dict[str, float] | Infeasible:
    """The measures that the limits needed, or the limit that the network misses.

    A network to be delivered has kept the limits on noisy measures as a trial or a finalist; a second
    measurement must not refuse it because of noise."""
    limits = {
        name: most
        for name, most in job.limits.items()
        if job.stage == "search" or not find_measure(name, "limit").noisy
    }

    def build(fidelity: Fidelity) -> nn.Module:
        return job.space.build(job.architecture, signature(task, fidelity), **fidelity.skeleton)

    def draft(fidelity: Fidelity) -> nn.Module:
        return draft_network(job.space, job.architecture, signature(task, fidelity), fidelity.skeleton)

    def shape(fidelity: Fidelity) -> tuple[int, int, int]:
        return _image_shape(task, fidelity)

    return check_limits(build, draft, shape, limits, job.fidelity, job.final, job.device)


def _build(job: Job, task: Task) -> nn.Module:
    import torch

    from cambrian.networks.causality import check_causal
    from cambrian.networks.depthwise import quicken_depthwise
    from cambrian.networks.pointwise import avoid_strided_pointwise
    from cambrian.networks.tensor_copies import copy_network

    # Torch's layers draw from its global generator: seeded by the architecture, and put back afterwards.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(integer_seed(job.seed, "weights", job.identity))
        shape = signature(task, job.fidelity)
        with note_parameters() as noted:
            network = job.space.build(job.architecture, shape, **job.fidelity.skeleton)
    if is_shared(job.space, network, noted):
        network = copy_network(network)
    if shape.causal and is_own(job.space):  # whose architectures may differ in this
        check_causal(network, shape.channels, shape.height)
    avoid_strided_pointwise(network)
    quicken_depthwise(network)
    return network


def _measure_rest(
    job: Job, task: Task, network: nn.Module, always: Iterable[str], known: dict[str, float]
) -> dict[str, float]:
    """The measures that are wanted and not known from the limits."""
    from cambrian.networks.measure.measure_network import measure_network

    # The first objective is the estimator's own value, whatever its name.
    objectives = [o.name for o in job.problem.objectives[1:] if is_measure(o.name)]
    names = [name for name in dict.fromkeys((*always, *job.limits, *objectives)) if name not in known]
    return measure_network(names, network, _image_shape(task, job.fidelity), job.device) if names else {}


def _image_shape(task: Task, fidelity: Fidelity) -> tuple[int, int, int]:
    seen = signature(task, fidelity)
    return seen.channels, seen.height, seen.width
