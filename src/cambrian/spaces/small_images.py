"""Default settings of networks for small images: papers' own sizes are meant for images of 32 to 224 pixels
and for GPUs."""

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
    """Default settings for the task: for a small image the `smaller` ones, overridden by those `given`."""
    return {**(smaller if is_small(task) else {}), **given}
