"""Commands of `cambrian`, each in a process of its own that is forked from one that has imported torch and
the house: a new interpreter takes two to five seconds of the processor to get there. Programs that must not
know the house are forked from one that has imported torch alone.

What a fork cannot show (a command's own imports, its time to start) has its tests with new interpreters.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import resource
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import NoReturn, TextIO

IMPORTED = (
    "torch",
    # Half of what a command that trains would import by itself: optimizers ask for it at their first step.
    "torch._dynamo",
    "torch.export",
    "scipy.stats",
    "sklearn.datasets",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "pydantic.type_adapter",
    "safetensors.torch",
    "cambrian.descriptions",
    "cambrian.loggers.opening",
    "cambrian.cli.commands",
    "cambrian.cli.run_search",
    "cambrian.estimators.train",
    "cambrian.strategies.bayesian.bayes",
    "cambrian.tasks.readers.digits",
    "cambrian.search.planning.plan",
    "cambrian.pictures.raster",
    "cambrian.exports.program",
    "cambrian.exports.export",
    "cambrian.reports.report",
    "cambrian.search.search",
    "cambrian.spaces.cells.pnas",
)


CLEAN = ("torch", "torch.export", "torch._dynamo", "safetensors.torch")
"""The modules that an exported program's process imports, which must not need the house."""


ELSEWHERE = ("torch", "cambrian.testing.walks", "cambrian.testing.predictors", "cambrian.testing.strategies")
"""The modules that checks of components need in another process."""


class Commands:
    """Forks commands from an interpreter that was started with `environment` besides this process's, and with
    `flags`, and that has `imported` modules."""

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        imported: Sequence[str] = IMPORTED,
        flags: Sequence[str] = (),
    ) -> None:
        self._line, other = socket.socketpair()
        with other:
            self._process = subprocess.Popen(
                [sys.executable, *flags, __file__, str(other.fileno()), *imported],
                pass_fds=[other.fileno()],
                env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
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
        code: str = "",
        strict: bool = False,
    ) -> subprocess.CompletedProcess[bytes]:
        """`python -m cambrian ARGUMENTS`, or `python -c CODE ARGUMENTS`, in the folder `place`, to its end.
        Its files may have `limit` bytes (-1: any number). `environment` stands in the place of this one's.
        Where it is `strict`, warnings are errors, as by `-W error`."""
        words = [str(each) for each in arguments]
        variables = os.environ if environment is None else environment
        order = {
            "arguments": [write_bytes(word) for word in words],
            "place": write_bytes(str(place or Path.cwd())),
            "environment": {write_bytes(name): write_bytes(value) for name, value in variables.items()},
            "limit": limit,
            "code": code,
            "strict": strict,
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


@cache
def forked_clean() -> Commands:
    """Isolated programs that use torch and cannot have met the house, begun when they are first needed."""
    commands = Commands(imported=CLEAN, flags=["-I"])
    atexit.register(commands.close)
    return commands


def run_clean(
    code: str, *arguments: object, place: Path | None = None, strict: bool = False
) -> subprocess.CompletedProcess[str]:
    """`python -I -c CODE ARGUMENTS` to its end, with its streams as text (see `Commands.run`)."""
    done = forked_clean().run(*arguments, place=place, code=code, strict=strict)
    out, err = done.stdout.decode(), done.stderr.decode()
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


@cache
def forked_elsewhere() -> Commands:
    """Programs of the house in another interpreter, in which sets have another order."""
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    path = os.pathsep.join(filter(None, sys.path))
    commands = Commands({"PYTHONHASHSEED": seed, "PYTHONPATH": path}, imported=ELSEWHERE)
    atexit.register(commands.close)
    return commands


# The side of the interpreter that forks.


def serve(line: socket.socket, imported: Sequence[str]) -> None:
    """Orders and their streams come by the line, exit codes go back."""
    for name in imported:
        importlib.import_module(name)
    if "cambrian.cli.commands" in imported:
        read_signatures()
    # What lives to the end is not searched for garbage, which would copy the pages that forks share.
    gc.freeze()
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


def read_signatures() -> None:
    """Each command would let typer read the signatures of all: those that are forked from here have them."""
    import typer.main

    from cambrian.cli.app import app

    typer.main.get_params_from_function = cache(typer.main.get_params_from_function)
    typer.main.get_command(app)


def become(
    arguments: list[str],
    place: str,
    environment: dict[str, str],
    limit: int,
    code: str,
    strict: bool,
    streams: list[int],
) -> NoReturn:
    """Be `python -m cambrian ARGUMENTS` or `python -c CODE ARGUMENTS` from here on."""
    for number, stream in enumerate((os.open(os.devnull, os.O_RDONLY), *streams)):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update({read_bytes(name): read_bytes(value) for name, value in environment.items()})
    sys.stdout, sys.stderr = reopen(sys.stdout, 1), reopen(sys.stderr, 2)
    os.chdir(read_bytes(place))
    sys.argv = ["-c" if code else "cambrian", *map(read_bytes, arguments)]
    if limit != -1:  # Python takes a short write for a whole one: half a compiled module would stay for all
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, -1))
    if strict:
        warnings.simplefilter("error")
    try:
        if code:
            FunctionType(compile(code, "<string>", "exec"), {"__name__": "__main__"})()
        else:
            be_cambrian()
    except SystemExit as ending:
        end(ending.code)
    end(None)


def end(code: object) -> NoReturn:
    """End as the interpreter does, but leave its modules as they are: to take them apart copies every page
    that the fork shares, which takes longer than most commands."""
    if isinstance(code, str):
        print(code, file=sys.stderr)
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.current_thread():
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def be_cambrian() -> None:
    from cambrian.cli import main

    # As `python -m` has it: the folder, then PYTHONPATH.
    sys.path[:1] = [os.getcwd(), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    main()


def reopen(stream: TextIO, number: int) -> TextIO:
    """The stream as an interpreter opens it that is started in this environment, on what is there now, which
    may have no places to seek."""
    encoding = os.environ.get("PYTHONIOENCODING", stream.encoding)
    return open(number, "w", encoding=encoding, errors=stream.errors, closefd=False)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
