"""Numbers on the command line: what is out of bounds is refused before anything runs."""

from __future__ import annotations

from collections.abc import Mapping

from cambrian.strategies.settings import Span

COUNT = Span(1)
AMOUNT = Span(0, above=True)
SEED = Span(0)


def check_counts(**counts: int | None) -> None:
    """Raises UsageError for one below 1."""
    _check(COUNT, counts)


def check_amounts(**amounts: float | None) -> None:
    """Raises UsageError for one that is not a finite number above zero."""
    _check(AMOUNT, amounts)


def check_shares(**shares: float | None) -> None:
    """Raises UsageError for one that is not a finite number from zero on."""
    _check(Span(0), shares)


def check_seed(seed: int) -> None:
    _check(SEED, {"seed": seed})


def _check(span: Span, numbers: Mapping[str, float | None]) -> None:
    for name, number in numbers.items():
        if number is not None:
            span.check(f"--{name.replace('_', '-')}", number)
