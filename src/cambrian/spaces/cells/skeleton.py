"""The skeleton settings of networks of cells, read from the user and the size of the image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cambrian.choices import Scalar
from cambrian.spaces.small import is_small
from cambrian.spaces.space import Signature

SETTINGS = ("skeleton", "filters", "cells", "auxiliary", "drop_path", "dropout", "stem", "stem_stride")
"""Of `cambrian.networks.models.cell_network.pair_network`."""


def settings_of(task: Signature, given: Mapping[str, Scalar]) -> dict[str, Any]:
    """`given`, and which skeleton it is where that is not said."""
    return {**_default(task), **given}


def _default(task: Signature) -> dict[str, Scalar]:
    if is_small(task):
        return {"skeleton": "small"}
    pixels = min(task.height, task.width)
    if pixels < 128:
        return {"skeleton": "cifar", "stem_stride": 1 if pixels <= 64 else 2}
    return {"skeleton": "imagenet-mobile"}
