"""The contract of predictors that read tokens, the surrogates of PNAS, and pools of children as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cambrian.errors import SpaceError
from cambrian.predictors.predictor import Values

Tokens = NDArray[np.int64]
"""int[n, steps, slots], the result of `spaces.space.Encodes`; -1 where there is no token."""


class TokenModel(Protocol):
    """The arithmetic of a predictor that reads tokens; `token_learner.py` wraps it as a predictor. A state is
    a value: no method changes it."""

    def start_tokens(self, slots: Sequence[str], vocabulary: Mapping[str, int], seed: int) -> Any:
        """The state before any fit, for tokens of these slots and kinds (see `Encodes`)."""
        ...

    def fit_tokens(self, state: Any, tokens: Tokens, values: Values) -> Any:
        """The state fitted to tokens int[n, steps, slots] and their finite values float[n]. The fit starts
        from `state`, so that fitting level after level is fine-tuning."""
        ...

    def predict_tokens(self, state: Any, tokens: Tokens) -> Values:
        """The means float[n] for int[n, steps, slots], in the unit of the fitted values."""
        ...

    def score_children(self, state: Any, parents: Tokens, parent: Tokens, step: Tokens) -> Values:
        """The means float[n] for the n children of a `Pool`, without writing them out. `parents` is
        int[p, steps, slots]; child i adds `step[i]` (int[n, slots]) to `parents[parent[i]]`, or to
        nothing if `parent[i]` is -1. Equal to `predict_tokens(state, children(parents, parent, step))`
        up to rounding."""
        ...


def lengths(tokens: Tokens) -> NDArray[np.int64]:
    """int[n]: the number of steps of each architecture."""
    steps: NDArray[np.int64] = (tokens >= 0).any(axis=2).sum(axis=1)
    return steps


def children(parents: Tokens, parent: Tokens, step: Tokens) -> Tokens:
    """int[n, steps + 1, slots]: the tokens of a pool's children, written out."""
    orphan = np.full((1, *parents.shape[1:]), -1, dtype=np.int64)
    before = np.concatenate([parents, orphan])[parent]  # -1 finds the orphan
    after = np.concatenate([before, np.full((len(parent), 1, step.shape[1]), -1)], axis=1)
    after[np.arange(len(parent)), lengths(before)] = step
    return after


def prefixes(root: NDArray[np.int64], step: Tokens) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The tree of the distinct prefixes of (root, step): one pair (`above` int[u], `token` int[u]) per slot.
    Its u prefixes extend prefix number `above` of the slot before (for the first slot, root number `above`)
    by `token`. A last pair (`above` int[n], empty) has the prefix number of each row of `step`."""
    tree = []
    group = root
    for column in step.T:
        # (group, token) as one number, which np.unique sorts far faster than rows. -1 is a token too.
        base = int(column.max(initial=0)) + 2
        distinct, inverse = np.unique(group * base + column + 1, return_inverse=True)
        tree.append((distinct // base, distinct % base - 1))
        group = inverse.reshape(-1)
    return [*tree, (group, np.zeros(0, dtype=np.int64))]


def check_tokens(slots: Sequence[str], vocabulary: Mapping[str, int], tokens: Tokens) -> None:
    """Raises SpaceError for tokens outside of their vocabulary: the space's `Encodes` is at fault."""
    if tokens.shape[-1] != len(slots):
        raise SpaceError(f"tokens have {tokens.shape[-1]} slots, expected {len(slots)}: {', '.join(slots)}")
    for j, kind in enumerate(slots):
        top = int(tokens[..., j].max(initial=-1))
        if top >= vocabulary[kind]:
            raise SpaceError(
                f"slot {j} ({kind!r}) has the token {top}, but a vocabulary of {vocabulary[kind]}: "
                f"expected tokens from 0 to {vocabulary[kind] - 1}"
            )
