"""Commands of `cambrian`, each in a process of its own that is forked from one that has imported torch and
the house: a new interpreter takes two seconds of the processor to get there.

What a fork cannot show (a command's own imports, its time to start) has its tests with new interpreters.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NoReturn, TextIO

IMPORTED = (
    "torch",
    "safetensors.torch",
    "cambrian.cli.commands",
    "cambrian.cli.run_search",
    "cambrian.estimators.train",
    "cambrian.exports.export",
    "cambrian.reports.report",
    "cambrian.search.search",
    "cambrian.spaces.cells.pnas",
)


class Commands:
    """Forks commands from an interpreter that was started with `environment` besides this process's."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._line, other = socket.socketpair()
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "commands", str(other.fileno())],
                pass_fds=[other.fileno()],
                env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
                cwd=Path(__file__).parent,
            )
        self._answers = self._line.makefile("r")

    def __enter__(self) -> Commands:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._answers.close()
        self._line.close()
        self._process.wait(30)

    def run(
        self,
        *arguments: object,
        place: Path | None = None,
        environment: Mapping[str, str] | None = None,
        limit: int = -1,
    ) -> subprocess.CompletedProcess[bytes]:
        """`python -m cambrian ARGUMENTS` in the folder `place`, to its end; its files may have `limit` bytes
        (-1: any number). `environment` stands in the place of this process's."""
        words = [str(each) for each in arguments]
        variables = os.environ if environment is None else environment
        order = {
            "arguments": [write_bytes(word) for word in words],
            "place": write_bytes(str(place or Path.cwd())),
            "environment": {write_bytes(name): write_bytes(value) for name, value in variables.items()},
            "limit": limit,
        }
        pipes = [os.pipe() for _ in range(2)]
        writable = [end for _, end in pipes]
        socket.send_fds(self._line, [b"!"], writable)
        for end in writable:
            os.close(end)
        self._line.sendall(json.dumps(order).encode() + b"\n")
        # Both at once: a command that fills one pipe must not wait for the reader of the other.
        with ThreadPoolExecutor(2) as pool:
            out, err = pool.map(read_whole, [end for end, _ in pipes])
        return subprocess.CompletedProcess(words, int(self._answers.readline()), out, err)


def write_bytes(text: str) -> str:
    """The bytes by which the system has the text, each as a character: an interpreter that is started in
    another locale reads them as another text."""
    return os.fsencode(text).decode("latin-1")


def read_bytes(text: str) -> str:
    return os.fsdecode(text.encode("latin-1"))


def read_whole(pipe: int) -> bytes:
    with open(pipe, "rb") as stream:
        return stream.read()


@cache
def forked() -> Commands:
    """The commands of this process, begun when they are first needed."""
    commands = Commands()
    atexit.register(commands.close)
    return commands


def run_command(
    *arguments: object,
    place: Path | None = None,
    environment: Mapping[str, str] | None = None,
    limit: int = -1,
) -> subprocess.CompletedProcess[str]:
    """A command to its end, with its streams as text (see `Commands.run`)."""
    done = forked().run(*arguments, place=place, environment=environment, limit=limit)
    out, err = done.stdout.decode(), done.stderr.decode()
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


# The side of the interpreter that forks.


def serve(line: socket.socket) -> None:
    """Orders and their streams come by the line, exit codes go back."""
    for name in IMPORTED:
        importlib.import_module(name)
    with line, line.makefile("rw") as orders:
        while streams := socket.recv_fds(line, 1, 2)[1]:
            order = json.loads(orders.readline())
            child = os.fork()
            if child == 0:
                # A command that leaves a process behind must not hold the line.
                line.close()
                become(streams=streams, **order)
            for stream in streams:
                os.close(stream)
            _, status = os.waitpid(child, 0)
            print(os.waitstatus_to_exitcode(status), file=orders, flush=True)


def become(
    arguments: list[str], place: str, environment: dict[str, str], limit: int, streams: list[int]
) -> NoReturn:
    """Be `python -m cambrian ARGUMENTS` from here on."""
    from cambrian.cli import main

    for number, stream in enumerate((os.open(os.devnull, os.O_RDONLY), *streams)):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdout, sys.stderr = reopen(sys.stdout, 1), reopen(sys.stderr, 2)
    os.environ.clear()
    os.environ.update({read_bytes(name): read_bytes(value) for name, value in environment.items()})
    os.chdir(read_bytes(place))
    # As `python -m` has it: the folder, then PYTHONPATH.
    sys.path[:1] = [os.getcwd(), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv = ["cambrian", *map(read_bytes, arguments)]
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, -1))
    main()
    raise SystemExit


def reopen(stream: TextIO, number: int) -> TextIO:
    """The stream as the interpreter opened it, on what is there now, which may have no places to seek."""
    return open(number, "w", encoding=stream.encoding, errors=stream.errors, closefd=False)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
