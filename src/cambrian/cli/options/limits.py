"""`--limit` of a search: amounts that measures of a network may not exceed, and how many images are kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from cambrian.cli.options.headings import LIMITS
from cambrian.cli.options.numbers import amount
from cambrian.errors import UsageError
from cambrian.search.planning.budget import MOST

MaxParams = Annotated[float | None, amount("The same as --limit params=N.", rich_help_panel=LIMITS)]
MaxMacs = Annotated[float | None, amount("The same as --limit macs=N.", rich_help_panel=LIMITS)]
Timeout = Annotated[
    str | None,
    typer.Option(help="Give a training up after this time, such as 5m.", rich_help_panel=LIMITS),
]
Memory = Annotated[
    float | None,
    amount("Give a training up that takes more GiB of memory.", most=2**32, rich_help_panel=LIMITS),
]
SearchLimits = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="MEASURE=AMOUNT|N",
        help="Refuse networks over a limit before they are trained: latency=5ms, memory=200MB, params=1M,"
        " macs=300M; may be given several times. A number alone: use so many images, texts or rows.",
        show_default=False,
        rich_help_panel=LIMITS,
    ),
]


def read_limits(texts: Iterable[str], **amounts: float | None) -> tuple[int | None, dict[str, float]]:
    """How many images to keep (None: all), and the limits by the name of a measure, of texts such as
    `latency=5ms` and `2000`; `amounts` are limits that have options of their own."""
    from cambrian.estimators.limits import read_limit_options

    # One option for both: --limit 2000 kept so many images before measures could be limits.
    counts = [text for text in texts if "=" not in text]
    named = [text for text in texts if "=" in text]
    named += [f"{name}={amount!r}" for name, amount in amounts.items() if amount is not None]
    return _read_count(counts), read_limit_options(named)


def _read_count(texts: list[str]) -> int | None:
    if len(texts) > 1:
        raise UsageError(f"--limit has two numbers of examples, {' and '.join(texts)}: give one")
    if not texts:
        return None
    text = texts[0].strip()
    # int() would read the digits of every script, and refuse a text of thousands with a traceback.
    if text.isdecimal() and text.isascii() and len(text) < 20 and 1 <= int(text) <= MOST:
        return int(text)
    raise UsageError(
        f"--limit must be MEASURE=AMOUNT, such as latency=5ms, or a number of examples from 1 on, got"
        f" {text!r}"
    )
