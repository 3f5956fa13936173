"""What a trained network gives for a fixed input, kept with its weights: the same weights in a network that
was changed since are told by it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cambrian.networks.heads import first_head
from cambrian.networks.tensor_copies import copied

IMAGES = 2
TOLERANCE = 1e-3
"""Of the largest output, or of 1: what another machine, another number of threads or another version of
torch changes is far below, a layer that was exchanged far above."""


def describe_outputs(network: nn.Module, shape: Sequence[int]) -> str | None:
    """The outputs, in evaluation mode on the CPU, for images of (channels, height, width), as JSON; None
    where two runs give different ones, as where chance has a part in them, or none."""
    network = copied(network).to("cpu").eval()
    try:
        first, second = _outputs(network, shape), _outputs(network, shape, seed=1)
    except Exception:  # it may need the device that it was trained on
        return None
    if not torch.equal(first, second) or not bool(first.isfinite().all()):
        return None
    return json.dumps({"shape": list(shape), "outputs": first.tolist()})


def outputs_difference(network: nn.Module, described: str) -> float:
    """How far the outputs of `network`, on the CPU and in evaluation mode, are from those described: 0 within
    the tolerance, infinite where they are of another shape, or cannot be had."""
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
    """Images like noise, which no generator of random numbers has to remember."""
    numbers = torch.arange(IMAGES * math.prod(shape), dtype=torch.float64)
    return (2 * torch.sin(numbers * 12.9898 + 0.5)).float().reshape(IMAGES, *shape)
