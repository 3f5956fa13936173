"""Numbers among a search's settings: what is out of bounds is refused before anything runs."""

from __future__ import annotations

from cambrian.errors import UsageError
from cambrian.strategies.settings import Span

_WHOLE = {"seed": Span(0), "workers": Span(1), "lag": Span(1), "memory": Span(1), "attempts": Span(1)}
_POSITIVE = Span(0, above=True)


def check_numbers(**settings: float | None) -> None:
    """Raises UsageError for the first one that is out of bounds; None is a setting left open."""
    for name, value in settings.items():
        if value is None:
            continue
        if name in _WHOLE and (isinstance(value, bool) or not hasattr(value, "__index__")):
            raise UsageError(f"{name} is a whole number, got {value!r}")
        _WHOLE.get(name, _POSITIVE).check(name, value)
