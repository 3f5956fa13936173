"""The images by which activations are rounded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CALIBRATION = 128
"""Images that ranges are taken from: more of them move the ranges of small networks by less than a step."""


def spread_indices(indices: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """At most `count` of the indices, evenly from the first to the last, so that sorted data give all
    classes.

    >>> spread_indices(np.arange(10), 4).tolist()
    [0, 3, 6, 9]
    """
    if len(indices) <= count:
        return indices
    return indices[np.linspace(0, len(indices) - 1, count).round().astype(np.int64)]
