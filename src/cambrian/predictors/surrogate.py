"""What ranks candidates nobody has trained: the contract of a surrogate, and its yardsticks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cambrian.errors import SpaceError

Tokens = NDArray[np.int64]
"""int[n, steps, slots] as `spaces.space.Encodes` gives them: -1 where there is no token."""

Values = NDArray[np.float64]


@runtime_checkable
class Surrogate(Protocol):
    """Implementations are frozen dataclasses whose fields are their JSON settings. A state is a value:
    no method changes it. Predictions are in the unit of the values fitted; only their order is used."""

    def start(self, slots: Sequence[str], vocabulary: Mapping[str, int], seed: int) -> Any:
        """The state before anything is known, for tokens of that kind (see `Encodes`)."""
        ...

    def fit(self, state: Any, tokens: Tokens, values: Values) -> Any:
        """The state knowing int[n, steps, slots] and their finite values float[n]. Goes on from
        `state`, so that fitting level after level is fine-tuning."""
        ...

    def predict(self, state: Any, tokens: Tokens) -> Values:
        """float[n] for int[n, steps, slots]."""
        ...

    def score(self, state: Any, parents: Tokens, parent: Tokens, step: Tokens) -> Values:
        """float[n] for the n children of a `Pool`, without writing them out: `parents`
        int[p, steps, slots], child i adds `step[i]` (int[n, slots]) to `parents[parent[i]]`, or to
        nothing where `parent[i]` is -1. Equal to `predict(state, children(parents, parent, step))`
        up to rounding."""
        ...


def lengths(tokens: Tokens) -> NDArray[np.int64]:
    """int[n]: how many steps each architecture has."""
    found: NDArray[np.int64] = (tokens >= 0).any(axis=2).sum(axis=1)
    return found


def children(parents: Tokens, parent: Tokens, step: Tokens) -> Tokens:
    """int[n, steps + 1, slots]: the tokens of a pool's children, written out."""
    orphan = np.full((1, *parents.shape[1:]), -1, dtype=np.int64)
    before = np.concatenate([parents, orphan])[parent]  # -1 finds the orphan
    after = np.concatenate([before, np.full((len(parent), 1, step.shape[1]), -1)], axis=1)
    after[np.arange(len(parent)), lengths(before)] = step
    return after


def score_by_predicting(
    surrogate: Surrogate, state: Any, parents: Tokens, parent: Tokens, step: Tokens, chunk: int = 8192
) -> Values:
    """`Surrogate.score` for one that shares nothing between siblings: write out and predict."""
    found = [
        surrogate.predict(state, children(parents, parent[part], step[part]))
        for part in chunks(len(parent), chunk)
    ]
    return np.concatenate(found) if found else np.zeros(0)


def chunks(n: int, size: int) -> Iterator[slice]:
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def prefixes(root: NDArray[np.int64], step: Tokens) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The tree of the distinct beginnings of (root, step): one pair (`above` int[u], `token` int[u])
    per slot, whose u beginnings extend number `above` of the slot before (of the roots, for the first)
    by `token`. A last pair (`above` int[n], empty) says which beginning each row of `step` is."""
    tree = []
    group = root
    for column in step.T:
        base = int(column.max(initial=0)) + 2  # -1 is a token too: the absent one
        distinct, inverse = np.unique(group * base + column + 1, return_inverse=True)
        tree.append((distinct // base, distinct % base - 1))
        group = inverse.reshape(-1)
    return [*tree, (group, np.zeros(0, dtype=np.int64))]


def check_tokens(slots: Sequence[str], vocabulary: Mapping[str, int], tokens: Tokens) -> None:
    """Refuse tokens outside their vocabulary: the space's `Encodes` is at fault."""
    if tokens.shape[-1] != len(slots):
        raise SpaceError(f"tokens have {tokens.shape[-1]} slots, expected {len(slots)}: {', '.join(slots)}")
    for j, kind in enumerate(slots):
        top = int(tokens[..., j].max(initial=-1))
        if top >= vocabulary[kind]:
            raise SpaceError(
                f"slot {j} ({kind!r}) has the token {top}, but a vocabulary of {vocabulary[kind]}: "
                f"expected tokens from 0 to {vocabulary[kind] - 1}"
            )


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Rank correlation in [-1, 1]; NaN for fewer than two pairs or where one side is constant."""
    from scipy.stats import spearmanr

    return float(spearmanr(x, y).statistic) if _varies(x) and _varies(y) else float("nan")


def kendall(x: ArrayLike, y: ArrayLike) -> float:
    """Kendall's tau-b in [-1, 1]; NaN for fewer than two pairs or where one side is constant."""
    from scipy.stats import kendalltau

    return float(kendalltau(x, y).statistic) if _varies(x) and _varies(y) else float("nan")


def _varies(x: ArrayLike) -> bool:
    values = np.asarray(x)
    return len(values) > 1 and bool((values != values[0]).any())
