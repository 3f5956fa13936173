"""The search for processes that outlive their parent."""

from __future__ import annotations

import os
from pathlib import Path


def find_marked(mark: str) -> list[int]:
    """The processes other than this one, zombies aside, that inherited `mark` in their environment."""
    # By environment, not by parent: an orphan's parent is another process, its environment stays.
    pids = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int(folder.name) != os.getpid() and mark.encode() in (folder / "environ").read_bytes():
                pids.append(int(folder.name))
        except OSError:  # it ended in between, or is of another user
            continue
    return pids
