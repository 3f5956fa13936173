"""The plan of a search whose strategy trains a supernet: a part of the time trains it in chunks, a part
scores its children, and the rest trains the best of them alone.

A strategy is known by its requests, never by its name: it is asked for its first request, and the method in
it is measured on this machine.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from cambrian.choices import Scalar
from cambrian.errors import UsageError
from cambrian.estimators.build import signature
from cambrian.estimators.job import Job
from cambrian.outcome import Fidelity
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.request import TrainSupernet
from cambrian.search.compatibility import check_shared
from cambrian.search.planning.budget import Budget
from cambrian.search.planning.forked import Failed, call_each
from cambrian.search.planning.space_facts import SpaceFacts
from cambrian.search.planning.speed import measure_speed, one_thread
from cambrian.search.planning.workload import split_changes
from cambrian.spaces.space import Space
from cambrian.strategies.strategy import Strategy

if TYPE_CHECKING:
    from cambrian.estimators.one_shot import OneShot
    from cambrian.tasks.task import Task

SUPERNET, SCORES = 0.4, 0.2
"""Shares of the time; the rest is for the final stage."""
LEAST = 0.1
"""The share of the supernet at least, however long the measuring took."""
USED = 0.85
"""The part of a supernet's share that is planned: the rest is for a machine that has become slower."""
CHUNKS = 8
"""Parts of a supernet's training, each of which leaves weights to go on from."""
PASSES, MOST_PASSES = 30, 150
"""Epochs from which a larger supernet is worth its time, and beyond which more of them gain little."""
USUAL, USUAL_FINAL, USUAL_CHILDREN = 30, 30, 100
"""Epochs of the supernet and of the final networks, and children, without a limit of time."""
FEWEST, MOST_CHILDREN = 10, 1000
TOP = 3
"""Children that are trained alone."""
PATIENCE = 30.0
"""Seconds that measuring one size may take."""
MEASURED = 0.08
"""The share of the time in which larger sizes are measured."""
BATCH = 64


class Amounts(msgspec.Struct, frozen=True):
    """The amounts of a search by a supernet: its training, `children`, and the final trainings. `seconds` are
    those expected for the supernet (None: not measured), `memory` its bytes."""

    epochs: int
    fraction: float
    skeleton: dict[str, Scalar]
    children: int
    final_epochs: int
    final_skeleton: dict[str, Scalar]
    seconds: float | None = None
    memory: int | None = None
    notice: str | None = None


class Measured(msgspec.Struct, frozen=True):
    """A size of the skeleton, with the seconds of a supernet's step for each image, of a child's score, and
    the bytes of a step."""

    skeleton: dict[str, Scalar]
    step: float
    score: float
    bytes: int


def plan_amounts(
    task: Task,
    space: Space,
    strategy: Strategy,
    one_shot: OneShot,
    limits: Budget,
    changes: Mapping[str, Any],
    *,
    workers: int,
    device: str,
    trainings: int,
) -> Amounts:
    """The amounts within `limits`; `trainings` networks are trained in the final stage."""
    began = time.monotonic()
    check_shared(strategy, space)
    facts = SpaceFacts(space)
    fields, skeleton, final_skeleton = split_changes(facts, changes)
    _refuse_levels(fields)
    images = min(fields.get("images", len(task.train)), len(task.train))
    sizes = [{**size, **skeleton} for size in ([facts.size(0)] if skeleton else facts.sizes or [{}])]
    measure = partial(_measure, task, space, strategy, one_shot, device)
    if limits.seconds is None:
        return _usual_amounts(task, images, fields, sizes[0], {**sizes[0], **final_skeleton})
    # On one worker, whatever their number: a supernet is one training, and its numbers are to be the same.
    share = limits.seconds * SUPERNET
    cost, notice = _choose_size(sizes, measure, share, images, one_shot, began + limits.seconds * MEASURED)
    _check_memory(cost, device)
    last = partial(_measure_alone, task, space, device)
    rounds = math.ceil(trainings / workers) * len(task.train) / (1 - SUPERNET - SCORES) / limits.seconds
    final, final_epochs = _choose_final(facts, cost.skeleton, final_skeleton, last, rounds)
    # The time of the measuring is the supernet's: children and final trainings are to have theirs.
    share = max(LEAST * limits.seconds, share - (time.monotonic() - began))
    each = images * cost.step + one_shot.paths * cost.score
    epochs = fields.get("epochs", max(1, min(MOST_PASSES, int(USED * share / each))))
    # Of very many images a part, where the time does not bear one pass.
    fraction = images / len(task.train) * min(1.0, max(share / each, BATCH / images) if epochs == 1 else 1.0)
    children = int(limits.seconds * SCORES * workers / cost.score)
    return Amounts(
        epochs,
        round(min(1.0, fraction), 4),
        cost.skeleton,
        max(FEWEST, min(MOST_CHILDREN, children)),
        fields.get("final_epochs", final_epochs),
        final,
        epochs * each * fraction,
        cost.bytes,
        notice,
    )


def adapt_strategy(strategy: Strategy, amounts: Amounts) -> Strategy:
    """The strategy with the plan's chunks and children, where it has such settings at their defaults."""
    wanted: dict[str, Any] = {
        "chunks": min(CHUNKS, amounts.epochs),
        "children": amounts.children,
        "training_seconds": None if amounts.seconds is None else round(amounts.seconds / USED, 2),
    }
    known: Any = strategy  # a strategy that is no dataclass keeps its settings to itself
    fields: tuple[Any, ...] = dataclasses.fields(known) if dataclasses.is_dataclass(strategy) else ()
    free = [f.name for f in fields if f.name in wanted and getattr(strategy, f.name) == f.default]
    adapted: Strategy = dataclasses.replace(known, **{name: wanted[name] for name in free}) if free else known
    return adapted


def _usual_amounts(
    task: Task, images: int, fields: Mapping[str, Any], skeleton: dict[str, Scalar], final: dict[str, Scalar]
) -> Amounts:
    return Amounts(
        fields.get("epochs", USUAL),
        round(images / len(task.train), 4),
        skeleton,
        USUAL_CHILDREN,
        fields.get("final_epochs", USUAL_FINAL),
        final,
    )


def _refuse_levels(fields: Mapping[str, Any]) -> None:
    for name in ("levels", "keep"):
        if name in fields:
            raise UsageError(
                f"{name} is an amount of a search by levels, which a supernet's is not: leave it out, or"
                " leave the strategy out"
            )


def _choose_size(
    sizes: Sequence[dict[str, Scalar]],
    measure: Callable[[dict[str, Scalar]], Measured | Failed],
    share: float,
    images: int,
    one_shot: OneShot,
    until: float,
) -> tuple[Measured, str | None]:
    """The largest size that makes PASSES epochs within its share, else the smallest; and a sentence where its
    cost had to be guessed."""
    chosen: Measured | None = None
    for size in sizes:
        cost = measure(size)
        if isinstance(cost, Failed):
            if chosen is None:
                guess = Measured(size, 1e-3, 1.0, 0)
                return guess, f"the supernet could not be measured, and its speed was guessed: {cost}"
            break
        if chosen is None or share / (images * cost.step + one_shot.paths * cost.score) >= PASSES:
            chosen = cost
        if chosen is not cost or time.monotonic() > until:
            break
    assert chosen is not None
    return chosen, None


def _measure(
    task: Task,
    space: Space,
    strategy: Strategy,
    one_shot: OneShot,
    device: str,
    skeleton: dict[str, Scalar],
) -> Measured | Failed:
    """The cost of the strategy's own supernet in that skeleton."""
    from cambrian.estimators.supernet_cost import measure_supernet

    problem = Problem(space, fidelity=Fidelity(1, skeleton=skeleton))
    request = strategy.propose(strategy.start(problem), [], stream(0, "plan", "supernet"))
    assert isinstance(request, TrainSupernet)
    job = Job(request, problem, task, device=device)
    if device.startswith("cuda"):  # which a forked process cannot use
        cost = msgspec.to_builtins(measure_supernet(one_shot, job))
    else:
        (cost,) = call_each([partial(_measure_in_one_thread, one_shot, job)], 1, PATIENCE)
    if isinstance(cost, Failed):
        return cost
    return Measured(skeleton, float(cost["step"]), float(cost["score"]), int(cost["bytes"]))


def _measure_in_one_thread(one_shot: OneShot, job: Job) -> Any:
    from cambrian.estimators.supernet_cost import measure_supernet

    with one_thread():
        return msgspec.to_builtins(measure_supernet(one_shot, job))


def _choose_final(
    facts: SpaceFacts,
    smallest: dict[str, Scalar],
    changes: Mapping[str, Scalar],
    measure: Callable[[Any, Mapping[str, Scalar]], float],
    rounds: float,
) -> tuple[dict[str, Scalar], int]:
    """The largest skeleton, from that of the search on, of which a network is trained for PASSES epochs, and
    its epochs; `rounds` are the images of all trainings in an epoch, for each second of the stage."""
    network = facts.draw(None, stream(0, "plan", "final"))
    first, larger = {**smallest, **changes}, [{**size, **changes} for size in facts.sizes]
    sizes = larger[larger.index(first) :] if first in larger else [first]
    chosen, epochs = sizes[0], 0.0
    for size in sizes:
        passes = 1 / (rounds * measure(network, size))
        if epochs and passes < PASSES:
            break
        chosen, epochs = size, passes
    # A margin for scores and starts: what is late is cut short.
    return chosen, max(1, min(MOST_PASSES, int(0.8 * epochs)))


def _measure_alone(
    task: Task, space: Space, device: str, network: Any, skeleton: Mapping[str, Scalar]
) -> float:
    """Seconds to learn from an image, of a network of its own."""
    seen = signature(task, Fidelity())

    def measure() -> float:
        alone = space.build(network, seen, **skeleton)
        with one_thread():
            return measure_speed(alone, (seen.channels, seen.height, seen.width), device)

    if device.startswith("cuda"):
        return measure()
    (seconds,) = call_each([measure], 1, PATIENCE)
    return 1e-3 if isinstance(seconds, Failed) else float(seconds)


def _check_memory(cost: Measured, device: str) -> None:
    """Raises UsageError for a supernet that does not fit into the memory that is free."""
    free = None if device.startswith("cuda") else read_free_memory()
    if free is not None and cost.bytes > free:
        raise UsageError(
            f"the supernet needs about {cost.bytes / 2**20:,.0f} MiB for a step, and {free / 2**20:,.0f} MiB"
            " are free: take fewer filters or cells, as --filters 8, or a smaller batch, as --batch-size 16"
        )


def read_free_memory() -> int | None:
    """The bytes of memory that are free on this machine; None where it does not say."""
    try:
        with open("/proc/meminfo") as file:
            rows = dict(line.split(":", 1) for line in file)
        return int(rows["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
