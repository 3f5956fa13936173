"""Checks of the settings of strategies.

Upper bounds exclude settings that would take all of the memory, or days for one proposal.
"""

from __future__ import annotations

from cambrian import settings
from cambrian.errors import UsageError
from cambrian.registry import name_of
from cambrian.settings import Span

WEIGHTS = 20_000_000
"""The most weights of a strategy's own networks: with their moments and gradients about a gigabyte."""


def check_settings(strategy: object, **spans: Span) -> None:
    """Raises UsageError for a setting that is out of its span, either that of its annotation or one of
    `spans`. None is always allowed."""
    where = f"strategy {name_of(strategy)!r}"
    settings.check_settings(strategy, where)
    for name, span in spans.items():
        value = getattr(strategy, name)
        if value is not None:
            span.check(f"{where}: {name}", value)


def check_weights(strategy: object, count: int, parts: str) -> None:
    """Raises UsageError if the network has too many weights, although each of its `parts` is in its span."""
    if count > WEIGHTS:
        raise UsageError(
            f"strategy {name_of(strategy)!r}: {parts} make a network of {count:,} weights, expected at"
            f" most {WEIGHTS:,}"
        )
