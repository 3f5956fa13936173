"""The files that evaluations leave, named by their hash: weights, states of trainings, small JSON.

An evaluation leaves files in a draft directory of its own. `adopt` hashes them, flushes them to the disk
and renames them, before the ledger says that they are there; a kill in between leaves a file that nobody
names, which `sweep` removes. Paths never leave the machine: whoever needs an artifact asks by its hash.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cambrian.errors import DiskRefused
from cambrian.files import move_file
from cambrian.outcome import Artifact

DRAFTS, ARTIFACTS = "drafts", "artifacts"
SUFFIXES = (".safetensors", ".json")


class Store:
    """Artifacts of the run in `directory`. Of those that may still be named all are kept; of the rest the
    newest, as far as all together are at most `most` bytes."""

    def __init__(self, directory: Path, most: int = 0) -> None:
        self.directory, self.most = directory, most

    def adopt(self, draft: str) -> dict[str, Artifact]:
        """Take over the files that were left in the draft of that name. Raises DiskRefused."""
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
        """Remove a draft that nothing came of."""
        shutil.rmtree(self.directory / DRAFTS / draft, ignore_errors=True)

    def discard_all(self) -> None:
        """Remove the drafts of all evaluations; only for one who knows that none is under way."""
        place = self.directory / DRAFTS
        for draft in place.iterdir() if place.is_dir() else ():
            shutil.rmtree(draft, ignore_errors=True)

    def sweep(self, needed: Iterable[Artifact], others: Iterable[Artifact] = ()) -> int:
        """Remove all files but the needed ones, and of `others`, the newest last, those that there is room
        for. Returns how many were removed."""
        needed = list(needed)
        kept = {artifact.file for artifact in needed}
        room = self.most - sum({a.file: a.bytes for a in needed}.values())
        for artifact in reversed(list(others)):
            if artifact.file not in kept and artifact.bytes <= room:
                kept.add(artifact.file)
                room -= artifact.bytes
        removed = 0
        place = self.directory / ARTIFACTS
        for file in place.iterdir() if place.is_dir() else ():
            if f"{ARTIFACTS}/{file.name}" not in kept:
                with suppress(OSError):
                    file.unlink()
                    removed += 1
        return removed

    def path(self, artifact: Artifact) -> Path:
        return self.directory / artifact.file

    def _take(self, file: Path) -> Artifact:
        data = file.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        name = f"{ARTIFACTS}/{digest}{file.suffix}"
        move_file(file, self.directory / name)
        return Artifact(digest, len(data), name)
