"""Numbers among a search's settings, checked before anything runs."""

from __future__ import annotations

from cambrian.settings import COUNT, Span

_SPANS = {
    "seed": Span(0, whole=True),
    "workers": COUNT,
    "lag": COUNT,
    "timeout": Span(0, above=True, unit="seconds"),
    "memory": Span(1, whole=True, unit="bytes"),
    "attempts": COUNT,
    "room": Span(0, whole=True),
}


def check_numbers(**settings: float | None) -> None:
    """Raises UsageError for the first one that is out of bounds; None is a setting left open, except of the
    seed."""
    for name, value in settings.items():
        if value is not None or name == "seed":
            _SPANS[name].check(name, value)
