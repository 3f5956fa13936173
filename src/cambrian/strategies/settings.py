"""What a number may be: one sentence for all settings that are out of bounds.

Bounds above are where a setting would take all of the memory, or days for one proposal; NaN and infinity
are never within.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

from cambrian.errors import UsageError
from cambrian.strategies import STRATEGIES

WEIGHTS = 20_000_000
"""Of a strategy's own networks: with their moments and gradients about a gigabyte."""


@dataclass(frozen=True)
class Span:
    """The finite numbers from `low` to `high`; `above` and `below` say that these are not among them.

    >>> str(Span(1, 100)), str(Span(2)), str(Span(0, 1, above=True)), str(Span())
    ('1 to 100', 'at least 2', 'above 0 and at most 1', 'a number')
    """

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False

    def check(self, name: str, value: object) -> None:
        """Raises UsageError, in which the number is called `name`."""
        if isinstance(value, Real) and self._holds(value):
            return
        infinite = isinstance(value, float) and not math.isfinite(value) and math.isinf(self.high)
        raise UsageError(f"{name} is {self}{' and finite' if infinite else ''}, got {value!r}")

    def _holds(self, number: Any) -> bool:
        low = self.low < number if self.above else self.low <= number
        high = number < self.high if self.below else number <= self.high
        return bool(low and high and -math.inf < number < math.inf)

    def __str__(self) -> str:
        low = f"{'above' if self.above else 'at least'} {self.low:,}"
        high = f"{'below' if self.below else 'at most'} {self.high:,}"
        if math.isinf(self.high):
            return "a number" if math.isinf(self.low) else low
        return f"{low} and {high}" if self.above or self.below else f"{self.low:,} to {self.high:,}"


def check_settings(strategy: object, **spans: Span) -> None:
    """Raises UsageError for a setting that is not in its span. One left open (None) is anywhere."""
    for name, span in spans.items():
        value = getattr(strategy, name)
        if value is not None:
            span.check(f"strategy {_name(strategy)!r}: {name}", value)


def check_weights(strategy: object, count: int, settings: str) -> None:
    """Raises UsageError where `settings`, each within its span, make too large a network together."""
    if count > WEIGHTS:
        raise UsageError(
            f"strategy {_name(strategy)!r}: {settings} make a network of {count:,} weights, expected at most"
            f" {WEIGHTS:,}"
        )


def _name(strategy: object) -> str:
    spec = STRATEGIES.spec(strategy)
    return type(strategy).__name__ if spec is None else str(spec["name"])
