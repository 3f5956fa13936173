"""Numbers on the command line: what is out of bounds is refused before anything runs."""

from __future__ import annotations

from collections.abc import Mapping

from cambrian.errors import UsageError
from cambrian.strategies.settings import Span

AMOUNT = Span(0, above=True)
SHARE = Span(0)
SEED = Span(0)


def check_counts(**counts: int | None) -> None:
    """Raises UsageError for one below 1."""
    for name, count in counts.items():
        if count is not None and count < 1:
            raise UsageError(f"{_option(name)} must be at least 1, got {count}")


def check_amounts(**amounts: float | None) -> None:
    """Raises UsageError for one that is not a finite number above zero."""
    _check(AMOUNT, amounts)


def check_shares(**shares: float | None) -> None:
    """Raises UsageError for one that is not a finite number from zero on."""
    _check(SHARE, shares)


def check_seed(seed: int) -> None:
    _check(SEED, {"seed": seed})


def _check(span: Span, numbers: Mapping[str, float | None]) -> None:
    for name, number in numbers.items():
        if number is not None:
            span.check(_option(name), number)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
