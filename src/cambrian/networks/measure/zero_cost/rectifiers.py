"""Proxies of the pattern of active rectifiers: NASWOT (Mellor et al. 2021, arXiv 2006.04647v3) and linear
regions (Chen et al. 2021, TE-NAS, arXiv 2102.11535)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from cambrian.networks.measure.zero_cost.proxy import Batch, Proxy, compute_logits
from cambrian.settings import Span

aten = torch.ops.aten
RECTIFIERS = frozenset(
    op.default
    for op in (aten.relu, aten.relu_, aten.leaky_relu, aten.leaky_relu_, aten.hardtanh, aten.hardtanh_)
)
"""Operations that are linear on either side of 0; `hardtanh` is how torch computes ReLU6."""


class RectifierCodes(TorchDispatchMode):
    """Inside, `codes` gets for each rectifier that runs bool[n, units]: whether its input is above 0. It sees
    functions as well as modules."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.codes: list[Tensor] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in RECTIFIERS:  # before it runs, since it may work in place
            self.codes.append((args[0] > 0).flatten(1))
        return func(*args, **(kwargs or {}))


def count_agreements(codes: list[Tensor], images: int) -> NDArray[np.float64]:
    """float[n, n]: the number of units in which two images have the same code; that is the number of all
    units minus the Hamming distance."""
    total = np.zeros((images, images))
    for code in codes:
        x = code.float()
        total += (x @ x.T + (1 - x) @ (1 - x).T).double().cpu().numpy()
    return total


def naswot(kernel: NDArray[np.float64]) -> float:
    """ln |det K|; minus infinity where two images have the same code."""
    return float(np.linalg.slogdet(kernel)[1])


def count_regions(codes: list[Tensor]) -> float:
    """The sum over images of 1 / (images with the same pattern): the number of linear regions they lie in."""
    if not codes:
        return 1.0
    return float(len(torch.unique(torch.cat(codes, 1), dim=0)))


def record_codes(network: nn.Module, images: Tensor) -> list[Tensor]:
    with torch.no_grad(), RectifierCodes() as mode:
        compute_logits(network, images)
        codes: list[Tensor] = mode.codes
    return codes


@dataclass(frozen=True)
class Naswot(Proxy):
    """How differently the rectifiers treat images: ln |det| of the agreements. All rectifiers that run count.
    Not defined without rectifiers, nor where two images have the same code."""

    phrase: ClassVar[str] = "log-determinant of the agreement of rectifiers"

    def score(self, network: nn.Module, batch: Batch) -> float:
        return naswot(count_agreements(record_codes(network, batch.images), len(batch.images)))


@dataclass(frozen=True)
class LinearRegions(Proxy):
    """The number of linear regions in which coarse images lie, at most their number. The images are averaged
    to `size` x `size` pixels, the dimension of TE-NAS's inputs, and enlarged again. Its networks were cells
    of one channel: a network of ordinary width soon has a region for every image."""

    images: Annotated[int, Span(2)] = 256
    size: Annotated[int, Span(1)] = 3
    phrase: ClassVar[str] = "number of linear regions of coarse images"

    def score(self, network: nn.Module, batch: Batch) -> float:
        coarse = F.adaptive_avg_pool2d(batch.images, self.size)
        return count_regions(record_codes(network, F.interpolate(coarse, batch.images.shape[-2:])))
