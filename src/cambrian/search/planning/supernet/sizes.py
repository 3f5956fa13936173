"""The sizes of a supernet and of the networks that are trained alone after it: the largest ones that
are trained for long enough in their part of the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cambrian.choices import Scalar
from cambrian.randomness import stream
from cambrian.search.planning.forked import Failed
from cambrian.search.planning.space_facts import SpaceFacts
from cambrian.search.planning.supernet.prices import (
    SUPERNET,
)
from cambrian.search.planning.supernet.speed import (
    Measured,
)

if TYPE_CHECKING:
    from cambrian.estimators.one_shot import OneShot

PASSES = 30
"""Epochs from which a larger supernet, or network, is worth its time."""
MOST_FINAL = 600
"""Epochs of the longest published trainings of what was found (Liu et al. 2019, Sec. 3.2)."""
USUAL_FINAL = 30
"""Epochs of the final networks without a limit of time."""
GUESSED = 4.0
"""The time of a step that could not be measured, by that of a network alone: a few paths and a teacher."""


def choose_size(
    sizes: Sequence[dict[str, Scalar]],
    measure: Callable[[dict[str, Scalar]], Measured | Failed],
    seconds: float | None,
    images: int,
    one_shot: OneShot,
    until: float,
    alone: Callable[[dict[str, Scalar]], float],
) -> tuple[Measured, str | None]:
    """The largest size that makes PASSES epochs within the supernet's share of the budget's `seconds`, else
    the smallest, as where there is no such budget; and a sentence where its cost had to be guessed, by the
    seconds of an image of a network `alone`."""
    chosen: Measured | None = None
    for size in sizes:
        cost = measure(size)
        if isinstance(cost, Failed):
            if chosen is None:
                guess = Measured(size, GUESSED * alone(size), 1.0, 0)
                return guess, f"the supernet could not be measured, and its speed was guessed: {cost}"
            break
        each = images * cost.step + cost.end + one_shot.paths * cost.score
        if chosen is None or SUPERNET * (seconds or 0.0) / each >= PASSES:
            chosen = cost
        if seconds is None or chosen is not cost or time.monotonic() > until:
            break
    assert chosen is not None
    return chosen, None


def choose_final(
    facts: SpaceFacts,
    smallest: dict[str, Scalar],
    changes: Mapping[str, Scalar],
    measure: Callable[[Any, Mapping[str, Scalar]], float],
    rounds: float,
) -> tuple[dict[str, Scalar], int, float]:
    """The largest skeleton, from that of the search on, of which a network is trained for PASSES epochs, its
    epochs, and the seconds of an image; `rounds` are the images of all trainings in an epoch, for each second
    of the stage (0: it has all the time that it needs)."""
    network = facts.draw(None, stream(0, "plan", "final"))
    first, larger = {**smallest, **changes}, [{**size, **changes} for size in facts.sizes]
    sizes = larger[larger.index(first) :] if first in larger else [first]
    chosen, epochs, image = sizes[0], 0.0, 0.0
    for size in sizes:
        seconds = measure(network, size)
        passes = 1 / (rounds * seconds) if rounds else 0.0
        if image and passes < PASSES:
            break
        chosen, epochs, image = size, passes, seconds
    # A margin for scores and starts: what is late is cut short.
    return chosen, max(1, min(MOST_FINAL, int(0.8 * epochs))) if rounds else USUAL_FINAL, image
