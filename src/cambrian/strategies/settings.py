"""Settings of strategies that are out of bounds.

Bounds above are where a setting would take all of the memory, or days for one proposal.
"""

from __future__ import annotations

from cambrian import settings
from cambrian.errors import UsageError
from cambrian.registry import name_of
from cambrian.settings import Span

WEIGHTS = 20_000_000
"""Of a strategy's own networks: with their moments and gradients about a gigabyte."""


def check_settings(strategy: object, **spans: Span) -> None:
    """Raises UsageError for a setting that is not in its span, that of its annotation or one of `spans`. One
    left open (None) is anywhere."""
    where = f"strategy {name_of(strategy)!r}"
    settings.check_settings(strategy, where)
    for name, span in spans.items():
        value = getattr(strategy, name)
        if value is not None:
            span.check(f"{where}: {name}", value)


def check_weights(strategy: object, count: int, parts: str) -> None:
    """Raises UsageError where `parts`, each within its span, make too large a network together."""
    if count > WEIGHTS:
        raise UsageError(
            f"strategy {name_of(strategy)!r}: {parts} make a network of {count:,} weights, expected at"
            f" most {WEIGHTS:,}"
        )
