"""Memory of tensors that is used again and not given back to the system at every step.

glibc serves what is larger than a threshold (32 MB at the most that it chooses itself) by pages of its own,
and gives back the end of its heap as soon as that is free. Such memory comes back page by page and zeroed:
for the activations of wide layers this takes as long as to compute them.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

MEGABYTE = 1 << 20
# The parameters' numbers in malloc.h.
TRIM, PAD, PAGES, COUNT = -1, -2, -3, -4
"""Free memory at the end of the heap that is given back; what the heap grows by beside a request; the size
from which a request gets pages of its own; how many may."""
WITHIN = {TRIM: -1, PAD: 64 * MEGABYTE, PAGES: 1024 * MEGABYTE}
"""-1: nothing is given back."""
AFTER = {TRIM: 64 * MEGABYTE, PAD: MEGABYTE // 8, PAGES: 32 * MEGABYTE}
"""The largest values that glibc comes to by itself; its first ones cannot be had back."""
VARIABLES = {"MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_"}

_lock = threading.Lock()
_depth = 0


@contextmanager
def reuse_memory() -> Iterator[None]:
    """Let this process keep the memory that is freed within, for what is allocated next. Without effect
    where there is no glibc, and where the user's environment sets what this would."""
    global _depth
    with _lock:
        _depth += 1
        if _depth == 1:
            _set(WITHIN, 0)
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if not _depth:
                _set(AFTER, 65536)  # glibc's usual number


def _set(values: dict[int, int], count: int) -> None:
    mallopt = _find_mallopt()
    if mallopt is not None:
        accepted = [mallopt(parameter, value) for parameter, value in values.items()]
        if not all(accepted) or count:  # before glibc 2.35 no size above 32 MB is accepted
            mallopt(COUNT, count)


@cache
def _find_mallopt() -> Callable[[int, int], int] | None:
    chosen = VARIABLES & set(os.environ) or "glibc.malloc." in os.environ.get("GLIBC_TUNABLES", "")
    if sys.platform != "linux" or chosen:
        return None
    return getattr(ctypes.CDLL(None), "mallopt", None)
