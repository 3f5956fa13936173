"""The course of a supernet's gates: after each epoch their probabilities, the mean validation loss, and the
largest eigenvalue of its Hessian, by which a collapse announces itself (Zela et al., "Understanding and
Robustifying Differentiable Architecture Search", ICLR 2020, Sec. 4)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from cambrian.networks.second_derivatives import is_unknown, twice_differentiable


class Course:
    """Numbers of finished epochs, and the sum of the losses of the one that runs. `sizes` are the numbers of
    options by site."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._sizes = dict(sizes)
        self._rows: list[Tensor] = []  # each float64 [2 + all options]: loss, eigenvalue, probabilities
        self._total, self._count = 0.0, 0

    def add_loss(self, loss: float) -> None:
        self._total, self._count = self._total + loss, self._count + 1

    def close_epoch(self, probabilities: Mapping[str, Tensor], eigenvalue: float) -> None:
        """Add the epoch that ends."""
        loss = self._total / self._count if self._count else math.nan
        gates = [probabilities[site].detach().double().cpu() for site in self._sizes]
        self._rows.append(torch.cat([torch.tensor([loss, eigenvalue], dtype=torch.float64), *gates]))
        self._total, self._count = 0.0, 0

    def describe(self) -> dict[str, Any]:
        """The course as JSON: lists over the epochs; a number that was not measured is None."""
        table = [row.tolist() for row in self._rows]
        gates: dict[str, list[list[float]]] = {}
        begin = 2
        for site, size in self._sizes.items():
            gates[site] = [[round(p, 6) for p in row[begin : begin + size]] for row in table]
            begin += size
        return {
            "loss": [_plain(row[0]) for row in table],
            "eigenvalue": [_plain(row[1]) for row in table],
            "gates": gates,
        }

    def state(self) -> dict[str, Tensor]:
        width = 2 + sum(self._sizes.values())
        rows = torch.stack(self._rows) if self._rows else torch.zeros(0, width, dtype=torch.float64)
        return {"rows": rows, "sum": torch.tensor([self._total, self._count], dtype=torch.float64)}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        self._rows = [row.cpu() for row in tensors["rows"]]
        self._total, self._count = float(tensors["sum"][0]), int(tensors["sum"][1])


def find_largest_eigenvalue(loss: Callable[[], Tensor], gates: Sequence[Tensor], iterations: int) -> float:
    """The largest eigenvalue of the Hessian of `loss` with respect to `gates`, by so many steps of Lanczos's
    iteration; NaN where it is not finite, or torch does not know the second derivative of a function."""
    try:
        with twice_differentiable():
            return _iterate(loss, gates, iterations)
    except RuntimeError as error:
        # Nothing is learned by it: a training goes on, and the other signs of a collapse are left.
        if is_unknown(error):
            return math.nan
        raise


def _iterate(loss: Callable[[], Tensor], gates: Sequence[Tensor], iterations: int) -> float:
    value = loss()
    if not value.requires_grad:  # where no connection is left, gates change nothing
        return 0.0
    slopes = torch.autograd.grad(value, list(gates), create_graph=True, allow_unused=True)
    pairs = [(g, s) for g, s in zip(gates, slopes, strict=True) if s is not None and s.requires_grad]
    if not pairs:
        return 0.0
    parameters, gradient = [g for g, _ in pairs], torch.cat([s.flatten() for _, s in pairs])
    # Drawn from torch's generator, which is seeded by the step: a start may be orthogonal to no direction.
    vector = torch.randn_like(gradient)
    basis, images = list[Tensor](), list[Tensor]()
    for _ in range(min(iterations, len(vector))):
        length = vector.norm()
        for _ in range(
            2
        ):  # twice, since what the first time leaves of the others is large beside a short rest
            for other in basis:
                vector = vector - (other @ vector) * other
        if vector.norm() <= 1e-4 * length:  # all that the start has of the Hessian is spanned
            break
        vector = vector / vector.norm()
        products = torch.autograd.grad(
            gradient, parameters, grad_outputs=vector, retain_graph=True, allow_unused=True
        )
        image = torch.cat(
            [(torch.zeros_like(g) if p is None else p).flatten() for p, g in zip(products, parameters)]
        )
        basis, images, vector = [*basis, vector], [*images, image], image
    form = (torch.stack(basis) @ torch.stack(images).T).double().cpu()
    # The largest and not that of the largest size, as in the released code: at a saddle, where both signs are
    # alike in size, that of a power iteration is neither.
    return float(torch.linalg.eigvalsh((form + form.T) / 2)[-1]) if form.isfinite().all() else math.nan


def _plain(number: float) -> float | None:
    return float(f"{number:.6g}") if math.isfinite(number) else None
