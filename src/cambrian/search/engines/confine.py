"""Requests to the operating system, so that no evaluation outlives or starves the process that started it.

Linux grants all of them; elsewhere a dead parent is noticed by the end of the pipe from it, and limits
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

_PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>


def fork_child(live: Callable[[], NoReturn], private: Sequence[int]) -> int:
    """Call `live` in a child process, where the descriptors in `private` are closed. Returns its number."""
    pid = os.fork()
    if pid == 0:
        for descriptor in private:
            os.close(descriptor)
        live()  # never returns: the parent's stack below is not the child's to unwind
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
    if os.getppid() != parent:  # it ended before this asked, so that no signal will come
        os._exit(1)


def limit_memory(extra: int) -> None:
    """Let this process allocate `extra` bytes beyond those that it holds now. RLIMIT_DATA counts private
    writable memory, so that memory-mapped data sets and libraries cost nothing."""
    # The sixth field of statm is data and stack in pages (proc(5)): the memory that RLIMIT_DATA counts, and
    # the stack besides, which is small.
    statm = Path("/proc/self/statm")
    if statm.exists():
        held = int(statm.read_text(encoding="utf-8").split()[5]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        soft = held + extra if hard == resource.RLIM_INFINITY else min(held + extra, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def lift_memory_limit() -> None:
    """Make room for the report that there was no room."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def volunteer_for_oom_killer() -> None:
    """Ask the kernel to end this process, and not its coordinator, where the machine runs out of memory."""
    # The score is a process's share of the memory in thousandths plus this (proc(5)): the coordinator would
    # have to hold 80 % of the memory more than this process to go first. Raising it needs no privilege.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("800", encoding="utf-8")


def count_oom_kills() -> int:
    """Count the processes that the kernel has ended for want of memory since it started."""
    with contextlib.suppress(OSError), open("/proc/vmstat", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def kill_group(pid: int) -> None:
    """End the process group led by `pid`: an evaluation and all processes that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def name_signal(number: int) -> str:
    """The name of a signal, such as one that ended a process.

    >>> name_signal(9), name_signal(40)
    ('SIGKILL', 'signal 40')
    """
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal: Python has no name for most of them
        return f"signal {number}"
