"""The costs of a search by a supernet on this machine: its steps and scores, and the time around them, such
as that of the processes that do the work."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from cambrian.choices import Scalar
from cambrian.errors import UsageError
from cambrian.estimators.build import signature
from cambrian.estimators.job import Job
from cambrian.one_thread import one_thread
from cambrian.outcome import Fidelity
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.request import TrainSupernet
from cambrian.search.parts.container import read_container_memory
from cambrian.search.planning.forked import Failed, call_each
from cambrian.search.planning.on_gpu import call_here, is_gpu
from cambrian.search.planning.speed import measure_speed
from cambrian.spaces.space import Space
from cambrian.strategies.inner import find_trait
from cambrian.strategies.strategy import Strategy

if TYPE_CHECKING:
    from cambrian.estimators.one_shot import OneShot
    from cambrian.tasks.task import Task

PATIENCE = 30.0
"""Seconds that measuring one size may take."""
EPOCHS = 30
"""Of the training that is measured by a few steps of it."""
REFUSED = "refused"
"""The sentence that a child process gives in place of a cost."""
BEGINNING = (
    "import time, cambrian.search.engines.worker, cambrian.networks.training.trainer;"
    "import torch._dynamo; print(time.monotonic())"
)
"""What a worker imports before its first row, and the time at which it is done."""


class Measured(msgspec.Struct, frozen=True):
    """A size of the skeleton, with the seconds of a supernet's step for each image, of a child's score, of
    making a supernet, saving and loading it, and of the `end` of an epoch; and the bytes of a step, and of a
    process that scores `children`. `fork` are the seconds around each row that is done by a process of its
    own."""

    skeleton: dict[str, Scalar]
    step: float
    score: float
    bytes: int
    children: int = 0
    make: float = 0.0
    end: float = 0.0
    extra: float = 0.0
    fork: float = 0.0


class WorkersStart:
    """The start of a worker process, measured beside everything else inside; where it is not `wanted`, as for
    a single worker, it takes no time."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> WorkersStart:
        self._began = time.monotonic()
        if self._wanted:
            command = [sys.executable, "-c", BEGINNING]
            quiet = subprocess.DEVNULL
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=quiet, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()  # of one that has ended, nothing
            with self._process:  # closes its pipe, and waits for it
                pass

    def wait(self) -> float:
        """The seconds that it took, PATIENCE where it takes longer; 0 where it did not say."""
        if self._process is None:
            return 0.0
        try:
            said, _ = self._process.communicate(timeout=PATIENCE)
            return max(0.0, float(said) - self._began)
        except subprocess.TimeoutExpired:
            return PATIENCE
        except ValueError:
            return 0.0


def measure_size(
    task: Task,
    space: Space,
    strategy: Strategy,
    one_shot: OneShot,
    device: str,
    skeleton: dict[str, Scalar],
) -> Measured | Failed:
    """The cost of the strategy's own supernet in that skeleton; of several stages that change it, the mean
    time, since they share the epochs, and the most memory. Raises UsageError for a recipe that its method
    cannot follow."""
    # Epochs enough for a method with several parts: it is measured in the midst of them.
    problem = Problem(space, fidelity=Fidelity(EPOCHS, skeleton=skeleton))
    jobs = [Job(request, problem, task, device=device) for request in list_measured(strategy, problem)]
    if is_gpu(device):
        costs = call_here([partial(_measure_here, one_shot, job) for job in jobs])
    else:
        costs = call_each([partial(_measure_in_one_thread, one_shot, job) for job in jobs], 1, PATIENCE)
    for cost in costs:
        if isinstance(cost, Failed):
            return cost
        if REFUSED in cost:
            raise UsageError(cost[REFUSED])
    names = ("step", "score", "make", "end", "extra")
    numbers = {name: sum(float(cost[name]) for cost in costs) / len(costs) for name in names}
    step, children = (max(int(cost[name]) for cost in costs) for name in ("bytes", "children"))
    return Measured(skeleton, bytes=step, children=children, fork=_measure_fork(), **numbers)


def list_measured(strategy: Strategy, problem: Problem) -> list[TrainSupernet]:
    """The strategy's first request or, where its stages have other skeletons each, the first of every one."""
    begin = find_trait(strategy, "list_beginnings")
    if begin is None:
        request = strategy.propose(strategy.start(problem), [], stream(0, "plan", "supernet"))
        assert isinstance(request, TrainSupernet)
        return [request]
    # In one skeleton the first stage, which has all options, is the dearest.
    skeletons: dict[str, TrainSupernet] = {}
    for request in begin(problem):
        skeletons.setdefault(str(sorted(request.fidelity.skeleton.items())), request)
    return list(skeletons.values())


def measure_alone(
    task: Task, space: Space, device: str, network: Any, skeleton: Mapping[str, Scalar]
) -> float:
    """Seconds to learn from an image, of a network of its own."""
    seen = signature(task, Fidelity())

    def measure() -> float:
        alone = space.build(network, seen, **skeleton)
        with one_thread():
            return measure_speed(alone, (seen.channels, seen.height, seen.width), device)

    (seconds,) = call_here([measure]) if is_gpu(device) else call_each([measure], 1, PATIENCE)
    return 1e-3 if isinstance(seconds, Failed) else float(seconds)


def remember(measure: Callable[[Any, Mapping[str, Scalar]], float]) -> Any:
    """The same, which measures each size once."""
    known: dict[tuple[tuple[str, Scalar], ...], float] = {}

    def look_up(network: Any, size: Mapping[str, Scalar]) -> float:
        name = tuple(sorted(size.items()))
        if name not in known:
            known[name] = measure(network, size)
        return known[name]

    return look_up


def count_memory(cost: Measured, workers: int) -> int:
    """The bytes that a search needs at its peak: a supernet is trained on one worker, and each of all holds
    it for children."""
    return max(cost.bytes, workers * cost.children)


def check_memory(cost: Measured, device: str, allowed: int | None = None, workers: int = 1) -> None:
    """Raises UsageError for a supernet that does not fit into the memory that is free, or into the bytes that
    a training is `allowed`."""
    free = None if is_gpu(device) else read_free_memory()
    if free is not None and count_memory(cost, workers) > free:
        _refuse(cost, workers, f"{free / 2**20:,.0f} MiB are free")
    if allowed is not None and count_memory(cost, 1) > allowed:
        _refuse(cost, 1, f"{allowed / 2**20:,.0f} MiB are allowed by --memory")


def _refuse(cost: Measured, workers: int, least: str) -> None:
    needed = f"the supernet needs about {count_memory(cost, workers) / 2**20:,.0f} MiB"
    smaller = "take fewer filters or cells, as --filters 8"
    if cost.bytes >= workers * cost.children:
        raise UsageError(
            f"{needed} for a step, and {least}: {smaller}, or a smaller batch, as --batch-size 16"
        )
    fewer = ", or fewer workers, as --workers 1" if workers > 1 else ""
    raise UsageError(f"{needed} to score its children, and {least}: {smaller}{fewer}")


def read_free_memory() -> int | None:
    """The bytes of memory that are free on this machine, or in its container; None where neither says."""
    rooms = [room for room in (_read_available(), read_container_memory()) if room is not None]
    return min(rooms, default=None)


def _read_available() -> int | None:
    try:
        with open("/proc/meminfo", encoding="utf-8") as file:
            rows = dict(line.split(":", 1) for line in file)
        return int(rows["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None


def _measure_in_one_thread(one_shot: OneShot, job: Job) -> Any:
    try:
        with one_thread():
            return _measure_here(one_shot, job)
    except UsageError as error:  # no other size will do better
        return {REFUSED: str(error)}


def _measure_here(one_shot: OneShot, job: Job) -> Any:
    from cambrian.estimators.supernet_cost import measure_supernet

    return msgspec.to_builtins(measure_supernet(one_shot, job))


def _measure_fork() -> float:
    """Seconds of a process that does nothing."""
    began = time.monotonic()
    call_each([int], 1, PATIENCE)
    return time.monotonic() - began
