"""Exploration cells of POPNAS: Lomurno, Samele, Matteucci & Ardagna, "Pareto-Optimal Progressive Neural
Architecture Search" (GECCO 2021 companion); Falanti et al., "POPNASv2" (IJCNN 2022), with the thresholds of
the authors' release.

A front of predictions repeats what the surrogates know. Inputs and operations that it hardly uses would never
be learned about: some children with many of them are trained as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cambrian.spaces.knowledge import Encodes, Pool

    Counts = NDArray[np.int64]
    Values = NDArray[np.float64]

EVEN = 5
"""A token is explored that the front uses less than one over `EVEN` times as often as it would evenly."""

ENOUGH = 4
"""The score that a child has to have, for each of at most two kinds of tokens of which some are explored."""


@dataclass(frozen=True)
class TokenUses:
    """The uses of tokens by the children of a pool: those that child i has from its parent are
    `inherited[parent[i]]`, int[parents, tokens]; its own step adds the tokens `step[i]`, int[n, slots], -1
    for none. Tokens of different kinds are numbered one after the other; `kinds` int[tokens]."""

    inherited: Counts
    parent: Counts
    step: Counts
    kinds: Counts

    def sum_over(self, children: Counts) -> Counts:
        """int[tokens]: the uses by these children together."""
        added = np.bincount(self.step[children].ravel() + 1, minlength=len(self.kinds) + 1)[1:]
        return np.asarray(self.inherited[self.parent[children]].sum(axis=0) + added)

    def count(self, tokens: Counts) -> Counts:
        """int[n, tokens]: the uses of these tokens by each child."""
        added = [(self.step == token).sum(axis=1) for token in tokens]
        return np.asarray(self.inherited[self.parent][:, tokens] + np.stack(added, axis=1))


def read_uses(encodes: Encodes, pool: Pool) -> TokenUses:
    vocabulary = encodes.vocabulary
    first = dict(zip(vocabulary, np.cumsum([0, *vocabulary.values()]).tolist()))
    offset = np.array([first[kind] for kind in encodes.slots])
    kinds = np.repeat(np.arange(len(vocabulary)), list(vocabulary.values()))
    parents = encodes.tokens(pool.parents)
    row, _, slot = np.nonzero(parents >= 0)
    inherited = np.zeros((len(parents), len(kinds)), np.int64)
    np.add.at(inherited, (row, parents[parents >= 0] + offset[slot]), 1)
    return TokenUses(inherited, pool.parent, np.where(pool.step < 0, -1, pool.step + offset), kinds)


def find_rare(uses: TokenUses, front: Counts) -> Counts:
    """The tokens that children of the pool use, and those of the front much less often than evenly."""
    possible = uses.sum_over(np.arange(len(uses.parent))) > 0
    used = uses.sum_over(front)
    totals, sizes = (np.bincount(uses.kinds, weights) for weights in (used, possible))
    even = totals / np.maximum(sizes, 1)
    return np.flatnonzero(possible & (used < even[uses.kinds] / EVEN))


def choose_explorers(uses: TokenUses, points: Values, front: Sequence[int], most: int) -> list[int]:
    """At most `most` children beside the front: by descending first objective those with enough tokens that
    the front hardly uses, each dominated by none that was chosen before it."""
    rare = find_rare(uses, np.array(front, np.int64))
    if not len(rare) or not most:
        return []
    kinds, counts = uses.kinds[rare], uses.count(rare)
    enough = ENOUGH * min(2, len(set(kinds.tolist())))
    left = np.argsort(-points[:, 0], kind="stable")
    left = left[~np.isin(left, front)]
    chosen: list[int] = []
    while len(chosen) < most:
        worth = weigh_tokens(counts[chosen].sum(axis=0), kinds)
        able = np.flatnonzero(counts[left] @ worth >= enough)
        if not len(able):
            break
        chosen.append(int(left[able[0]]))
        # A single pass, as in the release: a child that was passed over is not looked at again.
        left = left[able[0] + 1 :]
        left = left[(points[left] > points[chosen[-1]]).any(axis=1)]
    return chosen


def weigh_tokens(used: Counts, kinds: Counts) -> Counts:
    """The worth of each explored token, `used` so often by the explorers so far: 1, and 2 more where it is
    not used more than the average of its kind, and 1 more where its kind is the least used one.

    >>> weigh_tokens(np.array([0, 2, 5]), np.array([0, 0, 1])).tolist()
    [4, 2, 3]
    """
    totals, sizes = np.bincount(kinds, used), np.bincount(kinds)
    average = totals / np.maximum(sizes, 1)
    least = totals[sizes > 0].min()
    return np.asarray(1 + 2 * (used <= average[kinds]) + (totals[kinds] == least), np.int64)
