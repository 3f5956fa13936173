"""Statistics of batch normalisation for one network of a supernet.

While a supernet trains, its running statistics mix those of all architectures that ran, and are right for
none of them. For the chosen one they are measured anew: the mean, over some batches of the training part, of
each batch's mean and variance (Guo et al. 2020, Sec. 3.2). Bender et al. 2018 use those of the scored batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def measure_statistics(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replace the running statistics of `network` by the means over `batches` of inputs [b, channels, height,
    width]. Those of parts that do not run are reset. Dropout and drop path are off meanwhile."""
    norms = [m for m in network.modules() if isinstance(m, NORMS) and m.track_running_stats]
    with _averaging(norms), torch.no_grad():
        # Only the normalisations train: dropout would shift the statistics that inference meets.
        if network.training or any(norm.training for norm in norms):
            network.eval()  # a walk over all candidates, which children in a row need once
        _reset(norms)
        # Set directly, since `train` looks for children, which takes longer than to normalise a small image.
        for norm in norms:
            norm.training = True
        for inputs in batches:
            network(inputs)
    for norm in norms:
        norm.training = False


def _reset(norms: Sequence[nn.Module]) -> None:
    """Reset the running statistics of all norms, in a few calls."""
    buffers = [dict(norm.named_buffers(recurse=False)) for norm in norms]
    for name, start in (("running_mean", 0.0), ("running_var", 1.0), ("num_batches_tracked", 0.0)):
        tensors = [each[name] for each in buffers if name in each]
        if tensors:
            torch._foreach_zero_(tensors)
            torch._foreach_add_(tensors, start) if start else None


@contextmanager
def _averaging(norms: list[nn.BatchNorm1d | nn.BatchNorm2d]) -> Iterator[None]:
    """Let the normalisations average over all batches, inside."""
    # Without a momentum torch keeps the plain mean, in which the first batch weighs as much as the last.
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = None
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


@contextmanager
def score_by_batch(network: nn.Module) -> Iterator[None]:
    """Inside, normalise by the statistics of each batch, also in evaluation mode."""
    norms = [m for m in network.modules() if isinstance(m, NORMS) and m.track_running_stats]
    saved = [(norm.running_mean, norm.running_var) for norm in norms]
    # Without running statistics torch normalises by the batch in every mode.
    for norm in norms:
        norm.running_mean = norm.running_var = None
    try:
        yield
    finally:
        for norm, (mean, variance) in zip(norms, saved, strict=True):
            norm.running_mean, norm.running_var = mean, variance
