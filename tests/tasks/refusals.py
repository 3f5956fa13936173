"""What the tests of bad data share."""

from __future__ import annotations

import time

import numpy as np
import pytest

from cambrian.errors import DataError
from cambrian.tasks import load

RNG = np.random.default_rng(1)
X, Y = RNG.integers(0, 256, (12, 4, 4), dtype=np.uint8), np.arange(12) % 2


def refused(source: object, sentence: str, **settings: object) -> None:
    """Loading raises DataError: one line that matches, and not after minutes."""
    started = time.perf_counter()
    with pytest.raises(DataError, match=sentence) as caught:
        load(source, **settings)  # type: ignore[arg-type]
    assert time.perf_counter() - started < 60
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
