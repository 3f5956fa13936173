"""AZ-NAS: assembled zero-cost proxies (Lee & Ham 2024, arXiv 2403.19232): expressivity, progressivity and
trainability, of the maps of features that the blocks of a network return. The fourth one is `macs`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cambrian.networks.measure.zero_cost.blocks import read_maps
from cambrian.networks.measure.zero_cost.proxy import Batch, Proxy
from cambrian.settings import Span

EPS = 1e-6


def spectrum_entropy(features: Tensor) -> float:
    """The entropy of the normalised eigenvalues of the covariance of the channels: `features`
    float[n, channels, height, width], every position of every image an observation. ln(channels) at most."""
    observations = features.detach().double().transpose(0, 1).flatten(1)  # (channels, n * height * width)
    centred = observations - observations.mean(1, keepdim=True)
    eigenvalues = torch.linalg.eigvalsh(centred @ centred.T / centred.shape[1]).clamp(min=0)
    total = eigenvalues.sum()
    if total <= 0:  # a map that is the same for all images expresses nothing
        return 0.0
    shares = eigenvalues / total
    return -float((shares * torch.log(shares + 1e-8)).sum())


def trainability(maps: Sequence[Tensor], generator: torch.Generator) -> float:
    """The mean over blocks of 2 - s - 1 / s: 0 where the top singular value s of the correlation between a
    gradient at a block's output and at its input is 1, so that gradients neither vanish nor explode."""
    pairs = list(itertools.pairwise(maps))
    return float(np.mean([_judge_block(i, o, generator) for i, o in pairs])) if pairs else 0.0


def _judge_block(inputs: Tensor, outputs: Tensor, generator: torch.Generator) -> float:
    probe = torch.randint(2, outputs.shape, generator=generator).to(outputs) * 2 - 1
    arrived = _pull_back(outputs, inputs, probe)
    # A block that is the identity would be perfect: the authors put it last, and so do we, at s = 0.
    if arrived is None or (arrived.shape == probe.shape and bool((arrived == probe).all())):
        return 2 - 1 / EPS
    top = float(torch.linalg.matrix_norm(correlate_gradients(arrived, probe), 2))
    return 2 - top - 1 / (top + EPS)


def _pull_back(outputs: Tensor, inputs: Tensor, probe: Tensor) -> Tensor | None:
    """The gradient at `inputs` of the outputs times the probe; None without a path between them."""
    if not (outputs.requires_grad and inputs.requires_grad):
        return None
    return torch.autograd.grad(outputs, inputs, probe, retain_graph=True, allow_unused=True)[0]


def correlate_gradients(arrived: Tensor, probe: Tensor) -> Tensor:
    """float[channels in, channels out]: the mean over images and positions of arrived x probe. Where the
    block has a stride, the positions that one output reads are channels of their own; where it enlarges
    images, those that one input is spread to."""
    rows, columns = (min(pair) for pair in zip(arrived.shape[2:], probe.shape[2:], strict=True))
    g_in, g_out = (
        _gather_places(g.double(), rows, columns).transpose(0, 1).flatten(1) for g in (arrived, probe)
    )
    return g_in @ g_out.T / g_out.shape[1]


def _gather_places(gradient: Tensor, rows: int, columns: int) -> Tensor:
    """float[n, channels s t, rows, columns]: the s x t places that belong to each position as channels."""
    n, channels, height, width = gradient.shape
    s, t = _find_stride(height, rows), _find_stride(width, columns)
    # An odd image that is halved has no last row and column: these are zeros, as its padding was.
    whole = F.pad(gradient, (0, t * columns - width, 0, s * rows - height))
    return whole.reshape(n, channels, rows, s, columns, t).permute(0, 1, 3, 5, 2, 4).flatten(1, 3)


def _find_stride(large: int, small: int) -> int:
    """The stride of a layer that makes images of `small` pixels of `large` ones.

    >>> [_find_stride(*sizes) for sizes in ((8, 8), (8, 4), (7, 4), (6, 5), (8, 3))]
    [1, 2, 2, 1, 2]
    """
    return large // small if large >= 2 * small else round(large / small)


@dataclass(frozen=True)
class Expressivity(Proxy):
    """How evenly the channels of features are used: the entropy of their spectrum, summed over blocks."""

    phrase: ClassVar[str] = "entropy of the features' spectrum, summed over blocks"

    def score(self, network: nn.Module, batch: Batch) -> float:
        return sum(map(spectrum_entropy, read_maps(network, batch.images)))


@dataclass(frozen=True)
class Progressivity(Proxy):
    """How much expressivity the least of the blocks adds. It is 0 with fewer than two blocks."""

    phrase: ClassVar[str] = "least increase of the spectrum's entropy from block to block"

    def score(self, network: nn.Module, batch: Batch) -> float:
        entropies = [spectrum_entropy(m) for m in read_maps(network, batch.images)]
        return float(np.diff(entropies).min()) if len(entropies) > 1 else 0.0


@dataclass(frozen=True)
class Trainability(Proxy):
    """How well gradients pass through the blocks, by random signs as gradients."""

    images: Annotated[int, Span(2)] = 32
    phrase: ClassVar[str] = "top singular value of the blocks' gradient correlations, near 1"

    def score(self, network: nn.Module, batch: Batch) -> float:
        return trainability(read_maps(network, batch.images), torch.Generator().manual_seed(0))
