"""Amounts with units, as users write them: 5ms, 200MB, 1.5M."""

from __future__ import annotations

import math
import re

from cambrian.errors import UsageError

COUNTS = {"K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12}
UNITS = {
    "s": {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0},
    "B": {
        **{"B": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12},
        **{"KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40},
    },
}
"""By the unit of a measure, the units in which an amount may be written. Other units are those of counts."""
EXAMPLES = {"s": "5ms or 0.2s", "B": "200MB or 1.5GiB"}
_WHOLE = "(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|[0-9][0-9_]*)"
"""Of a number, what stands before the point."""
_STEPS = {"s": ("s", "ms", "us", "ns"), "B": ("TB", "GB", "MB", "KB", "B")}


def read_amount(text: str, unit: str, name: str) -> float:
    """Read `text` as a number in `unit`. Raises UsageError, whose sentence names the limit `name`, unless it
    is a positive number with a matching unit.

    >>> read_amount("5ms", "s", "latency"), read_amount("1.5M", "", "macs")
    (0.005, 1500000.0)
    """
    match = re.fullmatch(
        rf"({_WHOLE}(?:\.[0-9]*)?(?:e[+-]?[0-9]{{1,3}})?|\.[0-9]+)\s*([A-Za-zµ]*)", text.strip()
    )
    # A count's unit may be left out or repeated: 300K, or 5 J for a measure in J.
    factors = UNITS.get(unit, COUNTS | {"": 1.0, unit: 1.0})
    factor = None if match is None else _factor(match[2], factors)
    if match is None and re.match(r"[0-9]+,[0-9]", text.strip()):
        raise UsageError(
            f"cannot read the limit {name}={text}: a comma separates thousands, as in 13,856: begin decimals"
            " with a point, as in 1.5"
        )
    if match is None or factor is None:
        raise UsageError(f"cannot read the limit {name}={text}: {_describe_expectation(unit)}")
    amount = float(match[1].replace(",", "").replace("_", "")) * factor
    if not 0 < amount < math.inf:
        raise UsageError(f"the limit {name}={text} must be above 0 and finite")
    return amount


def write_amount(number: float, unit: str) -> str:
    """Write the number in the largest unit in which it is at least one.

    >>> write_amount(0.00512, "s"), write_amount(2e8, "B"), write_amount(13856, "")
    ('5.12 ms', '200 MB', '13,856')
    """
    if unit not in UNITS:
        whole = f"{number:,.0f}" if float(number).is_integer() or abs(number) >= 1000 else f"{number:.4g}"
        return f"{whole} {unit}".rstrip()
    step = next((s for s in _STEPS[unit] if abs(number) >= UNITS[unit][s]), _STEPS[unit][-1])
    return f"{number / UNITS[unit][step]:.4g} {step}"


def _factor(suffix: str, factors: dict[str, float]) -> float | None:
    """The factor of a unit, in upper or lower case: a megabyte is 1MB and 1mb."""
    by_case = {name.lower(): factor for name, factor in factors.items()}
    return by_case.get(suffix.lower())


def _describe_expectation(unit: str) -> str:
    if unit in UNITS:
        return f"expected a number above 0 with a unit ({', '.join(UNITS[unit])}), such as {EXAMPLES[unit]}"
    return f"expected a number above 0, such as 300000, 300K or 1.5M{f', in {unit}' if unit else ''}"
