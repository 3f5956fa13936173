"""Settings, counts and times as the text of a table's cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

_ITEMS_SHOWN = 20


def cell_text(value: Any) -> str:
    """
    >>> cell_text(None), cell_text(0.123456), cell_text(12345), cell_text(["a", True])
    ('–', '0.1235', '12,345', 'a, true')
    """
    # bool before int: True is an int too.
    if isinstance(value, bool) or value is None:
        return "–" if value is None else str(value).lower()
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        # A data set may have thousands of labels.
        more = f" … ({len(value):,} in all)" if len(value) > _ITEMS_SHOWN else ""
        return ", ".join(map(cell_text, value[:_ITEMS_SHOWN])) + more
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {cell_text(v)}" for k, v in value.items())
    return str(value)


def integer_text(value: float | None) -> str:
    """A count, such as one of parameters; a dash for one that was not measured."""
    return "–" if value is None else f"{value:,.0f}"


def time_text(at: float) -> str:
    """A Unix time in UTC, so that a report reads the same wherever it is written."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def flatten_settings(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as (dotted name, value)."""
    for key, value in settings.items():
        # An empty mapping stays a row of its own: without it the setting would vanish from the report.
        if isinstance(value, Mapping) and value:
            yield from flatten_settings(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
