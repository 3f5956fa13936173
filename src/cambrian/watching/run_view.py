"""A run as the page shows it, wherever it stands: not begun, at work, at its end, damaged or deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cambrian.errors import CambrianError, RunError
from cambrian.reports.contents import Story, outline_story
from cambrian.search.display.progress import Progress, read_progress
from cambrian.search.identity.run_components import AbsentSpace, open_components
from cambrian.search.ledger.follower import Follower
from cambrian.search.ledger.run_directory import LEDGER
from cambrian.search.result import Result
from cambrian.spaces.space import Space
from cambrian.tasks.task import Task


@dataclass(frozen=True)
class View:
    """`trouble` says why there is nothing newer: the run has not begun, was deleted, or is damaged. Without a
    `result` none was ever seen."""

    place: Path
    trouble: str = ""
    result: Result | None = None
    story: Story | None = None
    progress: Progress | None = None


class RunReader:
    """`read()` gives the view of the run in `place` as of now. The ledger is read as it grows."""

    def __init__(self, place: Path) -> None:
        self.place = place.absolute()
        self._follower = Follower(self.place / LEDGER)
        self._components: tuple[Space, Task | None] | None = None
        self._file: tuple[int, int] | None = None
        self._result: Result | None = None
        self._story: Story | None = None

    def read(self) -> View:
        """Never fails for what is on the disk: the view says it."""
        try:
            changed = self._follower.look()
        except RunError as error:
            return self._view(self._explain_absence(str(error)))
        if "settings" not in self._follower.facts:
            return self._view(f"Waiting for {self.place}: its search is about to begin.")
        if changed or self._story is None:
            self._story = (
                None  # should this fail, the next look makes it anew, though nothing has changed since
            )
            self._result = self._make_result(self._follower.facts)
            self._story = outline_story(self._result)
        return self._view("")

    def _view(self, trouble: str) -> View:
        progress = None if self._result is None or trouble else read_progress(self._result)
        return View(self.place, trouble, self._result, self._story, progress)

    def _explain_absence(self, error: str) -> str:
        if self._follower.path.exists():
            return f"{error}."
        if self._result is None:
            return f"Waiting for {self.place}: no search has begun there."
        return f"{self.place} was deleted or moved: this is its last state."

    def _make_result(self, facts: Mapping[str, Any]) -> Result:
        if self._components is None or self._file != self._follower.file:
            self._components, self._file = self._load_components(facts), self._follower.file
        space, task = self._components
        rows, events = self._follower.rows, self._follower.events
        return Result(space, task, rows, dict(facts), events, self.place)

    def _load_components(self, facts: Mapping[str, Any]) -> tuple[Space, Task | None]:
        try:
            return open_components(self.place, facts)
        except CambrianError as error:  # the task on the disk is damaged: the page does without it
            return AbsentSpace("", str(error)), None
