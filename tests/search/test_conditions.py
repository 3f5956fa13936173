"""Conditions on metrics as users write them."""

from __future__ import annotations

import math

import pytest

from cambrian.errors import UsageError
from cambrian.problem import Objective
from cambrian.search.parts.conditions import Condition, read_condition, read_conditions
from cambrian.search.parts.direction import read_objective, take_reference


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("latency<5ms", Condition("latency", "<", 0.005)),
        ("latency(threads=2) <= 0.2s", Condition("latency(threads=2)", "<=", 0.2)),
        ("params<1.5M", Condition("params", "<", 1.5e6)),
        ("accuracy>90%", Condition("accuracy", ">", 0.9)),
        ("lat_raspi4>=-3e1", Condition("lat_raspi4", ">=", -30.0)),
    ],
)
def test_amounts_are_in_the_unit_of_the_metric(text: str, condition: Condition) -> None:
    """Measures have units; the signs within brackets belong to a measure's settings."""
    assert read_condition(text) == condition
    assert read_condition(str(condition)) == condition


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("latency", "write METRIC<AMOUNT, such as latency<5ms"),
        ("latency<fast", "cannot read the limit latency=fast: expected a number above 0 with a unit"),
        ("ms<many", "'many' is not a number"),
        ("mac<5M", "'mac' is no measure, whose amounts have units; did you mean 'macs'?"),
        (" , ", "names no condition"),
    ],
)
def test_mistakes_of_conditions_are_named(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        read_conditions(text)


def test_a_bound_is_missed_by_a_share_of_itself() -> None:
    """A value on the bound of a strict sign misses it, an unknown one by all."""
    below = read_condition("ms<4")
    assert [below.miss(x) for x in (3.0, 6.0, None)] == [0.0, 0.5, math.inf]
    assert below.miss(4.0) > 0.0 == read_condition("ms<=4").miss(4.0)


def test_a_bound_gives_an_objective_its_direction_and_its_reference() -> None:
    """That of the values' own is taken out of the list, and refused in the other direction."""
    objectives = [read_objective(text) for text in ("accuracy>50%", "-ms", "latency<10ms")]
    own, others = take_reference(objectives, Objective("accuracy"))
    assert own == Objective("accuracy", reference=0.5)
    assert others == [Objective("ms", True), Objective("latency", True, 0.01)]
    with pytest.raises(UsageError, match="of accuracy higher is better here: write accuracy>WORST"):
        take_reference([read_objective("accuracy<0.5")], Objective("accuracy"))
