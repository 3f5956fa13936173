"""What the operating system is asked for, so that no evaluation outlives or starves what started it.

Linux knows all of it; elsewhere a dead parent is noticed by the end of the pipe from it, and limits
on memory are not enforced.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

_PR_SET_PDEATHSIG = 1


def fork_child(live: Callable[[], NoReturn], private: Sequence[int]) -> int:
    """Call `live` in a child process, where the descriptors in `private` are closed. Returns its number."""
    pid = os.fork()
    if pid == 0:
        for descriptor in private:
            os.close(descriptor)
        live()
    return pid


def silence(stderr: int | None = None) -> None:
    """Let this process read nothing and print nothing, except standard error to `stderr`."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for source, target in ((nothing, 0), (nothing, 1), (nothing if stderr is None else stderr, 2)):
        os.dup2(source, target)


def die_with_parent(parent: int) -> None:
    """End this process as soon as `parent`, which started it, ends (prctl(2)). The kernel watches the
    *thread* that started it: an engine must be started by a thread that lives as long as the run."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(1)


def limit_memory(extra: int) -> None:
    """Let this process allocate `extra` bytes beyond what it holds now. RLIMIT_DATA counts private
    writable memory, so that memory-mapped data sets and libraries cost nothing."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        held = int(statm.read_text().split()[5]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        soft = held + extra if hard == resource.RLIM_INFINITY else min(held + extra, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def lift_memory_limit() -> None:
    """Room to say that there was no room."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def volunteer_for_oom_killer() -> None:
    """Where the machine runs out of memory the kernel shall end this process, not its coordinator."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("800")


def oom_kills() -> int:
    """How many processes the kernel has ended for want of memory since it started."""
    with contextlib.suppress(OSError), open("/proc/vmstat") as lines:
        for line in lines:
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def kill_group(pid: int) -> None:
    """End the process group led by `pid`: an evaluation and whatever it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
