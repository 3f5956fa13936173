"""Conditions on what a network measures, as users write them: latency<5ms, params<=1M, accuracy>90%."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import ge, gt, le, lt

from cambrian.errors import UsageError, did_you_mean
from cambrian.networks.measure import MEASURES
from cambrian.networks.measure.measure import find_measure, is_measure
from cambrian.networks.measure.units import read_amount, write_amount
from cambrian.spec_text import parts

SIGNS: Mapping[str, Callable[[float, float], bool]] = {"<=": le, ">=": ge, "<": lt, ">": gt}
"""The longer signs first, since a text is divided at the first sign that it has."""


@dataclass(frozen=True)
class Condition:
    """A `bound` on a `metric`, in the metric's own unit; `sign` is a key of `SIGNS`."""

    metric: str
    sign: str
    bound: float

    @property
    def below(self) -> bool:
        """Whether values have to lie below the bound."""
        return self.sign.startswith("<")

    def holds(self, value: float | None) -> bool:
        """Whether the value keeps the condition; one that was not measured does not."""
        return value is not None and SIGNS[self.sign](value, self.bound)

    def miss(self, value: float | None) -> float:
        """By how much of the bound's own size the value misses it; 0 where the condition holds."""
        if self.holds(value):
            return 0.0
        if value is None:
            return math.inf
        # A value on the bound of a strict sign misses it by the least that there is.
        return max(abs(value - self.bound) / (abs(self.bound) or 1.0), math.ulp(0.0))

    def __str__(self) -> str:
        return f"{self.metric}{self.sign}{write_value(self.metric, self.bound).replace(' ', '')}"


def read_condition(text: str) -> Condition:
    """Read one condition; amounts of measures may have units, other numbers a %. Raises UsageError.

    >>> read_condition("latency < 5ms"), read_condition("accuracy>=90%")
    (Condition(metric='latency', sign='<', bound=0.005), Condition(metric='accuracy', sign='>=', bound=0.9))
    """
    name, sign, amount = split_condition(text)
    return Condition(name, sign, _read_value(name, amount, text))


def split_condition(text: str) -> tuple[str, str, str]:
    """The metric, the sign and the amount of a condition, as they are written. Raises UsageError."""
    match = re.fullmatch(r"(.+?)\s*(<=|>=|<|>)\s*([^<>=]+)", text.strip())
    if match is None:
        raise UsageError(f"cannot read the condition {text!r}: write METRIC<AMOUNT, such as latency<5ms")
    return match[1].lstrip("+-").strip(), match[2], match[3].strip()


def read_conditions(text: str) -> tuple[Condition, ...]:
    """Read the conditions of a text, divided by commas. Raises UsageError where there is none."""
    conditions = tuple(map(read_condition, parts(text)))
    if not conditions:
        raise UsageError("a choice names no condition: write METRIC<AMOUNT, such as latency<5ms")
    return conditions


def has_condition(text: str) -> bool:
    """Whether the text has a sign of a condition."""
    return any(sign in text for sign in SIGNS)


def write_value(metric: str, value: float) -> str:
    """Write a metric's value as people read it, with the unit of a measure."""
    if is_measure(metric):
        return write_amount(value, find_measure(metric).unit)
    return f"{value:.4g}"


def describe_values(values: Iterable[tuple[str, float | None]]) -> str:
    """The values of metrics by their names, as people read them.

    >>> describe_values([("params", 1500.0), ("accuracy", None)])
    'params 1,500, accuracy unknown'
    """
    return ", ".join(f"{n} {'unknown' if v is None else write_value(n, v)}" for n, v in values)


def _read_value(name: str, amount: str, text: str) -> float:
    if is_measure(name) and not amount.startswith("-"):
        return read_amount(amount, find_measure(name).unit, name)
    share = amount.endswith("%")
    try:
        value = float(amount.removesuffix("%"))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        near = did_you_mean(name, MEASURES.names())
        raise UsageError(
            f"cannot read the condition {text!r}: {amount!r} is not a number, such as 0.9 or 90%"
            + (f", and {name!r} is no measure, whose amounts have units{near}" if "did you" in near else "")
        )
    return value / 100 if share else value
