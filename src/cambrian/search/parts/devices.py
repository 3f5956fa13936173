"""The torch device of a search, by its name, and how many trials it runs at a time."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cambrian.errors import UsageError
from cambrian.search.engines.engine import Engine
from cambrian.search.engines.gpus import count_gpus
from cambrian.search.parts.container import count_container_cores

if TYPE_CHECKING:
    from cambrian.search.search import Search

AUTO = "auto"


def choose_device(name: str, needed: bool = True) -> str:
    """The torch device called `name`; of auto the GPU where there is one, and where none is `needed` the CPU.
    Raises UsageError."""
    if name == "cpu" or (name == AUTO and not needed):
        return "cpu"
    if name != AUTO and not re.fullmatch(r"cuda(:\d+)?", name):
        raise UsageError(f"unknown device {name!r}: use auto, cpu, cuda, or one of several GPUs, as cuda:1")
    import torch  # late: only a search that builds networks needs it

    if torch.cuda.is_available():
        return "cuda" if name == AUTO else _check_number(name, count_gpus())
    if name == AUTO:
        return "cpu"
    raise UsageError(f"device {name!r} was asked for, but torch sees no CUDA device: use cpu or auto")


def check_device(search: Search, begun: str, place: Path) -> None:
    """Raise UsageError where a run goes on on another kind of device than it was `begun` on, and has a limit
    or an objective that is measured on the device: old and new numbers would be compared."""
    from cambrian.networks.measure.measure import find_measure, is_measure

    old, new = (name.partition(":")[0] for name in (begun, search.device))
    estimators = (str(getattr(each, "measure", "")) for each in search.estimators.values())
    names = dict.fromkeys([*search.limits, *(o.name for o in search.more_objectives), *estimators])
    for name in names if old != new else ():
        # How it is measured says the device where that matters: a count is the same on each.
        if is_measure(name) and find_measure(name).protocol(old) != find_measure(name).protocol(new):
            raise UsageError(
                f"{place} has measured {name} on {begun}, and on {search.device} it is another number, with"
                " which those of its trials cannot be compared: resume it with the device"
                f" {begun}, or begin another run"
            )


def _check_number(name: str, count: int) -> str:
    number = int(name.partition(":")[2] or 0)
    if number >= count:
        seen = "one CUDA device, cuda:0" if count == 1 else f"{count}, cuda:0 to cuda:{count - 1}"
        raise UsageError(f"device {name!r} was asked for, but torch sees {seen}")
    return name


def count_cores() -> int:
    """The number of cores that this process may use; a container may have fewer than the machine."""
    seen = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(seen, count_container_cores() or seen)


def count_abreast(engine: Engine, device: str) -> int:
    """The trials that get on at a time: on a CPU no more of those on this machine than it has cores for,
    which more workers share."""
    if device != "cpu":
        return engine.slots
    here = max(1, count_cores() // int(getattr(engine, "threads", 1)))
    return engine.slots - engine.slots_here + min(engine.slots_here, here)


def count_threads_of_one(engine: Engine) -> int:
    """The threads of an evaluation that is the only one: no more than the cores of the machine that it is
    on, where that is this one."""
    threads = engine.threads_of_one
    return min(threads, count_cores()) if engine.slots_here == engine.slots else threads


def usual_workers(device: str) -> int:
    """The trials at a time where nobody names a number: one on each GPU, since processes on one GPU only
    share its time; on CPUs one on each core, since one-thread processes are faster than threads. Elsewhere
    than on Linux one, in this process: the frameworks of macOS do not bear a fork."""
    if sys.platform != "linux":
        return 1
    if device == "cuda":
        return max(1, count_gpus())
    return 1 if device.startswith("cuda") else count_cores()
