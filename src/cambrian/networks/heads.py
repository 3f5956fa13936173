"""What a network gives: logits, or a tuple of several heads' logits, the first of which counts."""

from __future__ import annotations

from torch import Tensor


def first_head(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    return output[0] if isinstance(output, tuple) else output
