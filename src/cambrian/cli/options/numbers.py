"""Options that are numbers: senseless ones are refused in one sentence, before anything begins."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import typer

from cambrian.errors import UsageError
from cambrian.search.planning.budget import MOST, Budget
from cambrian.settings import Span


def count(help: str, least: int = 1, **more: Any) -> Any:
    """An option for a whole number from `least` on."""
    return typer.Option(
        callback=_checks(Span(least, MOST, whole=True)),
        help=help,
        **more,
    )


def amount(help: str, most: float = MOST, **more: Any) -> Any:
    """An option for a number above zero: neither NaN nor infinite, which would be no limit at all."""
    return typer.Option(callback=_checks(Span(0, most, above=True)), help=help, **more)


def share(help: str, **more: Any) -> Any:
    """An option for a finite number from zero on."""
    return typer.Option(callback=_checks(Span(0)), help=help, **more)


def seconds_of(text: str) -> float:
    """The seconds of a time such as 90s, 5m or 1h, above zero."""
    # A time is a budget without trials; the error below replaces that of budgets.
    with suppress(UsageError):
        limit = Budget.parse(text)
        if limit.seconds is not None and limit.trials is None:
            return limit.seconds
    raise UsageError(f"cannot read the time {text!r}: write one above zero as 90s, 5m or 1h")


def _checks(span: Span) -> Callable[[typer.CallbackParam, Any], Any]:
    def check(param: typer.CallbackParam, value: Any) -> Any:
        # An option that may be given several times has a list.
        for number in value if isinstance(value, list) else [value]:
            if number is not None:
                span.check(param.opts[0], number)
        return value

    return check
