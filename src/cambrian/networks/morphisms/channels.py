"""Channels by value numbering: two channels have the same number where they are the same function of the
images, up to a positive factor, in the parent or in the child.

A symbol is made of a function and of the symbols that it was applied to, and each is made once (value
numbering, Alpern, Wegman & Zadeck 1988). Weights of the parent are symbols of their own; the child's become
the parent's where its weights are so chosen.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from math import isclose

ZERO = 0
"""The symbol of a channel that is zero on all images."""
ONE = 1.0


@dataclass(frozen=True)
class Value:
    """A tensor as channels along `axis`: channel i is `scales[i]` times the function `symbols[i]`.

    `fresh` are the numbers of the child's calls with new weights that it depends on and whose part is not
    decided yet, `through` those that pass their input on as it is. `origin` is the number of the last call
    with weights, where channel by channel the value depends on that alone. `parts` are the values of a stack,
    along a new first axis."""

    symbols: tuple[int, ...]
    scales: tuple[float, ...] = ()
    axis: int = 1
    fresh: frozenset[int] = frozenset()
    through: tuple[int, ...] = ()
    origin: int | None = None
    parts: tuple[Value, ...] = ()

    def __len__(self) -> int:
        return len(self.symbols)


@dataclass
class Symbols:
    """All symbols so far. `parent` are those of the parent's network. `positive` are never below 0: a ReLU
    leaves them as they are."""

    parent: set[int] = field(default_factory=lambda: {ZERO})
    positive: set[int] = field(default_factory=lambda: {ZERO})
    terms: dict[int, dict[int, float]] = field(default_factory=dict)
    _numbers: dict[Hashable, int] = field(default_factory=dict)

    def make(self, *parts: Hashable) -> int:
        return self._numbers.setdefault(parts, len(self._numbers) + 1)

    def add_terms(self, channels: Iterable[tuple[int, float]]) -> tuple[int, float]:
        """The symbol and scale of a sum of channels. Sums of sums are sums of all terms; equal ones are
        counted, zeros left out."""
        nonzero = [(symbol, scale) for symbol, scale in channels if symbol != ZERO]
        if len(nonzero) < 2:
            return nonzero[0] if nonzero else (ZERO, ONE)
        total: dict[int, float] = {}
        for symbol, scale in nonzero:
            for term, count in self.terms.get(symbol, {symbol: 1.0}).items():
                total[term] = total.get(term, 0.0) + scale * count
        terms = sorted((term, count) for term, count in total.items() if count)
        if not terms:
            return ZERO, ONE
        if len(terms) == 1:
            return terms[0]
        # Up to a factor: a sum of two copies is twice the sum.
        factor = abs(terms[0][1])
        scaled = [(term, count / factor) for term, count in terms]
        symbol = self.make("sum", tuple((term, round_scale(count)) for term, count in scaled))
        self.terms[symbol] = dict(scaled)
        if all(term in self.positive and count > 0 for term, count in scaled):
            self.positive.add(symbol)
        return symbol, factor


def round_scale(scale: float) -> float:
    """The scale as a part of a symbol: shares of one, such as tenths, sum to one but for rounding errors,
    which are never rounded themselves and so stay far below the last digit."""
    return float(f"{scale:.9g}")


def are_equal(one: Value, other: Value) -> bool:
    """Whether both have the same functions in the same places, scales being equal but for rounding."""
    scales = zip(one.scales, other.scales, strict=False)
    return one.symbols == other.symbols and all(isclose(a, b, rel_tol=1e-9) for a, b in scales)


def ones(symbols: Sequence[int], **rest: object) -> Value:
    """The value of these symbols, each once."""
    return Value(tuple(symbols), (ONE,) * len(symbols), **rest)  # type: ignore[arg-type]


def channels_of(value: Value) -> list[tuple[int, float]]:
    return list(zip(value.symbols, value.scales, strict=True))


def find_places(value: Value) -> dict[int, list[int]]:
    """Where each symbol is, zeros left out."""
    places: dict[int, list[int]] = {}
    for i, symbol in enumerate(value.symbols):
        if symbol != ZERO:
            places.setdefault(symbol, []).append(i)
    return places
