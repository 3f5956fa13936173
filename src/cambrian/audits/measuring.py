"""Measurement of architectures by a shortcut: by a run of its own in the audit's directory, or in a table.

Each run is a search like any other, whose strategy asks for a list: it goes on after a kill, on as many
workers as there are, and is not made twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from cambrian.architecture import Architecture
from cambrian.audits.schedule import Schedule
from cambrian.audits.shortcuts import INHERITED, ONE_SHOT, Shortcut
from cambrian.effort import count_epochs
from cambrian.errors import NothingSucceeded, RunError
from cambrian.estimators.job import Job
from cambrian.outcome import Done, Fidelity, Outcome, Trial, describe_failure
from cambrian.referee.shared_data import name_folder, open_place
from cambrian.request import Evaluate, Request, TrainSupernet
from cambrian.search.loop.watch import Watch
from cambrian.search.search import Search
from cambrian.spaces.shared_questions import outer
from cambrian.spaces.space import Space
from cambrian.weights import Inherit, Shared

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cambrian.benchmarks import Benchmark
    from cambrian.tasks.task import Task

TRUTH = "truth"
"""The folder of the run that trains the sample in full."""


class Measurements(msgspec.Struct, frozen=True):
    """`scores` of the architectures, higher is better, NaN where one failed; `seconds` and `epochs` of one of
    them on average, None where they are not known; `failures` are the sentences of those that failed. Of the
    truth, `again` are the scores of the networks that were trained twice."""

    scores: NDArray[np.float64]
    seconds: float | None
    epochs: float | None = None
    failures: tuple[str, ...] = ()
    again: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Ground:
    """The conditions that all measurements of an audit share. Runs are in folders of `home` (None: in
    memory)."""

    space: Space
    task: Task | None
    truth: Fidelity
    home: Path | None = None
    seed: int = 0
    workers: int = 1
    device: str = "cpu"
    watch: Callable[[str, int], Watch] | None = None
    """The display of a run, from its label and the number of its measurements."""


def measure(
    ground: Ground,
    shortcut: Shortcut,
    architectures: Sequence[Architecture],
    twice: Sequence[Architecture] = (),
    folder: str | None = None,
) -> Measurements:
    """Measure the architectures by the shortcut; those of `twice` once more, as replicates."""
    requests, places = list_requests(ground.space, shortcut, architectures, ground.truth)
    again = [Evaluate(a, shortcut.fidelity, replicate=1) for a in twice]
    trials = _run(ground, shortcut, [*requests, *again], folder or name_folder(shortcut.label))
    own = [None if place is None else trials[place] for place in places]
    own_rows = {t.number for t in own if t is not None}
    shared = [t for t in trials[: len(requests)] if t.number not in own_rows]
    # The training of a supernet, or of the parent, is shared by all that begin with its weights.
    spent = sum(
        t.outcome.seconds for t in trials[: len(requests)] if t.outcome is not None and t.cached is None
    )
    trained = _count_epochs(shortcut, shared, ground)
    return Measurements(
        np.array([_score(t) for t in own]),
        spent / len(architectures),
        None if trained is None else trained / len(architectures) + _count_own_epochs(shortcut),
        tuple(describe_failure(t) for t in own if t is not None and t.value is None),
        np.array([_score(t) for t in trials[len(requests) :]]) if twice else None,
    )


def list_requests(
    space: Space, shortcut: Shortcut, architectures: Sequence[Architecture], truth: Fidelity
) -> tuple[list[Request], list[int | None]]:
    """The requests of a shortcut, and the place of each architecture's own among them; None for one that is
    itself the parent of all others."""
    fidelity = shortcut.fidelity
    if shortcut.weights == INHERITED:
        parent = find_parent(architectures)
        children = [a for a in architectures if a != parent]
        rows: list[Request] = [Evaluate(parent, truth)]
        rows += [Evaluate(a, fidelity, parent=0, weights=Inherit(0)) for a in children]
        return rows, [None if a == parent else 1 + children.index(a) for a in architectures]
    if shortcut.weights == ONE_SHOT:
        return _list_shared(space, shortcut, architectures)
    return [Evaluate(a, fidelity) for a in architectures], list(range(len(architectures)))


def find_parent(architectures: Sequence[Architecture]) -> Architecture:
    """The architecture with the fewest different answers to all others: their common relative."""
    distances = [sum(_differ(a, b) for b in architectures) for a in architectures]
    return architectures[distances.index(min(distances))]


def look_up(
    benchmark: Benchmark, architectures: Sequence[Architecture], fidelity: Fidelity, minimize: bool
) -> Measurements:
    """The objective of a table after the fidelity's epochs; where it lists their seconds, these."""
    outcomes = [_estimate(benchmark, a, fidelity) for a in architectures]
    sign = -1 if minimize else 1
    scores = [sign * o.value if isinstance(o, Done) else np.nan for o in outcomes]
    seconds = float(np.mean([o.seconds for o in outcomes])) if benchmark.timed else None
    failed = [o for o in outcomes if not isinstance(o, Done)]
    return Measurements(
        np.array(scores), seconds, count_epochs(fidelity), tuple(getattr(o, "detail", "") for o in failed)
    )


def test_by_table(benchmark: Benchmark, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
    """The table's test scores, turned so that higher is better."""
    sign = -1 if benchmark.test_minimize else 1
    return np.array([sign * benchmark.test(a) for a in architectures])


def _run(ground: Ground, shortcut: Shortcut, requests: Sequence[Request], folder: str) -> list[Trial]:
    search = Search(
        ground.space,
        Schedule.of(requests),
        shortcut.estimator,
        ground.task,
        len(requests),
        seed=ground.seed,
        fidelity=ground.truth,
        final=None,
        device=ground.device,
        workers=ground.workers,
    )
    watch = ground.watch(shortcut.label, len(requests)) if ground.watch is not None else None
    place = None if ground.home is None else open_place(ground.home, folder, shared=ground.task is not None)
    try:
        trials = search.run(place, watch, quiet=True).trials
    except NothingSucceeded as error:
        raise RunError(f"{shortcut.label!r} measured no architecture: {error}") from error
    if len(trials) < len(requests):
        first = next((t for t in trials if t.value is None), trials[0])
        raise RunError(f"{shortcut.label!r} could not go on: {describe_failure(first)}")
    return trials


def _list_shared(
    space: Space, shortcut: Shortcut, architectures: Sequence[Architecture]
) -> tuple[list[Request], list[int | None]]:
    """A supernet for each assignment of outer answers, and after it the architectures that it holds."""
    groups: dict[str, list[Architecture]] = {}
    for architecture in architectures:
        groups.setdefault(Architecture(outer(space, architecture)).key, []).append(architecture)
    rows: list[Request] = []
    places: dict[Architecture, int] = {}
    for members in groups.values():
        supernet = len(rows)
        rows.append(TrainSupernet(members[0], dict(shortcut.method), shortcut.fidelity))
        for member in members:
            places[member] = len(rows)
            rows.append(Evaluate(member, shortcut.fidelity, weights=Shared(supernet)))
    return rows, [places[a] for a in architectures]


def _count_epochs(shortcut: Shortcut, shared: Sequence[Trial], ground: Ground) -> float | None:
    """The epochs of the trainings that the architectures share; None where nothing is trained."""
    return sum(count_epochs(t.fidelity) for t in shared) if shortcut.trains else None


def _count_own_epochs(shortcut: Shortcut) -> float:
    return 0.0 if shortcut.weights == ONE_SHOT else count_epochs(shortcut.fidelity)


def _score(trial: Trial | None) -> float:
    return np.nan if trial is None or trial.score is None else trial.score


def _differ(one: Architecture, other: Architecture) -> int:
    return sum(one.get(path) != other.get(path) for path in {*one, *other})


def _estimate(benchmark: Benchmark, architecture: Architecture, fidelity: Fidelity) -> Outcome:
    steps = benchmark.estimator.run(Job.of(benchmark.space, architecture, fidelity))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
