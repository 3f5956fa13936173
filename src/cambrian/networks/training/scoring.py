"""The outputs and the scores of a network on images that it does not learn from."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cambrian.networks.heads import first_head
from cambrian.networks.training.batches import Images
from cambrian.networks.training.precision import half_precision

Read = Callable[[int, int], Tensor]
"""The inputs of the images between two numbers."""


def scores(
    network: nn.Module,
    images: Images,
    batch_size: int,
    read: Read | None = None,
    precision: str = "auto",
) -> dict[str, float]:
    """Score the network in evaluation mode on all images: `accuracy`, `balanced_accuracy` (the mean recall
    over the classes that occur) and `loss`, the mean cross-entropy. `read` gives the images' inputs (None:
    they are made of their pixels)."""
    read = read or images.read
    network.eval()
    right, losses = [], []
    with torch.inference_mode(), half_precision(images.pixels.device, precision):
        for begin in range(0, len(images), batch_size):
            batch = slice(begin, begin + batch_size)
            targets = images.targets[batch]
            logits = first_head(network(read(batch.start, batch.stop))).float()
            right.append(logits.argmax(1) == targets)
            losses.append(F.cross_entropy(logits, targets, reduction="sum"))
    hits = torch.cat(right).double()
    counts = torch.bincount(images.targets)
    # A class without examples has no recall, and is left out of the mean.
    recall = torch.bincount(images.targets, weights=hits)[counts > 0] / counts[counts > 0]
    return {
        "accuracy": hits.mean().item(),
        "balanced_accuracy": recall.mean().item(),
        "loss": torch.stack(losses).sum().item() / len(images),
    }


def compute_outputs(
    network: nn.Module,
    images: Images,
    batch_size: int,
    read: Read | None = None,
    precision: str = "auto",
) -> Tensor:
    """The outputs float[n, outputs] of the network's first head in evaluation mode, for all images. `read`:
    see `scores`."""
    read = read or images.read
    network.eval()
    outputs = []
    with torch.inference_mode(), half_precision(images.pixels.device, precision):
        for begin in range(0, len(images), batch_size):
            outputs.append(first_head(network(read(begin, begin + batch_size))).float())
    return torch.cat(outputs)
