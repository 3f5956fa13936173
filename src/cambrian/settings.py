"""Bounds of numeric settings: one check, and one sentence for every number out of bounds.

A class of settings annotates each number with its bounds, and checks itself when it is made:

>>> @dataclass(frozen=True)
... class Recipe:
...     epochs: Annotated[int, Span(1, 100)] = 10
...     def __post_init__(self) -> None:
...         check_settings(self, "training")
>>> Recipe(epochs=0)
Traceback (most recent call last):
cambrian.errors.UsageError: training: epochs is 1 to 100, got 0
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from numbers import Integral, Real
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from cambrian.errors import UsageError
from cambrian.options import shorten

__all__ = ["COUNT", "POSITIVE", "SHARE", "Span", "check_numbers", "check_settings", "check_truths"]


@dataclass(frozen=True)
class Span:
    """The finite numbers from `low` to `high`. `above` excludes `low` itself, `below` `high`, and `whole`
    fractions. NaN, infinity and truth values are never in a span. `unit` is that of the numbers, in words.

    >>> str(Span(1, 100)), str(Span(2)), str(Span(0, 1, above=True)), str(Span())
    ('1 to 100', 'at least 2', 'above 0 and at most 1', 'a number')
    """

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False
    whole: bool = False
    unit: str = ""

    def holds(self, value: object) -> bool:
        kind = Integral if self.whole else Real
        return isinstance(value, kind) and not isinstance(value, bool) and self._bounds(value)

    def check(self, name: str, value: object, error: type[UsageError] = UsageError) -> None:
        """Raises `error` for a value outside of the span; the sentence calls it `name`."""
        if not self.holds(value):
            raise error(f"{name} is {self._describe_expected(value)}, got {shorten(value)}")

    def _bounds(self, number: Any) -> bool:
        # NaN compares false with everything, so that no bound needs to name it.
        low = self.low < number if self.above else self.low <= number
        high = number < self.high if self.below else number <= self.high
        return bool(low and high and -math.inf < number < math.inf)

    def _describe_expected(self, value: object) -> str:
        """The expected numbers, for a sentence about `value`; "number", "whole" and "finite" are mentioned
        only if that is the fault."""
        fraction = isinstance(value, Real) and not isinstance(value, Integral)
        if self.whole and (fraction or isinstance(value, bool)) and self._bounds(value):
            return "a whole number"
        if not isinstance(value, Real) or isinstance(value, bool):
            kind = f"a {'whole ' * self.whole}number{self.unit and f' of {self.unit}'}"
            return kind if str(self) == "a number" else f"{kind}, {self}"
        infinite = isinstance(value, float) and not math.isfinite(value) and math.isinf(self.high)
        return f"{self}{' and finite' if infinite else ''}"

    def __str__(self) -> str:
        low = f"{'above' if self.above else 'at least'} {_text(self.low)}"
        high = f"{'below' if self.below else 'at most'} {_text(self.high)}"
        if math.isinf(self.high):
            return "a number" if math.isinf(self.low) else low
        return f"{low} and {high}" if self.above or self.below else f"{_text(self.low)} to {_text(self.high)}"


COUNT = Span(1, whole=True)
POSITIVE = Span(0, above=True)
SHARE = Span(0, 1, below=True)
"""Rates below 1, such as those of dropout and momentum."""


def check_settings(component: object, where: str) -> None:
    """Raises UsageError for the first field whose number is out of the `Span` in its annotation; `where`
    opens the sentence. The field's type decides whether it must be whole, and whether it may be None."""
    cls: Any = type(component)
    for name, (span, optional) in _read_spans(cls).items():
        value = getattr(component, name)
        if value is not None or not optional:
            span.check(f"{where}: {name}", value)


def check_numbers(
    spans: Span | Mapping[str, Span], error: type[UsageError] = UsageError, /, **numbers: object
) -> None:
    """Raises `error` for the first number out of its span; a single span holds for all numbers."""
    for name, number in numbers.items():
        (spans if isinstance(spans, Span) else spans[name]).check(name, number, error)


def check_truths(**settings: object) -> None:
    """Raises UsageError for the first setting that is neither True nor False."""
    for name, value in settings.items():
        if not isinstance(value, bool):
            raise UsageError(f"{name} is True or False, got {shorten(value)}")


@cache
def _read_spans(cls: type) -> dict[str, tuple[Span, bool]]:
    """The spans in the annotations of a class and its bases, each with whether None is allowed."""
    spans: dict[str, tuple[Span, bool]] = {}
    # Bases first: a class that annotates a field anew replaces its base's span.
    for base in reversed(cls.__mro__):
        try:
            hints = get_type_hints(base, include_extras=True)
        except NameError:  # annotations with names that only a type checker has: a user's own class
            continue
        for name, hint in hints.items():
            if get_origin(hint) is Annotated:
                kinds = {get_args(hint)[0], *get_args(get_args(hint)[0])}
                for span in (note for note in get_args(hint)[1:] if isinstance(note, Span)):
                    spans[name] = replace(span, whole=float not in kinds), type(None) in kinds
    return spans


def _text(number: float) -> str:
    """A bound as text for people; 2^53 is written as a power."""
    return "2^53" if number == 2**53 else f"{number:,}"
