"""The ladder of fidelities that a strategy climbs: from the lowest to the problem's own, each of about `eta`
times the cost of the one before (Jamieson & Talwalkar 2016; Li et al. 2018, Sec. 3).

The cost grows linearly with epochs, seconds, images and cells, and with the square of the resolution and of
the channels. Along several axes together each takes an equal share of a step's factor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cambrian.effort import find_axis, read_axis, set_axis
from cambrian.errors import UsageError
from cambrian.outcome import Fidelity
from cambrian.problem import Problem

EPOCHS = ("epochs",)
LINEAR = ("epochs", "seconds", "fraction", "cells", "layers", "modules")
"""Axes whose cost grows linearly; that of all others, such as channels, with the square."""
LEAST: Mapping[str, float] = {"epochs": 1, "seconds": 0.1, "fraction": 0.01, "resolution": 8, "filters": 4}
"""The lowest values, where nobody names others; of other settings of a skeleton 1."""
ROUNDING = 1e-9
"""The logarithm of 243 to the base 3 rounds to less than 5."""


@dataclass(frozen=True)
class Level:
    """A fidelity, with about 1/`eta`**`depth` of the cost of the full one."""

    fidelity: Fidelity
    depth: int


@dataclass(frozen=True)
class _Span:
    """An axis from `least` to `full`; of the step's factor it takes `eta`**`power`."""

    name: str
    least: float
    full: float
    power: float
    values: tuple[float, ...]

    def count_depth(self, eta: int) -> int:
        """The number of steps down to `least`; at least one, where anything lower can be measured."""
        factor, depth = float(eta) ** self.power, 0
        while self.least * factor ** (depth + 1) <= self.full * (1 + ROUNDING):
            depth += 1
        return max(depth, 1) if self.least < self.full else 0

    def at(self, eta: int, depth: int) -> float:
        """The value `depth` steps down; among single values the nearest by their ratio."""
        value = max(self.least, self.full / float(eta) ** (self.power * depth))
        return min(self.values, key=lambda v: abs(math.log(v / value))) if self.values else value


def make_ladder(
    problem: Problem, axes: Sequence[str], eta: int, least: Mapping[str, float] | None = None
) -> tuple[Level, ...]:
    """The levels, the lowest first; one alone where nothing lower can be measured. `least` are the lowest
    values by axis. Raises UsageError for an axis whose full value the problem does not name."""
    spans = [_measure_span(problem, name, len(axes), least or {}) for name in axes]
    levels: dict[Fidelity, int] = {}
    for depth in range(min(span.count_depth(eta) for span in spans) + 1):
        fidelity = problem.fidelity
        for span in spans if depth else ():
            fidelity = set_axis(fidelity, span.name, span.at(eta, depth))
        # A level that a table lacks is skipped; the deeper of two equal ones says how many go on from it.
        if fidelity != problem.fidelity or not depth:
            levels[fidelity] = depth
    return tuple(Level(fidelity, depth) for fidelity, depth in reversed(levels.items()))


def _measure_span(problem: Problem, name: str, count: int, wanted: Mapping[str, float]) -> _Span:
    full, axis = read_axis(problem.fidelity, name), find_axis(problem.axes, name)
    if full is None:
        raise UsageError(
            f"the fidelity does not name its full {name}, below which others are to be measured: give it,"
            f" such as fidelity=Fidelity(..., {name}=...), or in its skeleton"
        )
    values = tuple(value for value in (axis.values if axis else ()) if value <= full)
    low = max(wanted.get(name, LEAST.get(name, 1)), min(values, default=0.0))
    return _Span(name, min(low, full), full, (1.0 if name in LINEAR else 0.5) / count, values)


def check_axes(strategy: str, axes: Sequence[str], least: Mapping[str, float]) -> None:
    """Raises UsageError for settings of axes that make no ladder."""
    if not axes or len(set(axes)) != len(axes):
        raise UsageError(f"strategy {strategy!r}: axes are one or more different ones, got {list(axes)}")
    for name, value in least.items():
        if name not in axes or not value > 0:
            raise UsageError(
                f"strategy {strategy!r}: least is the lowest value, above 0, of one of its axes"
                f" ({', '.join(axes)}), got {name}={value}"
            )
