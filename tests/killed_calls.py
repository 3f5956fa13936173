"""`killed_calls.c` compiled, and its order for one session: the call at which a process is killed."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")
SIZE = 512
"""Of what is shared between processes: a count, and the call that was killed."""


def why_not() -> str | None:
    """The reason why nothing can be killed at its calls here."""
    if sys.platform != "linux":
        return "calls are intercepted by LD_PRELOAD"
    return None if shutil.which("cc") else "intercepting calls needs a C compiler, as `cc`"


def compile_library(folder: Path, source: Path = SOURCE) -> Path:
    library = folder / f"{source.stem}.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source, "-ldl"]
    subprocess.run(command, check=True)
    return library


@dataclass(frozen=True)
class Order:
    """Kill whoever comes to call number `at` (from 1) of those that change a file in `place`: before it, or
    with half of its bytes written. `counter` is a file for the count."""

    place: Path
    counter: Path
    at: int
    half: bool = False

    def environment(self) -> dict[str, str]:
        """What tells the library; the count begins anew."""
        self.counter.write_bytes(bytes(SIZE))
        return {
            "KILLED_PLACE": str(self.place.resolve()),
            "KILLED_COUNTER": str(self.counter),
            "KILLED_AT": str(self.at),
            "KILLED_HALF": str(int(self.half)),
        }

    def calls(self) -> int:
        """How many there were."""
        count: int = struct.unpack_from("l", self.counter.read_bytes())[0]
        return count

    def killed(self) -> str:
        """The call that was not made, and its file; empty where the session had fewer calls."""
        return self.counter.read_bytes()[struct.calcsize("l") :].split(b"\0")[0].decode()
