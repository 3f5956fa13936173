"""From data and a budget to a search: progressive, in the PNAS space, by real training, unless another
space or strategy is named.

The budget chooses the levels B, the cells kept K, the epochs, the images and the skeleton: the highest
rung of `LADDER` whose cost, by the measured speed of a few sample networks, fits. Everything can be said
instead of chosen.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import msgspec

from cambrian.choices import Scalar
from cambrian.estimators.limits import describe_limits
from cambrian.outcome import Fidelity
from cambrian.randomness import stream
from cambrian.search.loop.deadlines import SEARCHED
from cambrian.search.loop.final_stage import Final
from cambrian.search.planning.budget import Budget
from cambrian.search.planning.cost import Cost, skeleton_settings
from cambrian.search.planning.ladder import LADDER, Rung
from cambrian.search.search import Search
from cambrian.search.settings import component, published_architectures, space_for, usual
from cambrian.search.space_check import check_space, is_own
from cambrian.spaces.cells.pnas import PNAS
from cambrian.spaces.size import estimated_size
from cambrian.spaces.space import Space
from cambrian.strategies.progressive import Progressive
from cambrian.strategies.strategy import Strategy

if TYPE_CHECKING:
    from cambrian.networks.training.recipe import Recipe
    from cambrian.tasks.task import Task


PAPER = LADDER[-1]
UNTOLD = LADDER[3]
"""What is done without a budget for data of few pixels in all, whatever the machine; for more of them
half an hour is the budget."""

FEW_PIXELS = 500_000
HALF_HOUR = 1800.0


class Plan(msgspec.Struct, frozen=True):
    """What will be done, before it is: `rows` are (label, text) for people; `trials` by level, where the
    strategy has levels; `seconds` is the expected time of the whole, by the speed measured here."""

    search: Search
    rung: Rung
    trials: dict[int, int]
    seconds: float
    rows: tuple[tuple[str, str], ...]


def plan(
    task: Task,
    budget: Budget | str | int | None = None,
    *,
    paper: bool = False,
    workers: int | None = None,
    device: str = "cpu",
    space: Space | str | Mapping[str, Any] | None = None,
    strategy: Strategy | str | Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
    surrogate: str = "mlp-ensemble",
    changes: Mapping[str, int] | None = None,
    baselines: tuple[str, ...] = ("random", "pnasnet-5"),
    **settings: Any,
) -> Plan:
    """A search for `task` within `budget`. `space` replaces PNAS's, `strategy` progressive search, or what
    is usual for a budget of few trials;
    `changes` sets fields of the rung; `recipe` those of the training; `settings` go to `Search`.
    Measures the machine's speed for a second or two."""
    from cambrian.estimators.train import Train

    began = time.monotonic()
    given = Budget.parse(budget)
    pixels = len(task.train) * task.height * task.width
    if given == Budget() and not paper and pixels > FEW_PIXELS:
        given = Budget(seconds=HALF_HOUR)
    crew = workers or (1 if device.startswith("cuda") else cores())
    place = None if space is None else space_for(space, task)
    if place is not None and is_own(place):
        check_space(place, task, Fidelity())
    ranks = "mlp-ensemble-paper" if paper and surrogate == "mlp-ensemble" else surrogate
    train = Train(**{**(PAPER_RECIPE if paper else {}), **dict(recipe or {})})
    cost = Cost(task, device, crew, place)
    rung = PAPER if paper else _rung(cost, given, train)
    rung = msgspec.structs.replace(rung, **dict(changes or {}))
    trials = cost.trials(rung)
    leveled = paper or bool({"levels", "keep"} & set(changes or {}))
    chosen = _strategy(strategy, place, None if leveled else given.trials)
    first = None
    if chosen is not None and given == Budget():  # which would never stop by itself
        given = Budget(trials=sum(trials.values()))
    if chosen is None and given.trials is not None and not paper:
        rung, first = _fit_rung(rung, given.trials, trials[1], frozenset(changes or {}))
        trials = {b: min(n, (first or n) if b == 1 else n) for b, n in cost.trials(rung).items()}
    where = place or PNAS(blocks=max(5, rung.levels) if chosen is None else rung.levels)
    search = Search(
        where,
        chosen or Progressive(rung.levels, rung.keep, surrogate=ranks, first=first),
        train,
        task,
        given,
        engine="processes" if crew > 1 else "serial",
        workers=crew,
        fidelity=_fidelity(rung, task, where),
        final=Final(_final_fidelity(rung, where, paper), baselines=_baselines_in(baselines, where)),
        device=device,
        **settings,
    )
    rows = tuple(_rows(search, rung, trials, cost))
    levels = trials if chosen is None else {}
    search.remarks = {
        "plan": rows,
        "expected": {str(level): n for level, n in levels.items()},
        "speed": {
            "trial": {str(level): cost.trial_seconds(rung, level) for level in trials},
            "final": cost.training_seconds(rung),
        },
    }
    search.spent = time.monotonic() - began
    return Plan(search, rung, levels, cost.seconds(rung), rows)


def _strategy(given: Any, space: Space | None, trials: int | None) -> Strategy | None:
    """None for progressive search by the rung's levels, which are those of PNAS's space."""
    pnas = space is None or isinstance(space, PNAS)
    name = given or usual(space or PNAS(), trials)
    if pnas and name == "progressive":
        return None
    found: Strategy = component("strategy", name)
    return found


def _baselines_in(baselines: tuple[str, ...], space: Space) -> tuple[str, ...]:
    """Those that the space holds."""
    known = {"random", *published_architectures(space)}
    return tuple(name for name in baselines if name in known)


PAPER_RECIPE = {"learning_rate": 0.01, "warmup": 0.0}
PAPER_FINAL: Mapping[str, Scalar] = {"auxiliary": True, "drop_path": 0.4}
"""Sec. 5.1 and 5.3: cosine decay from 0.01; the auxiliary head and drop-path for the final network alone."""


STEPS = 60
"""Fewer of them teach a network next to nothing: where there are few images, an epoch counts in steps."""
WORTHWHILE = 12
"""Networks that a search in haste compares, by training each for less."""


def _rung(cost: Cost, budget: Budget, train: Recipe) -> Rung:
    seconds = budget.seconds
    if seconds is None:
        return _lengthened(UNTOLD, cost, train)
    rungs = [_lengthened(rung, cost, train) for rung in LADDER]
    fitting = list(takewhile(lambda rung: _fits(cost, rung, seconds), rungs))
    return fitting[-1] if fitting else _hasty(rungs[0], cost, seconds)


def _lengthened(rung: Rung, cost: Cost, train: Recipe) -> Rung:
    """Where there are fewer images than it wants: as many epochs as make STEPS steps, and twice as many in
    the final stage."""
    if cost.images(rung) == rung.images:
        return rung
    each, final = (train.batches(n) for n in (cost.images(rung), len(cost.task.train)))
    return msgspec.structs.replace(
        rung,
        epochs=max(rung.epochs, math.ceil(STEPS / each)),
        final_epochs=max(rung.final_epochs, math.ceil(2 * STEPS / final)),
    )


def _hasty(rung: Rung, cost: Cost, seconds: float) -> Rung:
    """The lowest rung where not even that fits: with fewer epochs, so that there is something to compare
    and the final networks are ready."""
    once = msgspec.structs.replace(rung, epochs=1, final_epochs=1)
    share = seconds * 0.6 * cost.workers / WORTHWHILE
    return msgspec.structs.replace(
        rung,
        epochs=max(1, min(rung.epochs, int(share / cost.trial_seconds(once, 1)))),
        final_epochs=max(1, min(rung.final_epochs, int(seconds / 6 / cost.training_seconds(once)))),
    )


def _fits(cost: Cost, rung: Rung, seconds: float) -> bool:
    return cost.search_seconds(rung) <= seconds * 0.6 and cost.final_seconds(rung) <= seconds / 3


def _fit_rung(rung: Rung, budget: int, first: int, said: frozenset[str]) -> tuple[Rung, int | None]:
    """The rung with as many levels and as much kept as so many trials allow, and how many of the first
    level's: all of them where at least a quarter of the budget is left for the others."""
    levels = rung.levels if "levels" in said else min(rung.levels, max(1, budget // 4))
    if levels == 1:
        return msgspec.structs.replace(rung, levels=1), min(first, budget)
    begun = first if first <= budget * 3 // 4 else max(1, budget // 2)
    keep = rung.keep if "keep" in said else max(1, (budget - begun) // (levels - 1))
    return msgspec.structs.replace(rung, levels=levels, keep=keep), None if begun == first else begun


def _fidelity(rung: Rung, task: Task, space: Space) -> Fidelity:
    share = min(1.0, rung.images / len(task.train))
    return Fidelity(rung.epochs, round(share, 4), skeleton=skeleton_settings(space, rung.filters, rung.cells))


def _final_fidelity(rung: Rung, space: Space, paper: bool) -> Fidelity:
    skeleton = skeleton_settings(space, rung.final_filters, rung.final_cells)
    if paper:
        skeleton |= {k: v for k, v in PAPER_FINAL.items() if k in space.skeleton}
    return Fidelity(rung.final_epochs, skeleton=skeleton)


def describe_data(task: Task) -> str:
    """The plan's first row, which needs no measuring."""
    size = f"{task.height}x{task.width}x{task.channels}"
    counts = f"{len(task.train)} train, {len(task.validation)} validation, {len(task.test)} test"
    return f"{task.name}: {size}, {task.classes} classes; {counts}"


def _rows(search: Search, rung: Rung, trials: dict[int, int], cost: Cost) -> list[tuple[str, str]]:
    task, space, final = search.task, search.space, search.final
    assert task is not None
    assert final is not None
    levels = ", ".join(f"{n} of {b} block{'s' if b > 1 else ''}" for b, n in trials.items())
    count = f"{sum(trials.values())} cells trained: {levels}"
    if not (isinstance(search.strategy, Progressive) and isinstance(space, PNAS)):
        count = f"{search.budget.trials or 'as many as fit'} networks trained"
    return [
        ("data", describe_data(task)),
        ("space", _space_row(space, rung)),
        ("strategy", f"{type(search.strategy).__name__.lower()}: {count}"),
        *_limit_rows(search),
        ("each", _each_row(search, rung.epochs, cost.images(rung))),
        (
            "then",
            f"the best {final.top} from scratch: {rung.final_epochs} epochs{_settings(final.fidelity)}; the "
            "best of them on all but test",
        ),
        ("machine", f"{search.device}, {search.engine.slots} at a time"),
        ("time", _time_row(search.budget, rung, trials, cost)),
    ]


def _limit_rows(search: Search) -> list[tuple[str, str]]:
    """What is over these is never trained; each measure with how it is taken."""
    return [("limits", describe_limits(search.limits, search.device))] if search.limits else []


def _each_row(search: Search, epochs: int, images: int) -> str:
    """Epochs tell little where images are few."""
    steps = epochs * search.estimator.batches(images)
    text = f"{epochs} epoch{'s' if epochs > 1 else ''} of {images} images{_settings(search.fidelity)}"
    if steps < STEPS // 2:
        return f"{text}: {steps} steps, too few to learn much from, so that chance decides which is best"
    return text if steps > 4 * STEPS else f"{text}: {steps} steps"


def _time_row(budget: Budget, rung: Rung, trials: dict[int, int], cost: Cost) -> str:
    """What is expected, and where that is more than there is, what becomes of it."""
    expected = f"about {duration(cost.seconds(rung))}"
    guessed = f"; {cost.notice}" if cost.notice else ""
    if budget.seconds is None or cost.seconds(rung) <= budget.seconds:
        return f"{expected}; budget: {budget}{guessed}"
    fitting = int(budget.seconds * SEARCHED * cost.workers / cost.trial_seconds(rung, 1))
    fewer = f"the search ends after about {max(1, min(fitting, sum(trials.values())))} networks"
    return f"{expected} for all of it; budget: {budget}, in which {fewer}{guessed}"


def _space_row(space: Space, rung: Rung) -> str:
    if isinstance(space, PNAS):
        return f"PNAS cells of up to {rung.levels} blocks, {space.size(rung.levels):.3g} at that level"
    size = estimated_size(space, stream(0, "size"))
    counted = "infinitely many" if size == float("inf") else f"about {size:.2g}"
    return f"{type(space).__name__}: {counted} architectures, sampled {space.measure}"


def _settings(fidelity: Fidelity) -> str:
    return "".join(f", {value} {name}" for name, value in fidelity.skeleton.items())


def cores() -> int:
    """How many this process may use, which a container may keep below the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def duration(seconds: float) -> str:
    """
    >>> duration(50), duration(200), duration(9000)
    ('50 s', '3 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
