"""Randomness for tests whose claims hold for every seed: fixed, unless `CAMBRIAN_TEST_SEED` is another number
than 0, which shows whether they do."""

from __future__ import annotations

import os
import random

import numpy as np

from cambrian import randomness

SHIFT = 1000 * int(os.environ.get("CAMBRIAN_TEST_SEED", "0"))


def stream(seed, *name):
    return randomness.stream(seed + SHIFT, *name)


def default_rng(seed):
    return np.random.default_rng(seed + SHIFT)


def seeded(seed):
    """A generator of the standard library."""
    return random.Random(seed + SHIFT)
