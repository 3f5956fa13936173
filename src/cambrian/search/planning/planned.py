"""A search before it begins, with its plan in words."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cambrian.search.loop.execution import Watch
from cambrian.search.planning.presets import Preset
from cambrian.search.planning.workload import Workload
from cambrian.search.search import Search

if TYPE_CHECKING:
    from cambrian.search.result import Result


class Plan(msgspec.Struct, frozen=True):
    """`rows` are (label, text) for people. `seconds` is the expected time of the whole, by the speed measured
    here, never more than the budget.

    Of a search that a preset describes, `work` is its workload, `preset` the preset of that (None for a
    paper's own), and `trials` are those expected by level, where the search goes level by level. A race has
    none of these."""

    search: Search
    rows: tuple[tuple[str, str], ...]
    seconds: float
    work: Workload | None = None
    preset: Preset | None = None
    trials: dict[int, int] = {}

    def run(
        self, directory: str | Path | None = None, watch: Watch | None = None, *, quiet: bool = False
    ) -> Result:
        """See `Search.run`."""
        return self.search.run(directory, watch, quiet=quiet)


def count_cores() -> int:
    """The number of cores that this process may use; a container may have fewer than the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def choose_workers(workers: int | None, device: str) -> int:
    """The trials at a time. Processes on one GPU only share its time; on CPUs, one-thread processes are
    faster than threads."""
    return workers or (1 if device.startswith("cuda") else count_cores())


def choose_engine_name(workers: int, settings: Mapping[str, Any]) -> str:
    """The engine of so many workers. A single one is this process, which cannot bound the memory of a trial:
    where `settings` ask for that, it is a process of its own."""
    return "processes" if workers > 1 or settings.get("memory") is not None else "serial"
