"""A stratified sample of a space: every kind of architecture is in it in proportion to its share of the
space.

Systematic sampling along an ordering by kind (Cochran, "Sampling Techniques", 1977, Sec. 8): each block of
the ordered pool gives one architecture, so that every member of the pool is as likely as any other, and means
over the sample estimate those over the space.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cambrian.architecture import Architecture, sample
from cambrian.errors import UsageError
from cambrian.randomness import stream
from cambrian.spaces.knowledge import Canonical, know
from cambrian.spaces.space import Space

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Kinds = Mapping[str, NDArray[np.float64]]

POOL = 8
"""Random architectures for each one of the sample."""
REPEATS = 500
"""Draws in a row that give nothing new, after which a space counts as drawn through."""
PARTS = 3
"""Strata of each kind but the last, whose order is used as it is."""


def draw_sample(
    space: Space,
    count: int,
    seed: int,
    describe: Callable[[Sequence[Architecture]], Kinds],
    raw: bool = False,
) -> list[Architecture]:
    """`count` architectures, stratified by the kinds that `describe` gives; with `raw`, some may be the same
    function."""
    pool = draw_pool(space, POOL * count, seed, raw)
    if len(pool) < count:
        raise UsageError(
            f"the space has {len(pool)} different architectures: give --sample {len(pool)} or less"
        )
    order = order_by_kind(describe(pool), len(pool))
    chosen = choose_systematically(order, count, stream(seed, "audit", "sample"))
    return [pool[i] for i in chosen]


def draw_pool(space: Space, count: int, seed: int, raw: bool = False) -> list[Architecture]:
    """Up to `count` different random architectures."""
    names = None if raw else know(space, Canonical)
    pool: dict[str, Architecture] = {}
    draws = latest = 0
    while len(pool) < count and draws - latest < REPEATS:
        drawn = sample(space, stream(seed, "audit", "pool", draws))
        name = drawn.key if names is None else names.canonical(drawn)
        draws += 1
        if name not in pool:
            pool[name], latest = drawn, draws
    return list(pool.values())


def order_by_kind(kinds: Kinds, count: int) -> list[int]:
    """The members of the pool, ordered by the stratum of each kind in turn, and within by the last kind."""
    columns = list(kinds.values())
    if not columns:
        return list(range(count))
    strata = [_divide(values).tolist() for values in columns[:-1]]
    last: list[float] = columns[-1].tolist()
    return sorted(range(count), key=lambda i: (*_turn([s[i] for s in strata], last[i]), i))


def choose_systematically(order: Sequence[int], count: int, rng: np.random.Generator) -> list[int]:
    """One member at random of each of `count` blocks of equal length. A member on the edge of two blocks is
    chosen once at most, and as often as any other (Deville's systematic sampling: Deville & Tillé 1998,
    "Unequal Probability Sampling Without Replacement Through a Splitting Method", Biometrika 85)."""
    chosen: list[int] = []
    for block in range(count):
        places, shares = _list_shares(block, len(order), count)
        if chosen and places[0] == chosen[-1]:
            shares[0] = 0
        elif shares[0] < count:
            # It was not chosen for the part of it in the block before, which is made up for here.
            shares[0] *= (len(order) - shares[0]) / (len(order) - count)
        ends = np.cumsum(shares)
        place = int(np.searchsorted(ends, rng.random() * ends[-1], side="right"))
        chosen.append(int(places[min(place, len(places) - 1)]))
    return [order[place] for place in chosen]


def _list_shares(block: int, length: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The places of a block, one of `count` of a pool of `length`, and how much of each is in it, in whole
    numbers: a place is `count` of them long, a block `length`."""
    begin, end = block * length, (block + 1) * length
    places = np.arange(begin // count, -(-end // count))
    inside = np.minimum((places + 1) * count, end) - np.maximum(places * count, begin)
    return places, inside.astype(float)


def pair_functions(space: Space, count: int, seed: int) -> list[tuple[Architecture, Architecture]]:
    """Up to `count` pairs of different architectures that are the same function, where the space knows."""
    names = know(space, Canonical)
    if names is None:
        return []
    first: dict[str, Architecture] = {}
    pairs: dict[str, tuple[Architecture, Architecture]] = {}
    draws = latest = 0
    while len(pairs) < count and draws - latest < REPEATS:
        drawn = sample(space, stream(seed, "audit", "pairs", draws))
        function = names.canonical(drawn)
        draws += 1
        other = first.setdefault(function, drawn)
        if other != drawn and function not in pairs:
            pairs[function], latest = (other, drawn), draws
    return list(pairs.values())


def _divide(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The third of each value; equal values stay together."""
    edges = np.quantile(values, np.arange(1, PARTS) / PARTS)
    return np.searchsorted(edges, values, side="left")


def _turn(strata: Sequence[int], last: float) -> tuple[float, ...]:
    """The key of a serpentine order: every second stratum is walked backwards, so that neighbours are alike
    across the edge of a stratum too."""
    key, backwards = [], False
    for stratum in strata:
        key.append(float(-stratum if backwards else stratum))
        backwards ^= bool(stratum % 2)
    return (*key, -last if backwards else last)
