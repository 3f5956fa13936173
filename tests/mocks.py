"""Spaces, estimators and functions that several tests use. Worker processes import this module by name,
and nothing in it imports torch before it is told to."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from cambrian.architecture import Architecture
from cambrian.estimators.estimator import Estimate, Job
from cambrian.estimators.function import Function
from cambrian.outcome import Done, Fidelity, Point, Trial
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.search.engines.engine import Assignment, Engine, Work
from cambrian.spaces.space import Pick, Space


@dataclass(frozen=True)
class Toy(Space):
    """`questions` independent choices of one of four."""

    questions: int = 3

    def program(self, pick: Pick) -> None:
        for i in range(self.questions):
            pick(f"q{i}", ["a", "b", "c", "d"])

    def build(self, architecture, task, **skeleton):
        from torch import nn

        return nn.Flatten()


def truth(architecture: Architecture, seed: int) -> float:
    """The value `Mock` gives: a hash, so that no two runs can agree on it by chance."""
    return float(stream(seed, "mock", architecture.key).random())


@dataclass(frozen=True)
class Mock:
    """A value in [0, 1) that depends on (architecture, seed) alone, `delay` seconds later, after a
    curve of as many points as the fidelity has epochs."""

    delay: float = 0.0
    needs: ClassVar[tuple[type, ...]] = ()
    builds: ClassVar[bool] = False
    delivers: ClassVar[bool] = False

    def run(self, job: Job) -> Estimate:
        value = truth(job.architecture, job.seed)
        curve = []
        for epoch in range(1, job.fidelity.epochs + 1):
            time.sleep(self.delay / job.fidelity.epochs)
            curve.append(Point(epoch, {"value": value * epoch / job.fidelity.epochs}))
            yield curve[-1]
        return Done(value, curve=tuple(curve))


@dataclass(frozen=True)
class Scalars:
    """Numbers of NumPy's wherever an estimator may give numbers."""

    needs: ClassVar[tuple[type, ...]] = ()
    builds: ClassVar[bool] = False
    delivers: ClassVar[bool] = False

    def run(self, job: Job) -> Estimate:
        point = Point(np.int64(1), {"loss": np.float32(0.5)}, np.float64(0.25))
        yield point
        return Done(np.float32(0.75), {"size": np.int64(3), "loss": np.array(0.5)}, (point,), np.float64(2.0))


# Functions of an architecture. `obey` does what the architecture's answer "do" names.


def obey(architecture, fidelity):
    return globals()[architecture["do"]](architecture, fidelity)


def good(architecture, fidelity):
    return 0.5


def nan(architecture, fidelity):
    return float("nan")


def infinite(architecture, fidelity):
    return float("inf")


def none(architecture, fidelity):
    return None


def text(architecture, fidelity):
    return "good"


def nan_curve(architecture, fidelity):
    yield 0.5
    yield float("nan")


def exception(architecture, fidelity):
    raise ValueError("deliberate \ud800")


def leave(architecture, fidelity):
    sys.exit(3)


def segfault(architecture, fidelity):
    ctypes.string_at(0)


def abort(architecture, fidelity):
    os.write(2, b"last words\n")
    os.abort()


def vanish(architecture, fidelity):
    os._exit(0)


def killed(architecture, fidelity):
    os.kill(os.getpid(), signal.SIGKILL)


def endless(architecture, fidelity):
    while True:
        pass


def endless_curve(architecture, fidelity):
    while True:
        yield 0.5


def hold_gil(architecture, fidelity):
    """A C function that sleeps for a minute without letting go of the interpreter."""
    ctypes.PyDLL(None).usleep(60_000_000)


def deaf(architecture, fidelity):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(60)


def allocate(architecture, fidelity):
    """4 GiB, in pieces of 64 MiB that are written to."""
    return float(len([bytearray(b"x") * (1 << 26) for _ in range(64)]))


def allocate_tensor(architecture, fidelity):
    """4 GiB, by torch."""
    import torch

    return float(torch.ones(1 << 30)[0])


def hoard(architecture, fidelity):
    """Memory in the small pieces that leave no room for the error's own traceback."""
    kept = []
    while True:
        kept.append(bytes(400))


def flood(architecture, fidelity):
    """1 GiB on standard output, 64 MiB on standard error."""
    line = b"x" * (1 << 20)
    for _ in range(1024):
        os.write(1, line)
    for _ in range(64):
        os.write(2, line)
    return 0.5


def offspring(architecture, fidelity):
    """The process id of a process that would run on for minutes."""
    return subprocess.Popen(["sleep", "600"]).pid


BOMB = 200
"""Processes of a fork bomb."""


def bomb(architecture, fidelity):
    """Forks in each process that was forked, until there are BOMB of them; none would ever end."""
    tokens, end = os.pipe()
    os.write(end, b"x" * BOMB)
    while os.read(tokens, 1):
        os.fork()


def worker(architecture, fidelity):
    """The process id of the worker."""
    return os.getppid()


def workers_memory(architecture, fidelity):
    """MiB the worker holds."""
    return int(Path(f"/proc/{os.getppid()}/statm").read_text().split()[1]) * 4096 / 2**20


def torch_imported(architecture, fidelity):
    return int("torch" in sys.modules)


def pickletools_imported(architecture, fidelity):
    """Whether this module of the standard library was there already; it is now."""
    known = "pickletools" in sys.modules
    import pickletools  # noqa: F401

    return int(known)


def threads(architecture, fidelity):
    return int(os.environ["OMP_NUM_THREADS"])


def globals_drawn(architecture, fidelity):
    """A draw from each of the global generators."""
    import random

    import numpy as np

    return random.random() + np.random.random()


def visible_gpu(architecture, fidelity):
    """The number of the only GPU that an evaluation may use."""
    return int(os.environ["CUDA_VISIBLE_DEVICES"])


def work(estimator: object, seed: int = 0, **limits: object) -> Work:
    """Work on the toy space; a text is the name of one of the functions above."""
    from cambrian.estimators import ESTIMATORS
    from cambrian.spaces import SPACES

    if isinstance(estimator, str):
        estimator = Function(f"mocks:{estimator}", builds=False)
    space = Toy()
    spec = {"space": SPACES.spec(space), "estimators": {"": ESTIMATORS.spec(estimator)}, "task": None}
    return Work(Problem(space, seed=seed), {"": estimator}, spec=spec, **limits)


@contextmanager
def started(engine: Engine, work: Work) -> Iterator[Engine]:
    """The engine at work, and closed whatever happens."""
    engine.start(work)
    try:
        yield engine
    finally:
        engine.close()


def order(number: int, do: str) -> Assignment:
    """Trial `number` of the function `obey`."""
    return Assignment(Trial(number, Architecture({"do": do}), Fidelity()), 1)


def assignment(number: int, attempt: int = 1, epochs: int = 1) -> Assignment:
    """Trial `number` of the toy space, its architecture drawn from its number."""
    rng = stream(0, "assignment", number)
    architecture = Toy().walk(lambda choice: choice.draw(rng))
    return Assignment(Trial(number, architecture, Fidelity(epochs=epochs)), attempt)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pids: set[int], within: float) -> bool:
    """Whether none of `pids` runs after at most `within` seconds."""
    end = time.monotonic() + within
    while any(map(alive, pids)) and time.monotonic() < end:
        time.sleep(0.01)
    return not any(map(alive, pids))


def grown(pid: int, others: set[int], count: int) -> set[int]:
    """The `count` descendants that `pid` has besides `others`, waited for up to 20 s."""
    end = time.monotonic() + 20.0
    while len(family := descendants(pid) - others) < count and time.monotonic() < end:
        time.sleep(0.02)
    assert len(family) == count
    return family


def descendants(pid: int) -> set[int]:
    """The processes that `pid` started, and those they started, by /proc."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")")[1].split()[1])
            except OSError:
                continue
    found = {pid}
    while more := {p for p, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}
