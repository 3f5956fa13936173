"""Torch on a single thread, so that the order of sums, and with it a result, does not depend on the number
of cores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """As in an engine; a process forked meanwhile does not wait for threads that it lacks."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
