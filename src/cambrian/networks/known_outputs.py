"""The outputs of a trained network for a fixed input, stored with its weights. They reveal a network whose
code was changed since, though the same weights still fit into it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cambrian.networks.heads import first_head
from cambrian.networks.tensor_copies import copy_network

IMAGES = 2
TOLERANCE = 1e-3
"""As a share of the largest output, or of 1 if that is larger. Another machine, number of threads or version
of torch changes far less than this, a replaced layer far more."""


def describe_outputs(network: nn.Module, shape: Sequence[int]) -> str | None:
    """The outputs, in evaluation mode on the CPU, for images of (channels, height, width), as JSON; None
    where two runs differ (the forward is random), or the network does not run or gives infinite values."""
    # On a copy, since the network may be in the middle of its training on another device.
    network = copy_network(network).to("cpu").eval()
    try:
        # Two seeds: an output that depends on chance would differ again at every later comparison.
        first, second = _outputs(network, shape), _outputs(network, shape, seed=1)
    except Exception:  # it may need the device that it was trained on
        return None
    if not torch.equal(first, second) or not bool(first.isfinite().all()):
        return None
    return json.dumps({"shape": list(shape), "outputs": first.tolist()})


def outputs_difference(network: nn.Module, described: str) -> float:
    """The largest difference between the outputs of `network` (on the CPU, in evaluation mode) and those in
    `described`: 0 within the tolerance, infinite where shapes differ or the network does not run."""
    record = json.loads(described)
    wanted = torch.tensor(record["outputs"])
    try:
        outputs = _outputs(network, record["shape"])
    except Exception:  # a forward of the user's own may raise anything
        return math.inf
    if outputs.shape != wanted.shape or not bool(outputs.isfinite().all()):
        return math.inf
    difference = float((outputs - wanted).abs().max())
    return 0.0 if difference <= TOLERANCE * max(1.0, float(wanted.abs().max())) else difference


def _outputs(network: nn.Module, shape: Sequence[int], seed: int = 0) -> Tensor:
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return first_head(network(_inputs(shape))).float()


def _inputs(shape: Sequence[int]) -> Tensor:
    """Noise-like images, always the same: float[IMAGES, *shape]."""
    # A formula and not a seeded generator, whose numbers may change from one version of torch to the next.
    numbers = torch.arange(IMAGES * math.prod(shape), dtype=torch.float64)
    return (2 * torch.sin(numbers * 12.9898 + 0.5)).float().reshape(IMAGES, *shape)
