"""The output of a network: logits, or a tuple of several heads' logits, of which the first counts."""

from __future__ import annotations

from torch import Tensor


def first_head(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    """The logits by which the network is scored; further heads only help to train it."""
    return output[0] if isinstance(output, tuple) else output
