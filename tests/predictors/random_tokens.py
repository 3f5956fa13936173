"""Tokens and pools that several tests of surrogates draw."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

SLOTS = ("input", "input", "operation", "operation")
VOCABULARY = {"input": 4, "operation": 3}
SIZES = np.array([VOCABULARY[kind] for kind in SLOTS])


def draw_tokens(n, steps, seed=0, holes=False):
    """int[n, steps, slots], every architecture having 1 to `steps` steps; with `holes`, of their tokens
    some are absent."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, SIZES, size=(n, steps, len(SLOTS)))
    own = rng.integers(1, steps + 1, size=n)
    own[:1] = steps
    if holes:
        absent = rng.random(tokens.shape) < 0.2
        absent[..., 0] = False
        tokens[absent] = -1
    tokens[np.arange(steps) >= own[:, None]] = -1
    return tokens


def draw_values(n, seed=0, low=0.0, high=1.0):
    return np.random.default_rng(seed).uniform(low, high, size=n)


@st.composite
def pools(draw):
    """(parents, parent, step): some children without a parent, some slots without a token."""
    seed = draw(st.integers(0, 10**6))
    holes = draw(st.booleans())
    rng = np.random.default_rng(seed)
    parents = draw_tokens(draw(st.integers(1, 5)), draw(st.integers(1, 4)), seed, holes)
    n = draw(st.integers(1, 40))
    step = draw_tokens(n, 1, seed + 1, holes)[:, 0]
    return parents, rng.integers(-1, len(parents), size=n), step
