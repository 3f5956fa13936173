"""From an architecture to a network that may be trained: built, checked against hard limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cambrian.errors import UnknownName, UsageError
from cambrian.outcome import Fidelity, Infeasible
from cambrian.randomness import integer_seed
from cambrian.spaces.program.function_space import Shape
from cambrian.spaces.space import Signature

if TYPE_CHECKING:
    from torch import nn

    from cambrian.estimators.job import Job
    from cambrian.tasks.task import Task


LIMITS = ("params", "macs")
"""What hard limits may bound."""


def signature(task: Signature, fidelity: Fidelity) -> Shape:
    """What a network's shape depends on: the task's, its images in the size the fidelity gives them."""
    height, width = (fidelity.resolution,) * 2 if fidelity.resolution else (task.height, task.width)
    return Shape(task.channels, height, width, task.classes)


def build_network(job: Job) -> nn.Module | Infeasible:
    """The job's network with its initial weights, a function of (seed, identity) alone, or why it cannot be
    had: over a hard limit, here or as it will be at `job.final`, found before anything is allocated.
    Raises Unbuildable where shapes do not fit, UnknownName for a limit on what is not counted."""
    import torch

    from cambrian.networks.pointwise import avoid_strided_pointwise

    if job.task is None:
        raise UsageError("building a network needs a task: it says the input's and output's shape")
    excess = _excess(job, job.task)
    if excess is not None:
        return Infeasible("limit", excess)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(integer_seed(job.seed, "weights", job.identity))
        shape = signature(job.task, job.fidelity)
        network = job.space.build(job.architecture, shape, **job.fidelity.skeleton)
    avoid_strided_pointwise(network)
    return network


def _excess(job: Job, task: Task) -> str | None:
    """What is over a limit, in a sentence, or None; found on networks without weights."""
    import torch

    from cambrian.networks.measure.sizes import sizes

    drafts = [("", job.fidelity)]
    if job.final is not None and _settings(job.final) != _settings(job.fidelity):
        drafts.append(("final ", job.final))
    for which, drafted in drafts if job.limits else ():
        shape = signature(task, drafted)
        with torch.device("meta"):
            draft = job.space.build(job.architecture, shape, **drafted.skeleton)
        found = sizes(draft, (shape.channels, shape.height, shape.width))
        for name, limit in job.limits.items():
            excess = _beyond(name, limit, found)
            if excess:
                where = _settings(drafted)
                return f"{excess}, in the {which}skeleton{where}" if which or where else excess
    return None


def _beyond(name: str, limit: float, found: dict[str, float]) -> str | None:
    if name not in LIMITS:
        raise UnknownName("limit", name, LIMITS)
    if name not in found:
        return f"its {name} are limited and cannot be counted, since its forward looks at numbers"
    if found[name] > limit:
        return f"{found[name]:,.0f} {name} where at most {limit:,.0f} are allowed"
    return None


def _settings(fidelity: Fidelity) -> str:
    """ " (cells=2, filters=8)": all that a network's sizes depend on besides architecture and task."""
    settings = sorted(fidelity.skeleton.items())
    if fidelity.resolution:
        settings.append(("resolution", fidelity.resolution))
    return f" ({', '.join(f'{k}={v}' for k, v in settings)})" if settings else ""
