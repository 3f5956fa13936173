"""The plan of a search by a supernet in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cambrian.counts import counted, seconds_text
from cambrian.registry import name_of
from cambrian.search.parts.compatibility import learns_gates
from cambrian.search.planning.wording import (
    STEPS,
    count_epochs,
    describe_beginning,
    describe_data,
    describe_machine,
    describe_whole_space,
    list_limits,
    list_settings,
)
from cambrian.search.search import Search
from cambrian.strategies.inner import find_trait

if TYPE_CHECKING:
    from cambrian.search.loop.final import Final
    from cambrian.search.planning.supernet.plan import Amounts

GATE_STEPS = 200
"""Steps below which gates at the usual rate are near where they began: it is for some hundreds of them."""


def describe_shared(search: Search, amounts: Amounts, workers: int) -> list[tuple[str, str]]:
    """(label, text) of each choice of a search that trains a supernet."""
    assert search.task is not None
    assert search.final is not None
    rows = [
        ("data", describe_data(search.task)),
        ("space", describe_whole_space(search.space)),
        ("strategy", f"{name_of(search.strategy)}: a supernet, then {_name_children(search)}"),
        *list_limits(search),
        ("supernet", _describe_supernet(search, amounts)),
        *_describe_ends(search, search.final),
        ("machine", describe_machine(search, workers)),
    ]
    return [*rows, ("time", _describe_shared_time(search, amounts))]


def _describe_shared_time(search: Search, amounts: Amounts) -> str:
    guessed = f"; {amounts.notice}" if amounts.notice else ""
    bounded = search.budget.seconds is not None or amounts.whole is None
    expected = "" if bounded or amounts.whole is None else f"about {seconds_text(amounts.whole)}; "
    return f"{expected}budget: {search.budget}{guessed}"


def _describe_supernet(search: Search, amounts: Amounts) -> str:
    assert search.task is not None
    images = round(amounts.fraction * len(search.task.train))
    chunks = find_trait(search.strategy, "chunks", 1)
    parts = f" in {chunks} parts" if chunks > 1 else ""
    each = f"{images} {search.task.noun}{parts}{list_settings(search.fidelity)}"
    text = f"{count_epochs(amounts.epochs)} of {each}"
    lasts = "" if amounts.seconds is None else f"; about {seconds_text(amounts.seconds)}"
    if amounts.seconds is not None and amounts.seconds > 1.5 * amounts.allowed:
        lasts += f", of which the budget leaves it {seconds_text(amounts.allowed)}: it will be cut short"
    lasts += ", as long as is of use" if amounts.as_is_of_use else ""
    memory = f", {amounts.memory / 2**20:,.0f} MiB" if amounts.memory else ""
    return text + lasts + memory + _warn_of_few_steps(search, amounts.steps)


def _warn_of_few_steps(search: Search, steps: int) -> str:
    """Words for a supernet's training that is too short for a choice; with the time that would do."""
    enough = GATE_STEPS if learns_gates(search.strategy) else STEPS
    if steps >= enough:
        return ""
    what = "for gates to decide" if learns_gates(search.strategy) else "to learn much from"
    seconds = search.budget.seconds
    # The time of a supernet grows with the budget, and its steps with that.
    more = "" if seconds is None else f": {seconds_text(seconds * enough / steps)} would do"
    return f"; {counted(steps, 'step')}, too few {what}, so that chance chooses{more}"


def _name_children(search: Search) -> str:
    gates = learns_gates(search.strategy)
    return "the architecture that its gates choose" if gates else "its children with shared weights"


def _describe_ends(search: Search, final: Final) -> list[tuple[str, str]]:
    """The rows of the supernet's children: those that are scored, or the one that its gates stand for."""
    if not learns_gates(search.strategy):
        return [("each", _describe_children(search)), ("then", _describe_alone(search, final))]
    training = f"{count_epochs(final.fidelity.epochs)}{list_settings(final.fidelity)}"
    drops = getattr(search.estimators[final.estimator], "drop_path", 0.0) > 0
    return [
        (
            "derived",
            "the architecture of the strongest gates; scored by the supernet's weights, then trained alone",
        ),
        (
            "then",
            f"the best derived {describe_beginning(search)}: {training}, on all but test"
            + ("; paths are dropped in it, and not in the supernet" if drops else ""),
        ),
    ]


def _describe_children(search: Search) -> str:
    count = find_trait(search.strategy, "children")
    statistics = {"measured": "measured for each", "running": "of the training", "batch": "of each batch"}
    many = "as many children as fit" if count is None else f"up to {count} children"
    return f"{many} scored by its weights, with statistics {statistics[search.estimator.statistics]}"


def _describe_alone(search: Search, final: Final) -> str:
    training = f"{count_epochs(final.fidelity.epochs)}{list_settings(final.fidelity)}"
    begun = describe_beginning(search)
    return f"the best {final.top} alone, {begun}: {training}; the best of them on all but test"
