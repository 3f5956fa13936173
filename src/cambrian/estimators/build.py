"""From an architecture to a network that may be trained: built, checked against hard limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cambrian.architecture import Architecture
from cambrian.outcome import Fidelity, Infeasible

if TYPE_CHECKING:
    from torch import nn

    from cambrian.estimators.estimator import Context
    from cambrian.spaces.space import Space
    from cambrian.tasks.task import Task


def built(
    space: Space,
    architecture: Architecture,
    fidelity: Fidelity,
    task: Task | None,
    context: Context,
) -> nn.Module | Infeasible:
    """The network with its initial weights, a function of (seed, trial) alone, or why it cannot be
    had: over a hard limit on parameters or multiply-accumulates, found before anything is allocated.
    Raises Unbuildable where shapes do not fit."""
    import torch

    from cambrian.errors import UsageError
    from cambrian.networks.count import macs, params
    from cambrian.randomness import integer_seed

    if task is None:
        raise UsageError("building a network needs a task: it says the input's and output's shape")
    size = fidelity.resolution or task.height
    if context.limits:
        with torch.device("meta"):
            draft = space.build(architecture, task, **fidelity.skeleton)
        shape = (task.channels, size, size if fidelity.resolution else task.width)
        found = {"params": params(draft), "macs": macs(draft, shape)}
        for name, limit in context.limits.items():
            if found[name] > limit:
                return Infeasible("limit", f"{found[name]:,} {name} where at most {limit:,.0f} are allowed")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(integer_seed(context.seed, "weights", context.trial))
        return space.build(architecture, task, **fidelity.skeleton)
