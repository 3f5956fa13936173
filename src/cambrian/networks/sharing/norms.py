"""Statistics of batch normalisation for one network of a supernet.

While a supernet trains, its running statistics are of all architectures that were run, of which none is
itself scored. For the chosen one they are measured anew: the mean, over some batches of the training part,
of each batch's mean and variance (Guo et al. 2020, Sec. 3.2; the scored batch's in Bender et al. 2018).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def measure_statistics(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replace the running statistics of `network`, run as it is, by the means over `batches` of inputs
    [b, channels, height, width]. Those of parts that do not run stay as they were reset. Dropout and the
    dropping of paths are off meanwhile."""
    norms = [m for m in network.modules() if isinstance(m, NORMS) and m.track_running_stats]
    with _averaging(norms), torch.no_grad():
        network.eval()
        for norm in norms:
            norm.reset_running_stats()
            norm.train()
        for inputs in batches:
            network(inputs)
    network.eval()


@contextmanager
def _averaging(norms: list[nn.BatchNorm1d | nn.BatchNorm2d]) -> Iterator[None]:
    """Without a momentum, torch keeps the plain mean over all batches."""
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
    """Normalise by the statistics of each batch, also in evaluation mode, within the block."""
    norms = [m for m in network.modules() if isinstance(m, NORMS) and m.track_running_stats]
    held = [(norm.running_mean, norm.running_var) for norm in norms]
    for norm in norms:
        norm.running_mean = norm.running_var = None
    try:
        yield
    finally:
        for norm, (mean, variance) in zip(norms, held, strict=True):
            norm.running_mean, norm.running_var = mean, variance
