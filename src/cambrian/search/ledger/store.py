"""Artifacts, the files that evaluations leave, named by their hash: weights, states of trainings, small JSON.

An evaluation leaves files in a draft directory of its own. `adopt` hashes them, flushes them to the disk
and renames them before the ledger names them; a kill in between leaves a file without a name in the ledger,
which `sweep` removes. Paths never leave the machine: an artifact is asked for by its hash.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from cambrian.errors import DiskRefused
from cambrian.files import move_file
from cambrian.outcome import Artifact

DRAFTS, ARTIFACTS = "drafts", "artifacts"
ROOM = 4 << 30
"""Bytes of artifacts that a run keeps, unless it is told otherwise."""
SUFFIXES = (".safetensors", ".json")


class Store:
    """Artifacts of the run in `directory`. Those that a running row begins with and those of the final stage
    are kept; of the others that a strategy may still name the newest, as far as all are at most `most`
    bytes. A training whose state is gone is continued from nothing, with the same result."""

    def __init__(self, directory: Path, most: int = ROOM) -> None:
        self.directory, self.most = directory, most

    def adopt(self, draft: str) -> dict[str, Artifact]:
        """Make the files in the draft of that name artifacts. Returns them by file name. Raises
        DiskRefused."""
        place = self.directory / DRAFTS / draft
        try:
            files = sorted(f for f in place.iterdir() if f.suffix in SUFFIXES) if place.is_dir() else []
            adopted = {file.name: self._take(file) for file in files}
        except OSError as error:
            raise DiskRefused(
                f"the disk refused an artifact in {place}: {error.strerror or error}"
            ) from error
        shutil.rmtree(place, ignore_errors=True)
        return adopted

    def discard(self, draft: str) -> None:
        """Remove the draft of an evaluation that failed."""
        shutil.rmtree(self.directory / DRAFTS / draft, ignore_errors=True)

    def discard_all(self) -> None:
        """Remove the drafts of all evaluations; only for one who knows that none is under way."""
        place = self.directory / DRAFTS
        for draft in place.iterdir() if place.is_dir() else ():
            shutil.rmtree(draft, ignore_errors=True)

    def sweep(self, needed: Iterable[Artifact], wanted: Sequence[Artifact] = ()) -> int:
        """Remove all files but those of `needed`, and of `wanted`, the newest last, those that there is room
        for. Returns the number removed."""
        kept = {artifact.file: artifact.bytes for artifact in needed}
        for artifact in reversed(wanted):
            if sum(kept.values()) + artifact.bytes <= self.most:
                kept[artifact.file] = artifact.bytes
        removed, place = 0, self.directory / ARTIFACTS
        for file in place.iterdir() if place.is_dir() else ():
            if f"{ARTIFACTS}/{file.name}" not in kept:
                with suppress(OSError):
                    file.unlink()
                    removed += 1
        return removed

    def path(self, artifact: Artifact) -> Path:
        return self.directory / artifact.file

    def has(self, artifact: Artifact) -> bool:
        """Whether the file is still there."""
        return self.path(artifact).exists()

    def _take(self, file: Path) -> Artifact:
        data = file.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        name = f"{ARTIFACTS}/{digest}{file.suffix}"
        move_file(file, self.directory / name)
        return Artifact(digest, len(data), name)
