"""Functions that compute on a GPU, which a forked process cannot use: they are called in this one."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from cambrian.codec import encode
from cambrian.errors import CambrianError
from cambrian.search.planning.forked import Failed


def is_gpu(device: str) -> bool:
    return device.startswith("cuda")


def call_here(functions: Sequence[Callable[[], Any]]) -> list[Any]:
    """The result of each function, as JSON gives it back, or a Failed: of one that raised, as for want of the
    GPU's memory. That memory is given back afterwards, since this process keeps none of it from the workers
    that will train there."""
    import torch

    results = []
    for function in functions:
        results.append(_call(function))
        gc.collect()  # networks refer to themselves, and hold their memory until they are collected
        torch.cuda.empty_cache()
    return results


def _call(function: Callable[[], Any]) -> Any:
    try:
        return msgspec.json.decode(encode(function()))
    except CambrianError:  # a sentence for the user
        raise
    except Exception as error:
        said = str(error).partition("\n")[0][:300]
        return Failed(f"{type(error).__name__}: {said}")
