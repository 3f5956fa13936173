"""What networks for small images are where nothing else is said: papers' own sizes are meant for images of
32 to 224 pixels and for GPUs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cambrian.choices import Scalar
from cambrian.spaces.space import Signature

PIXELS = 28
"""The shorter side of the largest image that counts as small."""


def is_small(task: Signature) -> bool:
    return min(task.height, task.width) <= PIXELS


def small(task: Signature, given: Mapping[str, Scalar], **smaller: Scalar) -> dict[str, Any]:
    """The settings `given`, after those a small image has instead of the network's own."""
    return {**(smaller if is_small(task) else {}), **given}
