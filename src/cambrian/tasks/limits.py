"""Limits on memory: a file that claims to unpack to more is refused before it is read."""

from __future__ import annotations

import os

from cambrian.errors import DataError

BOMB_BYTES = 256 * 2**20  # up to here a file does no harm, however well it is packed
BOMB_RATIO = 200  # images shrink by less than 50; zeros by 1,000


def memory() -> int:
    """Bytes that a data set may take: half of the machine's memory."""
    # The other half is for torch, the workers and everything else that runs.
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def check_memory(where: str, size: int) -> None:
    """Raises DataError where `size` bytes are more than a data set may take."""
    if size > memory():
        raise DataError(
            f"{where}: takes {_human(size)} in memory, of which {_human(memory())} can be used: "
            "give size= or limit= (--size, --limit), or fewer files or rows"
        )


def check_unpacked(where: str, packed: int, unpacked: int) -> None:
    """Raises DataError where `packed` bytes claim to unpack to more than any images do."""
    if unpacked > BOMB_BYTES and unpacked > BOMB_RATIO * packed:
        raise DataError(
            f"{where}: {_human(packed)} claim to unpack to {_human(unpacked)}, which no images do: "
            "save it again without compression if it is meant"
        )
    check_memory(where, unpacked)


def _human(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"
