"""The cores and the memory that a container leaves to this process: the limits of its control groups
(cgroups(7)), of both versions.

A container's process sees all cores and all memory of its machine: what it may use of them stands in files,
those of its own group and of the groups around it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MOUNT, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
"""Where the groups are, and the file that names this process's."""


def count_container_cores(mount: Path = MOUNT, own: Path = OWN) -> int | None:
    """The cores whose time this process may use, rounded up; None where there is no limit."""
    shares = [share for group in _groups("cpu", mount, own) if (share := _read_share(group)) is not None]
    return max(1, math.ceil(min(shares))) if shares else None


def read_container_memory(mount: Path = MOUNT, own: Path = OWN) -> int | None:
    """The bytes that this process may still take; None where there is no limit."""
    rooms = [room for group in _groups("memory", mount, own) if (room := _read_room(group)) is not None]
    return max(0, min(rooms)) if rooms else None


def _groups(controller: str, mount: Path, own: Path) -> Iterator[Path]:
    """The folders of this process's groups, from its own to the outermost one."""
    with suppress(OSError, ValueError):
        for line in own.read_text(encoding="utf-8").splitlines():
            _, controllers, name = line.split(":", 2)
            if controllers and controller not in controllers.split(","):
                continue
            # Version 2 has no list of controllers, and one folder for all.
            root = mount / controllers if controllers else mount
            inner = root / name.strip("/")
            # A container may see its own group as the root, whatever name the machine has for it.
            yield from (folder for folder in (inner, *inner.parents) if folder.is_relative_to(root))


def _read_share(group: Path) -> float | None:
    """The cores of a group: its time of all cores, by the clock's."""
    with suppress(OSError, ValueError):  # of version 2
        quota, period = (group / "cpu.max").read_text(encoding="utf-8").split()
        return int(quota) / int(period)
    quota_, period_ = _read_number(group / "cpu.cfs_quota_us"), _read_number(group / "cpu.cfs_period_us")
    return quota_ / period_ if quota_ and period_ and quota_ > 0 else None


def _read_room(group: Path) -> int | None:
    """The bytes that a group's limit leaves. Files that are kept in memory count as used, though the kernel
    gives them up for whoever needs the room."""
    for limit, used, files in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        most, taken = _read_number(group / limit), _read_number(group / used)
        if most is not None and taken is not None and most < 1 << 60:  # version 1 has no word for no limit
            return most - taken + _read_statistic(group / "memory.stat", files)
    return None


def _read_number(path: Path) -> int | None:
    with suppress(OSError, ValueError):  # such as "max"
        return int(path.read_text(encoding="utf-8"))
    return None


def _read_statistic(path: Path, name: str) -> int:
    with suppress(OSError, ValueError, KeyError):
        return int(dict(line.split() for line in path.read_text(encoding="utf-8").splitlines())[name])
    return 0
