"""A search before it begins, with its plan in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cambrian.search.loop.watch import Watch
from cambrian.search.planning.preset.presets import Preset
from cambrian.search.planning.preset.workload import Workload
from cambrian.search.search import Search

if TYPE_CHECKING:
    from cambrian.search.result import Result


class Plan(msgspec.Struct, frozen=True):
    """`rows` are (label, text) for people. `seconds` is the expected time of the whole, by the speed measured
    here, never more than the budget; a user's function that measures networks takes its own besides.

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
