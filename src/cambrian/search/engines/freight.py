"""The files that travel between a run's directory and machines that do not share it: data and artifacts."""

from __future__ import annotations

import shutil
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cambrian.files import write_file
from cambrian.outcome import Artifact
from cambrian.search.engines.engine import Assignment, Report, Work
from cambrian.search.ledger.keys import trial_name
from cambrian.search.ledger.store import DRAFTS

LOADED = 32
"""Artifacts kept ready to travel: those of the rows that trials began with last, as a supernet's."""


class Freight:
    """Reads files of the run of `work` and sends each once by `put`, which gives a reference to its bytes."""

    def __init__(self, work: Work, put: Callable[[bytes], Any]) -> None:
        self._directory, self._put = work.directory, put
        self._loaded: OrderedDict[str, Any] = OrderedDict()
        task = None if work.spec is None else work.spec["task"]
        self.data: dict[str, Any] = {} if task is None else self._load_folder(Path(task))

    def load(self, assignment: Assignment) -> dict[str, Any]:
        """References to the artifacts that a trial begins with, by `Artifact.file`. One that was given up to
        save room is left out."""
        references: dict[str, Any] = {}
        for artifact in assignment.artifacts.values():
            reference = self._load(artifact)
            if reference is not None:
                references[artifact.file] = reference
        return references

    def unload(self, assignment: Assignment, report: Report, files: Mapping[str, bytes]) -> Report:
        """Write the `files` that a trial left into its draft, from which the store adopts them by their hash.
        Returns its report, or one that says that the disk refused them."""
        if self._directory is None or not files:
            return report
        place = self._directory / DRAFTS / f"{trial_name(assignment.trial)}-{assignment.attempt}"
        try:
            # Files that lie in it are of another evaluation, and would be adopted with this one's.
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            for name, content in files.items():
                write_file(place / Path(name).name, content)
        except OSError as error:
            refusal = f"the disk refused {place}: {error.strerror or error}"
            return Report(report.number, report.attempt, refused=refusal)
        return report

    def _load(self, artifact: Artifact) -> Any:
        if artifact.sha256 not in self._loaded:
            file = None if self._directory is None else self._directory / artifact.file
            if file is None or not file.exists():
                return None
            self._loaded[artifact.sha256] = self._put(file.read_bytes())
        self._loaded.move_to_end(artifact.sha256)
        reference = self._loaded[artifact.sha256]
        if len(self._loaded) > LOADED:
            self._loaded.popitem(last=False)
        return reference

    def _load_folder(self, folder: Path) -> dict[str, Any]:
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        return {str(file.relative_to(folder)): self._put(file.read_bytes()) for file in files}
