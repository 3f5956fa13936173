"""Settings of strategies that are out of bounds.

Bounds above are where a setting would take all of the memory, or days for one proposal.
"""

from __future__ import annotations

from cambrian.errors import UsageError
from cambrian.registry import name_of
from cambrian.settings import Span

WEIGHTS = 20_000_000
"""Of a strategy's own networks: with their moments and gradients about a gigabyte."""


def check_settings(strategy: object, **spans: Span) -> None:
    """Raises UsageError for a setting that is not in its span. One left open (None) is anywhere."""
    for name, span in spans.items():
        value = getattr(strategy, name)
        if value is not None:
            span.check(f"strategy {name_of(strategy)!r}: {name}", value)


def check_weights(strategy: object, count: int, settings: str) -> None:
    """Raises UsageError where `settings`, each within its span, make too large a network together."""
    if count > WEIGHTS:
        raise UsageError(
            f"strategy {name_of(strategy)!r}: {settings} make a network of {count:,} weights, expected at"
            f" most {WEIGHTS:,}"
        )
