"""What a component must not feel: other states of the random generators that a process shares."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def disturb_generators() -> Iterator[None]:
    """Put the global generators into other states, and back at the end."""
    import torch

    numpy_state, python_state = np.random.get_state(), random.getstate()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(123456)
            np.random.seed(123456)
            random.seed(123456)
            yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)
