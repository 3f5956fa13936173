"""The skeleton settings of networks of cells, read from the user and the size of the image."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from cambrian.choices import Scalar
from cambrian.spaces.budgets import list_sizes
from cambrian.spaces.small_images import is_small
from cambrian.spaces.space import Signature

SETTINGS = ("skeleton", "filters", "cells", "auxiliary", "drop_path", "dropout", "stem", "stem_stride")
"""The settings of `cambrian.networks.skeletons.cell_network.pair_network`."""


def pair_sizes(filters: int) -> tuple[dict[str, Scalar], ...]:
    """Sizes of networks of a normal and a reduction cell, the last one a paper's own of N = 6."""
    return list_sizes(filters=(8, 16, 16, 16, 24, 24, 28, filters), cells=(3, 3, 5, 8, 8, 11, 14, 20))


def settings_of(task: Signature, given: Mapping[str, Scalar], known: Collection[str]) -> dict[str, Any]:
    """`given`, after the default skeleton for the image, of those `known`."""
    return {**_default(task, known), **given}


def _default(task: Signature, known: Collection[str]) -> dict[str, Scalar]:
    pixels = min(task.height, task.width)
    if is_small(task):
        return {"skeleton": "small"}
    if pixels < 128:
        # Images of 65 to 127 pixels are halved once: the cells of CIFAR-10 then see 33 to 64.
        return {"skeleton": "cifar", "stem_stride": 1 if pixels <= 64 else 2}
    if "imagenet-mobile" in known:
        return {"skeleton": "imagenet-mobile"}
    # A family without an ImageNet skeleton reads large images at a quarter of their sides.
    return {"skeleton": "cifar", "stem_stride": 4}
