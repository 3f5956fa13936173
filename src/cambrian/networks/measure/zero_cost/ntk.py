"""The condition of the neural tangent kernel (Chen et al. 2021, TE-NAS, arXiv 2102.11535)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from cambrian.networks.measure.zero_cost.proxy import Batch, Proxy, compute_logits
from cambrian.settings import Span

WORST = 1e5
"""The condition of a kernel without one, as in the authors' code."""


def condition_number(rows: Tensor) -> float:
    """The largest over the smallest eigenvalue of G G^T, with the gradients G float[n, weights]; at most
    WORST."""
    eigenvalues = torch.linalg.eigvalsh(rows.double() @ rows.double().T)
    low, high = float(eigenvalues[0]), float(eigenvalues[-1])
    return min(high / low, WORST) if low > 0 else WORST


def differentiate_each(outputs: Tensor, weights: list[Tensor]) -> Tensor:
    """float[n, weights]: the gradient of the sum of each image's outputs float[n, classes]."""
    if not outputs.requires_grad:
        return torch.zeros(len(outputs), 1)
    rows = []
    for output in outputs.sum(1):
        gradients = torch.autograd.grad(output, weights, retain_graph=True, allow_unused=True)
        rows.append(torch.cat([g.flatten() for g in gradients if g is not None]))
    return torch.stack(rows)


@dataclass(frozen=True)
class NTK(Proxy):
    """Minus ln of the condition number of the neural tangent kernel, so that higher is better: a network with
    a small condition trains fast. Its weights are those of the network; TE-NAS draws them by Kaiming's
    rule three times."""

    images: Annotated[int, Span(2)] = 16
    phrase: ClassVar[str] = "-ln of the neural tangent kernel's condition"

    def score(self, network: nn.Module, batch: Batch) -> float:
        weights = [p for name, p in network.named_parameters() if "weight" in name]
        rows = differentiate_each(compute_logits(network, batch.images), list(weights))
        return -math.log(condition_number(rows))
