"""The plan of a search whose strategy trains a supernet: a part of the time trains it in chunks, a part
scores its children, and the rest trains the best of them alone.

A strategy is known by its requests, never by its name: it is asked for its first request, and the method in
it is measured on this machine.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from cambrian.choices import Scalar
from cambrian.errors import UsageError
from cambrian.randomness import stream
from cambrian.registry import name_of
from cambrian.search.loop.deadlines import SUPERNETS
from cambrian.search.parts.compatibility import check_shared, learns_gates
from cambrian.search.planning.budget import Budget
from cambrian.search.planning.preset.workload import split_changes
from cambrian.search.planning.space_facts import SpaceFacts
from cambrian.search.planning.supernet.epochs import bound_epochs
from cambrian.search.planning.supernet.prices import (
    ANSWERED,
    FEWEST,
    FINAL,
    LEAST_STEPS,
    USED,
    Prices,
    add_prices,
    count_searches,
)
from cambrian.search.planning.supernet.sizes import choose_final, choose_size
from cambrian.search.planning.supernet.speed import (
    WorkersStart,
    check_memory,
    count_memory,
    measure_alone,
    measure_size,
    remember,
)
from cambrian.spaces.space import Space
from cambrian.strategies.inner import find_trait, has_trait
from cambrian.strategies.strategy import Strategy

if TYPE_CHECKING:
    from cambrian.estimators.one_shot import OneShot
    from cambrian.tasks.task import Task

MOST_PASSES = 150
"""Epochs beyond which more of them gain little, unless they are of few steps."""
MOST_STEPS, LONGEST = 20_000, 1000
"""Steps that more epochs may bring, about those of DARTS's 50 epochs on CIFAR-10, and the epochs of a long
published training of a supernet (CLOSE, Zhou et al. 2022)."""
USUAL, USUAL_CHILDREN = 30, 100
"""Epochs of the supernet, and children, without a limit of time."""
MOST_CHILDREN = 1000
"""Children beyond which there is no gain."""
TOP = 3
"""Children that are trained alone."""
ROUNDING = 0.05
"""The part of the time that whole epochs may leave."""
MEASURED = 0.08
"""The share of the time in which larger sizes are measured."""


class Amounts(msgspec.Struct, frozen=True):
    """The amounts of a search by a supernet: its training in `chunks`, `children`, and the final trainings.
    `seconds` are those expected for the supernet, `allowed` those that it has at most, `whole` those for
    everything (None: not measured), `memory` its bytes, `steps` the updates of its weights. `share` is the
    final stage's part of the time, larger where the supernet is trained for as long `as_is_of_use`."""

    epochs: int
    fraction: float
    skeleton: dict[str, Scalar]
    chunks: int
    children: int
    final_epochs: int
    final_skeleton: dict[str, Scalar]
    steps: int
    seconds: float | None = None
    allowed: float = math.inf
    whole: float | None = None
    memory: int | None = None
    notice: str | None = None
    share: float = FINAL
    as_is_of_use: bool = False


def plan_amounts(
    task: Task,
    space: Space,
    strategy: Strategy,
    one_shot: OneShot,
    limits: Budget,
    changes: Mapping[str, Any],
    *,
    began: float,
    workers: int,
    here: int,
    device: str,
    trainings: int,
    memory: int | None = None,
) -> Amounts:
    """The amounts within `limits`, whose time `began` then, by `time.monotonic()`. `trainings` networks are
    trained in the final stage, a training is allowed `memory` bytes, and `here` of the workers are sure to
    be on this machine."""
    check_shared(strategy, space)
    facts = SpaceFacts(space)
    fields, skeleton, final_skeleton = split_changes(facts, changes)
    _refuse_levels(fields)
    images = min(fields.get("images", len(task.train)), len(task.train))
    asked = fields.get("epochs", find_trait(strategy, "epochs"))
    bearable = bound_epochs(strategy, limits, round(images / len(task.train), 4), asked)
    sizes = [{**size, **skeleton} for size in ([facts.size(0)] if skeleton else facts.sizes or [{}])]
    measure = partial(measure_size, task, space, strategy, one_shot, device)
    last = remember(partial(measure_alone, task, space, device))
    rounds = math.ceil(trainings / workers) * len(task.train)
    rate = 0.0 if limits.seconds is None else rounds / FINAL / limits.seconds
    until = time.monotonic() + (limits.seconds or 0.0) * MEASURED
    with WorkersStart(wanted=workers > 1) as start:
        # On one worker, whatever their number: a supernet is one training, whose numbers are to be the same.
        alone = partial(last, facts.draw(None, stream(0, "plan", "final")))
        cost, notice = choose_size(sizes, measure, limits.seconds, images, one_shot, until, alone)
        check_memory(cost, device, memory, here)
        final, final_epochs, image = choose_final(facts, cost.skeleton, final_skeleton, last, rate)
        prices = add_prices(cost, strategy, one_shot, images, start.wait(), workers)
    planned = time.monotonic() - began
    seconds = _find_seconds(strategy, limits, prices, planned)
    most = _find_most_of_use(one_shot, images)
    bound = most if bearable is None else min(most, bearable)
    # A budget of epochs is there to be spent on the supernet.
    usual = USUAL if bearable is None else bound
    answered = has_trait(strategy, "answers_collapse")
    learning = (1 - ANSWERED) * seconds if answered else seconds
    epochs, passes = _fit_training(learning, prices, asked or (usual if math.isinf(seconds) else None), bound)
    chunks = prices.count_chunks(epochs, seconds, answered)
    if limits.trials is not None:
        chunks = _share_trials(strategy, limits.trials, chunks)
    children = _count_children(limits, prices, chunks, planned, workers)
    training = epochs * passes * prices.each + chunks * prices.chunk + prices.extra
    scoring = (1 if prices.gates else children) * prices.child / workers
    share = _find_final_share(limits, prices, planned, training, scoring)
    if share > FINAL:
        less = rate * FINAL / share
        final, final_epochs, image = choose_final(facts, cost.skeleton, final_skeleton, last, less)
    final_epochs = fields.get("final_epochs", final_epochs)
    return Amounts(
        epochs,
        round(passes * images / len(task.train), 4),
        cost.skeleton,
        chunks,
        children,
        final_epochs,
        final,
        epochs * max(1, round(passes * one_shot.batches(images))),
        training,
        seconds,
        planned + prices.start + training + scoring + rounds * final_epochs * image,
        count_memory(cost, here),
        notice,
        share,
        asked is None and epochs == most,
    )


def adapt_strategy(strategy: Strategy, amounts: Amounts) -> Strategy:
    """The strategy with the plan's chunks and children, where it has such settings at their defaults."""
    wanted: dict[str, Any] = {"chunks": amounts.chunks, "children": amounts.children}
    known: Any = strategy  # a strategy that is no dataclass keeps its settings to itself
    fields: tuple[Any, ...] = dataclasses.fields(known) if dataclasses.is_dataclass(strategy) else ()
    free = [f.name for f in fields if f.name in wanted and getattr(strategy, f.name) == f.default]
    adapted: Strategy = dataclasses.replace(known, **{name: wanted[name] for name in free}) if free else known
    return adapted


def _find_seconds(strategy: Strategy, limits: Budget, prices: Prices, planned: float) -> float:
    """The seconds for the supernet's epochs, infinite without a limit of time. Raises UsageError for a time
    in which nothing could be chosen."""
    if limits.seconds is None:
        return math.inf
    _refuse_short(strategy, limits.seconds, prices.find_least(planned))
    rest = prices.find_rest(limits.seconds, planned)
    return max(SUPERNETS * rest - prices.chunk - prices.extra, LEAST_STEPS * prices.step)


def _find_most_of_use(one_shot: OneShot, images: int) -> int:
    """The epochs beyond which more of them gain little."""
    return max(MOST_PASSES, min(LONGEST, math.ceil(MOST_STEPS / one_shot.batches(images))))


def _find_final_share(
    limits: Budget, prices: Prices, planned: float, training: float, scoring: float
) -> float:
    """The part of the time for the final stage: what is usual, or where the supernet has all that is of
    use to it, what it leaves."""
    if limits.seconds is None:
        return FINAL
    # The supernet's own deadline is that part of the search's time.
    search = planned + prices.start + max(training + scoring, training / SUPERNETS) / USED
    left = 1 - search / limits.seconds
    return round(left, 4) if left > FINAL + ROUNDING else FINAL


def _fit_training(seconds: float, prices: Prices, epochs: int | None, most: int) -> tuple[int, float]:
    """The epochs that fit, `most` at most, unless they are named; and of very many images the part of one
    pass that does."""
    passes = seconds / prices.each
    if epochs is None:
        epochs = max(1, min(most, int(passes)))
    return epochs, min(1.0, passes) if epochs == 1 else 1.0


def _count_children(limits: Budget, prices: Prices, chunks: int, planned: float, workers: int) -> int:
    if limits.trials is not None:
        return max(1, limits.trials - chunks)
    if limits.seconds is None:
        return USUAL_CHILDREN
    # The first child on each worker waits for the supernet to be made.
    seconds = (1 - SUPERNETS) * prices.find_rest(limits.seconds, planned) - prices.chunk
    return max(FEWEST, min(MOST_CHILDREN, int(seconds * workers / prices.child)))


def _share_trials(strategy: Strategy, trials: int, chunks: int) -> int:
    """The parts of the training among so many rows. Raises UsageError where they leave none for a choice."""
    # With gates: the score of the derived architecture, and its own training.
    others, searches = (2 if learns_gates(strategy) else 1), count_searches(strategy)
    stages = len(find_trait(strategy, "stages", ((),)))
    # Where a collapse is answered, up to as many parts again are trained in vain.
    turns = 2 if has_trait(strategy, "answers_collapse") else 1
    least = searches * (turns * stages + others)
    if trials < least:
        raise UsageError(
            f"{name_of(strategy)} needs {least} trials at least, since every training of a supernet is one of"
            f" them, got {trials}: give it more, or a time, as 10m"
        )
    each = trials // searches
    return max(stages, min(chunks, (each - others) // turns, each // 4))


def _refuse_short(strategy: Strategy, seconds: float, least: float) -> None:
    """Raises UsageError for a time in which nothing could be chosen."""
    if least <= seconds:
        return
    whole = 10 * math.ceil(least / 10)
    enough = f"{whole}s" if whole < 120 else f"{math.ceil(least / 60)}m"
    raise UsageError(
        f"{name_of(strategy)} trains a supernet, for which a budget of {seconds:g} s is too short here, so"
        f" that it could choose nothing: give it {enough} or more, or leave the strategy out"
    )


def _refuse_levels(fields: Mapping[str, Any]) -> None:
    for name in ("levels", "keep"):
        if name in fields:
            raise UsageError(
                f"{name} is an amount of a search by levels, which a supernet's is not: leave it out, or"
                " leave the strategy out"
            )
