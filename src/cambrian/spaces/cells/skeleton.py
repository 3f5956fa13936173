"""The skeleton settings of networks of cells, read from the user and the size of the image."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from cambrian.choices import Scalar
from cambrian.errors import UnknownName
from cambrian.spaces.space import Signature


def settings_of(task: Signature, given: Mapping[str, Scalar]) -> dict[str, Any]:
    """The settings `pair_network` is called with; raises UnknownName for one it has not."""
    from cambrian.networks.models.cell_network import pair_network

    known = inspect.signature(pair_network).parameters.values()
    valid = [p.name for p in known if p.kind is p.KEYWORD_ONLY and p.name != "make"]
    for name in given:
        if name not in valid:
            raise UnknownName("skeleton setting", name, valid)
    return {**_default(min(task.height, task.width)), **given}


def _default(pixels: int) -> dict[str, Scalar]:
    if pixels <= 28:
        return {"skeleton": "small"}
    if pixels < 128:
        return {"skeleton": "cifar", "stem_stride": 1 if pixels <= 64 else 2}
    return {"skeleton": "imagenet-mobile"}
