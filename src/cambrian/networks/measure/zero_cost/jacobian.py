"""Proxies of the gradient with respect to the images: jacob_cov (Mellor et al. 2020, arXiv 2006.04647v1) and
EPE-NAS (Lopes et al. 2021, arXiv 2102.08099)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from cambrian.networks.measure.zero_cost.proxy import Batch, Proxy, classes_of, compute_logits, differentiate

K = 1e-5
"""Keeps logarithms and quotients finite, in both papers."""
Rows = NDArray[np.float64]


def jacob_cov(rows: Rows) -> float:
    """-sum(ln(v + k) + 1 / (v + k)) over the eigenvalues v of the correlations between the rows, each the
    gradient of one image."""
    eigenvalues = np.maximum(np.linalg.eigvalsh(_correlate(rows)), 0.0) + K  # rounding may take 0 below 0
    return -float(np.sum(np.log(eigenvalues) + 1.0 / eigenvalues))


def epe_nas(rows: Rows, targets: NDArray[np.int64], classes: int) -> float:
    """The sum over classes of |sum of ln(|correlation| + k)| between the images of one class; with more than
    100 classes, the mean over the classes of its differences to those of the others, each divided by the
    number of its images."""
    sums = []
    for label in np.unique(targets):
        logs = np.log(np.abs(_correlate(rows[targets == label])) + K)
        sums.append(float(logs.sum()) / (len(logs) if classes > 100 else 1))
    if classes <= 100:
        return float(np.abs(sums).sum())
    return float(np.abs(np.subtract.outer(sums, sums)).sum()) / len(sums)


def _correlate(rows: Rows) -> Rows:
    """float[n, n]; not a number in the row of an image on which the outputs do not depend."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.atleast_2d(np.corrcoef(rows)).astype(np.float64)


def differentiate_images(network: nn.Module, images: Tensor) -> tuple[Rows, int]:
    """float[n, pixels], the gradients of the sum of each image's logits; and the number of classes."""
    pixels = images.detach().clone().requires_grad_()
    logits = compute_logits(network, pixels)
    (gradient,) = differentiate(logits.sum(), [pixels])
    return gradient.flatten(1).double().cpu().numpy(), logits.shape[1]


@dataclass(frozen=True)
class JacobCov(Proxy):
    """How differently the network sees images: the correlations of their gradients. Not defined where the
    outputs do not depend on the images."""

    phrase: ClassVar[str] = "spectrum of the correlations of the images' gradients"

    def score(self, network: nn.Module, batch: Batch) -> float:
        rows, _classes = differentiate_images(network, batch.images)
        return jacob_cov(rows) if np.isfinite(_correlate(rows)).all() else np.nan


@dataclass(frozen=True)
class EpeNas(Proxy):
    """How differently the network sees images of one class: the correlations of their gradients."""

    phrase: ClassVar[str] = "correlations of the images' gradients within classes"

    def score(self, network: nn.Module, batch: Batch) -> float:
        rows, classes = differentiate_images(network, batch.images)
        return epe_nas(rows, classes_of(batch, classes).cpu().numpy(), classes)
