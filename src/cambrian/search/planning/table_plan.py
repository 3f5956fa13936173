"""The plan of a search for the rows of a table: networks and their trainings are searched together, each
trained for seconds, and the best is trained once more on all but the test part.

Few rows are learned by heart within few passes, so that one long training is no use of a budget; the choice
among many short ones is (see `spaces/chains/tabular/space.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from cambrian.architecture import sample
from cambrian.errors import Unread
from cambrian.estimators.limits import read_limits
from cambrian.one_thread import one_thread
from cambrian.outcome import Fidelity
from cambrian.randomness import stream
from cambrian.search.loop.final import Final
from cambrian.search.parts.components import component, find_published, space_for
from cambrian.search.parts.given import check_names
from cambrian.search.planning.asked_settings import point_to_surrogate, refuse_asked, refuse_untrained
from cambrian.search.planning.budget import Budget
from cambrian.search.planning.forked import Failed, call_each
from cambrian.search.planning.limited_size import STEP, describe_left_out, narrow_begun
from cambrian.search.planning.on_gpu import call_here, is_gpu
from cambrian.search.planning.optimisers import choose_optimiser
from cambrian.search.planning.plan_request import PlanRequest
from cambrian.search.planning.plan_rows import describe_table
from cambrian.search.planning.planned import Plan
from cambrian.search.planning.preset.workload import FIELDS
from cambrian.search.planning.speed import measure_speed
from cambrian.search.search import Search
from cambrian.spaces.knowledge import Begins, know
from cambrian.spaces.space import Space
from cambrian.strategies.strategy import Strategy

if TYPE_CHECKING:
    from cambrian.tasks.task import Task

SPACE, STRATEGY = "tabular", "bayes"
MINUTES = 120.0
"""Seconds of the budget where nobody names one."""
FILTERS = 16
MOST_EPOCHS, LEAST_EPOCHS = 40, 2
"""Epochs of the longest training; the space chooses a share of them."""
LARGE = 8_000
"""Rows from which batches are larger."""
TRIALS, FEWEST = 50, 8
"""Networks that a search compares, where the time bears as many trainings, and where it does not."""
STEPS = 400
"""Of the longest training: with fewer a network learns little, and what is compared is chance. Fewer networks
are trained then."""
SHARE = 0.12
"""The share of the time for the final training."""
OVERHEAD = 0.3
"""Seconds of a trial besides its steps: its process, its rows, its network."""
PATIENCE = 10.0
SAMPLES = 4
"""Networks whose speed is measured, for at most PATIENCE seconds each."""
GUESSED = 1e-4
"""Seconds per row of a network whose speed could not be measured."""
CHANGES = ("epochs", "final_epochs", "filters", "final_filters")


def plan_by_table(request: PlanRequest) -> Plan:
    """See `cambrian.plan`. Raises Unread for settings of other searches."""
    from cambrian.estimators.train import Train

    chosen: Strategy = component("strategy", STRATEGY if request.strategy is None else request.strategy)
    _refuse_unread(request, chosen)
    task, changes, settings, crew = request.task, request.changes, request.settings, request.crew
    limits = request.limits if request.limits != Budget() else Budget(seconds=MINUTES)
    searched = space_for(SPACE if request.space is None else request.space, task)
    refuse_asked(request.recipe, searched)
    refuse_untrained(changes, settings.get("estimator"))
    size, last = _choose_sizes(searched, changes)
    begun = know(searched, Begins)
    searched, size, last = _keep_limits(request, searched, size, last)
    left_out = _list_left_out(begun, know(searched, Begins))
    batch = int(request.recipe.get("batch_size", 64 if len(task.train) < LARGE else 256))
    with one_thread():
        speed, notice = _measure(task, searched, size, request.device, crew)
    epochs = changes.get("epochs") or choose_epochs(
        len(task.train), batch, speed, request.left or limits.seconds, crew
    )
    train = Train(
        **{**choose_optimiser(task, request.recipe, searched), "batch_size": batch, **request.recipe}
    )
    search = Search(
        searched,
        chosen,
        settings.get("estimator") or train,
        task,
        limits,
        estimators={"train": train} if settings.get("estimator") else {},
        engine=request.engine,
        fidelity=Fidelity(epochs, skeleton=size),
        final=Final(
            Fidelity(changes.get("final_epochs") or epochs, skeleton=last),
            top=1,
            baselines=("random", *find_published(searched))
            if request.baselines is None
            else request.baselines,
            estimator="train" if settings.get("estimator") else "",
            share=SHARE,
        ),
        device=request.device,
        **{name: value for name, value in settings.items() if name != "estimator"},
    )
    rows = tuple(
        describe_table(search, request.engine.slots, notice, describe_left_out(left_out, "at every width"))
    )
    search.remarks = {"plan": rows}
    trial = OVERHEAD + MEAN_LENGTH * epochs * len(task.train) * speed
    counted = (limits.trials, limits.most_epochs and math.ceil(limits.most_epochs / (MEAN_LENGTH * epochs)))
    expected = min((n for n in counted if n is not None), default=TRIALS) * trial / crew
    return Plan(search, rows, min(expected, limits.seconds or expected))


def _choose_sizes(space: Space, changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The skeletons of the search and of the last training; empty for networks of one size, as a user's
    own, unless the user names one, which is refused where it is used."""
    usual = FILTERS if "filters" in getattr(space, "skeleton", ()) else None
    filters = changes.get("filters", usual)
    last = changes.get("final_filters", filters)
    return tuple({} if n is None else {"filters": n} for n in (filters, last))  # type: ignore[return-value]


def _keep_limits(
    request: PlanRequest, space: Space, size: dict[str, Any], last: dict[str, Any]
) -> tuple[Space, dict[str, Any], dict[str, Any]]:
    """The space, whose networks to begin with keep the limits, and both skeletons: of fewer filters where
    none of them does in as many as usual, unless somebody named these."""
    limits = read_limits(request.settings.get("limits") or {})
    own = know(space, Begins)
    if own is None or not own.begins or not limits:
        return space, size, last
    named = "filters" not in size or {"filters", "final_filters"} & request.changes.keys()
    fewer: list[dict[str, Any]] = [{"filters": n} for n in range(FILTERS, 0, -STEP)]
    fitted, sizes = space, [(size, last)] if named else list(zip(fewer, fewer, strict=True))
    for both in sizes:
        short, long = (Fidelity(skeleton=each) for each in both)
        fitted = narrow_begun(space, request.task, short, long, limits, request.device)
        fitting = know(fitted, Begins)
        if fitting is not None and fitting.begins:
            return fitted, *both
    return fitted, *sizes[-1]


def _list_left_out(before: Begins | None, after: Begins | None) -> list[str]:
    """The names of the networks that a space began with before it was held to the limits."""
    return [name for name in (before.begins if before else ()) if after and name not in after.begins]


def _refuse_unread(request: PlanRequest, strategy: Strategy) -> None:
    """Raise Unread for settings that such a search would not read."""
    known = [*CHANGES, *FIELDS, "cells", "final_cells", "entrants"]
    check_names("the search of a table", request.changes, known)
    unread = [name for name in request.changes if name not in CHANGES]
    unread += (
        ["audit"] * request.audit
        + ["paper"] * request.paper
        + ["surrogate"] * (request.surrogate is not None)
    )
    if unread:
        other = point_to_surrogate(strategy, request.surrogate) or "the data are rows of a table"
        raise Unread(unread, f"for searches among images, and {other}")


MEAN_LENGTH = 0.5
"""The share of the longest training that a network has on average."""


def choose_epochs(rows: int, batch: int, speed: float, seconds: float | None, workers: int) -> int:
    """The epochs of the longest training of `rows` rows, in batches of `batch`, at `speed` seconds a row: as
    many as leave time for TRIALS networks, but STEPS steps where these leave time for FEWEST, and never more
    than MOST_EPOCHS."""
    if seconds is None:
        return MOST_EPOCHS

    def bear(networks: int) -> float:
        each = seconds * (1 - SHARE) * workers / networks - OVERHEAD
        return each / (MEAN_LENGTH * speed * rows)

    wanted = math.ceil(STEPS * batch / rows)
    epochs = max(bear(TRIALS), min(wanted, bear(FEWEST)))
    return int(max(LEAST_EPOCHS, min(MOST_EPOCHS, epochs)))


def _measure(
    task: Task, space: Space, size: Mapping[str, Any], device: str, workers: int
) -> tuple[float, str | None]:
    """Seconds per row of an average network, and a sentence where that is a guess."""
    drawn = [sample(space, stream(n, "speed")) for n in range(SAMPLES)]
    jobs = [partial(_measure_one, task, space, architecture, size, device) for architecture in drawn]
    speeds = call_here(jobs) if is_gpu(device) else call_each(jobs, max(workers, 1), PATIENCE)
    known = [float(speed) for speed in speeds if not isinstance(speed, Failed)]
    if known:
        return sum(known) / len(known), None
    return GUESSED, f"the speed could not be measured and was guessed: {speeds[0]}"


def _measure_one(task: Task, space: Space, architecture: Any, size: Mapping[str, Any], device: str) -> float:
    network = space.build(architecture, task, **size)
    # An optimiser's step costs about as much again as a small network's forward and backward.
    return 2 * measure_speed(network, (task.channels, task.height, task.width), device)
