"""The goal of a task: how a network's outputs are read, beside which targets.

| kind | targets | outputs |
|---|---|---|
| classes | int64 [n] | a logit for each class; the likeliest is meant |
| numbers | float64 [n] | one number, in standard deviations from the mean |
| labels | int64 [n, labels] of 0 and 1 | a logit for each label, any of which may apply |
| characters | int64 [n, length] | after each character read, a logit for each next one: [n, kinds, length] |
| heads | int64 [n, heads] | the logits of one classification after the other |
| pixels | int64 [n, height, width] | a logit for each class at each pixel: [n, classes, height, width] |
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

IGNORED = -100
"""The target of a pixel or a character that is neither learned nor judged: the number that torch's losses
leave out."""

GoalName = Literal["classes", "numbers", "labels", "heads", "pixels"]
"""The kinds that can be named in place of a guess."""


class Goal(msgspec.Struct, frozen=True, omit_defaults=True):
    """`mean` and `std` are those of numbers over the training part, without a few that are far out: a network
    learns standard scores, since an optimiser's usual settings fit outputs of about one. `heads` are the
    names and the numbers of classes of several classifications, whose logits lie side by side."""

    kind: str = "classes"
    mean: float = 0.0
    std: float = 1.0
    heads: tuple[tuple[str, int], ...] = ()

    @property
    def parts(self) -> Iterator[tuple[str, slice]]:
        """The name of each head and the place of its logits.

        >>> [part for _, part in Goal("heads", heads=(("size", 3), ("sex", 2))).parts]
        [slice(0, 3, None), slice(3, 5, None)]
        """
        begin = 0
        for name, count in self.heads:
            yield name, slice(begin, begin + count)
            begin += count


CLASSES = Goal()


def choose_outputs(row: Any, goal: Goal) -> list[int]:
    """The places in a `row` of probabilities that are predicted: the likeliest class, or that of each head,
    or all labels of a probability above one half.

    >>> choose_outputs([0.9, 0.2, 0.6], Goal("labels"))
    [0, 2]
    """
    if goal.kind == "labels":
        return [n for n, probability in enumerate(row) if probability > 0.5]
    slices = [part for _, part in goal.parts] or [slice(0, len(row))]
    places = [range(len(row))[part] for part in slices]
    # The first of equally likely ones.
    return [max(part, key=row.__getitem__) for part in places]


def write_number(number: float) -> str:
    """A predicted number with nine digits, or as many as it has before the point, up to the fifteen that a
    float holds.

    >>> write_number(0.5), write_number(1234567.0123), write_number(1700000123.4)
    ('0.5', '1234567.01', '1700000123')
    """
    digits = min(15, max(9, len(f"{abs(number):.0f}")))
    return f"{number:.{digits}g}"


def read_goal(facts: Any) -> Goal:
    """The goal that a task or an export has recorded; those without one have classes. Raises
    msgspec.ValidationError where it is damaged."""
    return msgspec.convert(facts or {}, Goal)
