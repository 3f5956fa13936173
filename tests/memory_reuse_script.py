"""What `test_memory_reuse` runs in a process of its own; glibc is asked directly: NumPy keeps some memory."""

from __future__ import annotations

import ctypes
import resource
import sys
from contextlib import nullcontext

from cambrian.memory_reuse import reuse_memory

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
libc.free.argtypes = (ctypes.c_void_p,)
SIZE = 48 * 1024**2


def turn() -> None:
    """Allocate, write and free."""
    place = libc.malloc(SIZE)
    ctypes.memset(place, 1, SIZE)
    libc.free(place)


def faults() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    turn()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() // 1024**2


def main(asked: str) -> None:
    if asked == "resident":
        empty = resident()
        with reuse_memory():
            turn()
            held = resident() - empty
        turn()
        print(held, resident() - empty)
    else:
        with reuse_memory() if asked == "reused" else nullcontext():
            print(*(faults() for _ in range(4)))


if __name__ == "__main__":
    main(sys.argv[1])
