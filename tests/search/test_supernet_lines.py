"""The line for a part of a supernet's training, as the displays print it."""

from __future__ import annotations

from typing import Any

import pytest

from cambrian.architecture import Architecture
from cambrian.outcome import Done, Fidelity, Infeasible, Outcome, Trial
from cambrian.search.display.tally import describe_supernet

COLLAPSE = {"epoch": 5, "before": 2, "sign": "4 of 6 operations are skip connections"}
LATE = {"epochs": 2.5, "planned_epochs": 6.0}


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Done(0.25), "part 2 of 3: 6 epochs; its children have 25.00 % on average"),
        (Done(0.25, LATE), "part 2 of 3: 2.5 epochs of 6, its time; its children have 25.00 % on average"),
        (
            Done(0.25, data={"gates": {"edge": [1.0]}}),
            "part 2 of 3: 6 epochs; the architecture of its gates has 25.00 %",
        ),
        (
            Done(0.25, data={"gates": {"edge": [1.0]}, "collapse": COLLAPSE}),
            "part 2 of 3: 6 epochs; the architecture of its gates has 25.00 %; collapsed in epoch 5: 4 of 6"
            " operations are skip connections; the last epoch before it is 2",
        ),
        (
            Infeasible("nan", "the loss was not a finite number"),
            "part 2 of 3: the loss was not a finite number",
        ),
    ],
)
def test_a_part_says_whose_value_it_has(outcome: Outcome, expected: str) -> None:
    """Of children on average or of the one that gates stand for; and where the time cut it short."""
    trial: Any = Trial(
        1, Architecture({}), Fidelity(6), kind="supernet", reason={"chunk": 2, "chunks": 3}, outcome=outcome
    )
    assert describe_supernet(trial, {""}).startswith(f"supernet, {expected}")


@pytest.mark.parametrize(("back", "words"), [(0, "its start"), (3, "epoch 3")])
def test_a_part_says_where_it_was_taken_back_to(back: int, words: str) -> None:
    reason = {"chunk": 2, "chunks": 3, "back": back}
    trial: Any = Trial(1, Architecture({}), Fidelity(6), kind="supernet", reason=reason, outcome=Done(0.25))
    line = f"supernet, part 2 of 3, taken back to {words}: 6 epochs; its children have 25.00 % on average"
    assert describe_supernet(trial, {""}) == line
