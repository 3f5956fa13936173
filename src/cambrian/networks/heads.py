"""The output of a network: logits, or a tuple of several heads' logits, of which the first counts."""

from __future__ import annotations

from torch import Tensor


def spread_targets(targets: Tensor, logits: Tensor) -> Tensor:
    """Classes int64[n], or of logits [n, classes, height, width] the same at each pixel."""
    sides = logits.shape[2:]
    return targets.view(-1, *[1] * len(sides)).expand(-1, *sides) if sides else targets


def first_head(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    """The logits by which the network is scored; further heads only help to train it."""
    return output[0] if isinstance(output, tuple) else output
