"""The size of a network that keeps the hard limits of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cambrian.architecture import Architecture
from cambrian.choices import Scalar
from cambrian.errors import join_words
from cambrian.estimators.build import signature
from cambrian.estimators.limits import check_limits
from cambrian.outcome import Fidelity, Infeasible
from cambrian.spaces.drafts import draft_network
from cambrian.spaces.knowledge import Narrows, know
from cambrian.spaces.space import Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.tasks.task import Task

STEP = 4
"""Filters come in fours."""


def fit_filters(
    space: Space,
    task: Task,
    architecture: Architecture,
    filters: int,
    fidelity: Fidelity,
    limits: Mapping[str, float],
    device: str,
) -> int | Infeasible:
    """The most filters, in fours and at most `filters`, with which the network keeps all limits at
    `fidelity`; where none does, the limit that it misses with the fewest."""

    def check(count: int) -> dict[str, float] | Infeasible:
        skeleton: dict[str, Scalar] = {**fidelity.skeleton, "filters": count}
        sized = Fidelity(resolution=fidelity.resolution, skeleton=skeleton)
        return hold(space, task, architecture, sized, None, limits, device)

    if not isinstance(check(filters), Infeasible):
        return filters
    smallest = check(STEP)
    if isinstance(smallest, Infeasible):
        return smallest
    # Halving the interval: measures grow with the filters, and one of latency takes a second.
    kept, missed = 1, -(-filters // STEP)
    while missed - kept > 1:
        middle = (kept + missed) // 2
        if isinstance(check(STEP * middle), Infeasible):
            missed = middle
        else:
            kept = middle
    return STEP * kept


def narrow_begun(
    space: Space,
    task: Task,
    fidelity: Fidelity,
    final: Fidelity,
    limits: Mapping[str, float],
    device: str,
) -> Space:
    """The space, whose networks to begin with are as wide as the limits allow at both fidelities; the same
    without limits, and where it knows no others."""
    known = know(space, Narrows)
    if known is None or not limits:
        return space

    def keeps(architecture: Architecture) -> bool:
        return not isinstance(hold(space, task, architecture, fidelity, final, limits, device), Infeasible)

    return known.narrow(keeps)


def describe_left_out(over: Sequence[str], least: str, late: Sequence[str] = ()) -> str:
    """The networks that are over a limit, `least` saying how small they were, and those that were not held to
    the limits; "" where there are none.

    >>> describe_left_out(["vgg", "resnet"], "at every width", ["pyramid"])
    'vgg and resnet, over a limit at every width; pyramid, for lack of time to hold it to the limits'
    """
    them = "it" if len(late) == 1 else "them"
    parts = [f"{join_words(over)}, over a limit {least}"] if over else []
    parts += [f"{join_words(late)}, for lack of time to hold {them} to the limits"] if late else []
    return "; ".join(parts)


def hold(
    space: Space,
    task: Task,
    architecture: Architecture,
    fidelity: Fidelity,
    final: Fidelity | None,
    limits: Mapping[str, float],
    device: str,
) -> dict[str, float] | Infeasible:
    """The measures of the network if it keeps the limits at `fidelity` and `final`, else the one missed."""

    def build(sized: Fidelity) -> nn.Module:
        return space.build(architecture, signature(task, sized), **sized.skeleton)

    def draft(sized: Fidelity) -> nn.Module:
        return draft_network(space, architecture, signature(task, sized), sized.skeleton)

    def shape(sized: Fidelity) -> tuple[int, int, int]:
        seen = signature(task, sized)
        return seen.channels, seen.height, seen.width

    return check_limits(build, draft, shape, limits, fidelity, final, device=device)
