"""Counter-based randomness: every consumer has a stream of its own, named after its purpose.

A stream depends on its name alone, never on how much was drawn elsewhere. That makes a search the same on
one worker or many, interrupted or not.
"""

from __future__ import annotations

import zlib

import numpy as np

from cambrian.errors import UsageError


def stream(seed: int, *name: int | str) -> np.random.Generator:
    """The generator named `name`, of the run with this seed.

    >>> bool(stream(0, "trial", 3).random() == stream(0, "trial", 3).random())
    True
    """
    if seed < 0:
        raise UsageError(f"a seed is a whole number from 0 on, got {seed}")
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *map(_word, name)])))


def integer_seed(seed: int, *name: int | str) -> int:
    """A 63-bit integer for libraries that seed themselves with one (torch, scikit-learn)."""
    return int(stream(seed, *name).integers(2**63))


def _word(part: int | str) -> int:
    # Not hash(): that of a text differs in every process.
    return part if isinstance(part, int) else zlib.crc32(part.encode())
