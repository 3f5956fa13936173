"""The cores and the memory of a container, by files as the kernel writes them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cambrian.search.parts import devices
from cambrian.search.parts.container import count_container_cores, read_container_memory
from cambrian.search.planning.supernet import speed as supernet_speed

GIGABYTE = 1 << 30
NO_LIMIT = "9223372036854771712"


def write(place: Path, own: str, files: dict[str, str]) -> dict[str, Path]:
    """A machine's groups: the process's own names, and the files under the mount."""
    for name, text in files.items():
        path = place / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    (place / "own").write_text(own + "\n", encoding="utf-8")
    return {"mount": place / "cgroup", "own": place / "own"}


@pytest.mark.parametrize(
    ("own", "files", "cores"),
    [
        ("0::/", {"cpu.max": "200000 100000"}, 2),
        ("0::/", {"cpu.max": "max 100000"}, None),
        ("0::/", {}, None),
        ("0::/a/b", {"a/cpu.max": "150000 100000", "a/b/cpu.max": "max 100000"}, 2),
        ("0::/a/b", {"a/cpu.max": "100000 100000", "a/b/cpu.max": "400000 100000"}, 1),
        ("0::/", {"cpu.max": "10000 100000"}, 1),
        ("4:cpu,cpuacct:/docker/x", {"cpu,cpuacct/cpu.cfs_quota_us": "300000",
                                     "cpu,cpuacct/cpu.cfs_period_us": "100000"}, 3),
        ("4:cpu:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ("4:cpuset:/\n0::/", {"cpuset/cpu.max": "100000 100000"}, None),
        ("nonsense", {"cpu.max": "100000 100000"}, None),
    ],
)  # fmt: skip
def test_cores(own: str, files: dict[str, str], cores: int | None, tmp_path: Path) -> None:
    """The least of all groups that the process is in, rounded up, and no group that it is not in."""
    assert count_container_cores(**write(tmp_path, own, files)) == cores


@pytest.mark.parametrize(
    ("own", "files", "free"),
    [
        ("0::/", {"memory.max": str(4 * GIGABYTE), "memory.current": str(3 * GIGABYTE)}, GIGABYTE),
        ("0::/", {"memory.max": "4096", "memory.current": "3000", "memory.stat": "anon 9\ninactive_file 500"},
         1596),
        ("0::/", {"memory.max": "max", "memory.current": "5"}, None),
        ("0::/", {"memory.max": "5", "memory.current": "9"}, 0),
        ("5:memory:/x", {"memory/memory.limit_in_bytes": "4096", "memory/memory.usage_in_bytes": "3000",
                         "memory/memory.stat": "total_inactive_file 500"}, 1596),
        ("5:memory:/", {"memory/memory.limit_in_bytes": NO_LIMIT, "memory/memory.usage_in_bytes": "5"}, None),
    ],
)  # fmt: skip
def test_memory(own: str, files: dict[str, str], free: int | None, tmp_path: Path) -> None:
    """What the limit leaves, with the files in memory that the kernel gives up."""
    assert read_container_memory(**write(tmp_path, own, files)) == free


def test_a_machine_without_groups(tmp_path: Path) -> None:
    """Such as one of another system."""
    nowhere = {"mount": tmp_path / "cgroup", "own": tmp_path / "own"}
    assert count_container_cores(**nowhere) is None
    assert read_container_memory(**nowhere) is None


def test_a_search_in_a_container(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cores of sixty-four are two workers, and a supernet has to fit into the container."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    monkeypatch.setattr(devices, "count_container_cores", lambda: 2)
    assert devices.usual_workers("cpu") == 2
    monkeypatch.setattr(devices, "count_container_cores", lambda: 128)
    assert devices.usual_workers("cpu") == 64
    monkeypatch.setattr(supernet_speed, "read_container_memory", lambda: 1000)
    assert supernet_speed.read_free_memory() == 1000
