"""The GPUs of this machine, of which each worker process has one.

A worker sees its own alone, by the environment that CUDA reads: code of a user's that says "cuda", as
cambrian's own does, then computes on that one, and none has to know of the others.
"""

from __future__ import annotations

from collections.abc import Mapping

VISIBLE = "CUDA_VISIBLE_DEVICES"


def count_gpus() -> int:
    """The number of GPUs that this process sees."""
    import torch  # late: only a search on a GPU needs it

    return torch.cuda.device_count()


def list_gpus(count: int, environment: Mapping[str, str]) -> list[str]:
    """The names of `count` GPUs as CUDA reads them: those that the environment lists, else their numbers.

    >>> list_gpus(2, {}), list_gpus(2, {"CUDA_VISIBLE_DEVICES": "3, GPU-5e1f"})
    (['0', '1'], ['3', 'GPU-5e1f'])
    """
    listed = [name.strip() for name in environment.get(VISIBLE, "").split(",") if name.strip()]
    return listed[:count] if listed else [str(number) for number in range(count)]


def assign_gpus(device: str, workers: int, environment: Mapping[str, str]) -> list[dict[str, str]]:
    """What the environment of each of several workers has beside this one's: the GPU of its own, one worker
    after the other, and from the first one again. Nothing where the `device` is a CPU or one GPU that is
    named, as cuda:1; nor for a single worker, which may use several, nor on a single GPU."""
    count = count_gpus() if device == "cuda" and workers > 1 else 1
    if count < 2:
        return [{} for _ in range(workers)]
    names = list_gpus(count, environment)
    return [{VISIBLE: names[number % len(names)]} for number in range(workers)]
