"""Mock searches, run in processes of their own so that they can be killed.

`Nursery` is a small process that has imported the coordinator once and forks one per session, kills it
when it was told to, and sees to it that nothing is left of it. Every execution and every acknowledged
outcome is one line of a log.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import mocks
from cambrian.architecture import Architecture
from cambrian.errors import RunError
from cambrian.outcome import Done, Infeasible, Point, Trial
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.loop.watch import Watch
from cambrian.search.result import Result
from cambrian.search.search import Search
from cambrian.spaces.space import Pick, Space
from cambrian.strategies.strategy import Evaluate, Stop
from continuing import Halving, Sleeps

LAG = 4


@dataclass(frozen=True)
class Logged:
    """A hash of the architecture, `delay` seconds later; about one in ten is infeasible and one in twenty
    crashes. Notes "e NUMBER" in the log when it begins."""

    delay: float = 0.001
    needs: ClassVar[tuple[type, ...]] = ()
    builds: ClassVar[bool] = False
    delivers: ClassVar[bool] = False

    def run(self, job):
        write(f"e {job.number}")
        time.sleep(self.delay)
        value = mocks.truth(job.architecture, job.seed)
        if value < 0.1:
            return Infeasible("nan", "deliberate")
        if value < 0.15:
            raise ValueError(f"deliberate {value}")
        yield Point(1, {"value": value})
        return Done(value, curve=(Point(1, {"value": value}),))


DEEDS = (
    "good",
    "nan",
    "infinite",
    "none",
    "nan_curve",
    "exception",
    "leave",
    "segfault",
    "abort",
    "vanish",
    "endless",
    "hold_gil",
    "allocate",
    "flood",
)


@dataclass(frozen=True)
class Deeds(Space):
    """What `mocks.obey` is to do, and a second question that changes nothing."""

    def program(self, pick: Pick) -> None:
        pick("do", DEEDS)
        pick("copy", list(range(20)))

    def build(self, architecture, task, **skeleton):
        raise NotImplementedError


@dataclass(frozen=True)
class InOrder:
    """Proposes each of `deeds` once."""

    deeds: tuple[str, ...] = DEEDS
    needs: ClassVar[tuple[type, ...]] = ()

    def start(self, problem):
        return 0

    def propose(self, state, pending, rng):
        number = state + len(pending)
        if number >= len(self.deeds):
            return Stop("all is done")
        return Evaluate(Architecture({"do": self.deeds[number], "copy": number}))

    def learn(self, state, trial):
        return state + 1


def write(line: str) -> None:
    """Append a line to the log, if there is one; in one piece, whoever else appends."""
    if "MOCK_LOG" in os.environ:
        file = os.open(os.environ["MOCK_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, f"{line}\n".encode())
        os.close(file)


@dataclass(frozen=True)
class LoggedSleeps(Sleeps):
    """The same note of a sleep, whose artifact a longer one goes on from."""

    def run(self, job):
        write(f"e {job.number}")
        return (yield from super().run(job))


def search(
    strategy: str = "random",
    engine: str = "serial",
    trials: int | None = 150,
    lag: int = LAG,
    delay: float = 0.001,
    seed: int = 0,
    small: bool = False,
) -> Search:
    """Random search among 258 chains, so that some proposals are repeats; progressive search, whose
    `trials` may be None for all of its six levels; or successive halving, of 81, 27 and 9 trainings that go
    on from one another. A `small` one has 6 trials in two levels, or 3 trainings and 1."""
    space, chosen = parts(strategy, small)
    return Search(
        space,
        chosen,
        LoggedSleeps(delay / 2) if strategy == "halving" else Logged(delay),
        budget=trials,
        engine=made(engine),
        lag=lag,
        seed=seed,
        attempts=1000,
    )


def parts(strategy: str, small: bool) -> tuple[Any, Any]:
    """The space and the strategy of a search."""
    if strategy == "halving":
        return mocks.Toy(4), Halving(3, (1, 3)) if small else Halving(81, (1, 2, 3))
    if strategy == "progressive":
        arguments = (
            {"surrogate": "ridge", "keep": 2, "first": 4} if small else {"surrogate": "ridge", "keep": 30}
        )
        layers = 2 if small else 6
        return {"name": "tiny-chain", "arguments": {"layers": layers}}, {
            "name": strategy,
            "arguments": arguments,
        }
    return {"name": "tiny-chain", "arguments": {"layers": 3}}, strategy


def made(engine: str) -> Any:
    """Two processes that put up with any number of deaths; else the engine of that name."""
    if engine != "processes":
        return engine
    from cambrian.search.engines.processes import Processes

    found = Processes(workers=2)
    found.stillborn = 10**9
    return found


def environment() -> dict[str, str]:
    """This process's, for one that imports the modules beside this one."""
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def finished(directory: Path) -> dict[int, tuple[int, Any]]:
    """By number: attempt and outcome of what the ledger holds as finished; nothing before it is made."""
    path = directory / "ledger.sqlite"
    if not path.exists():
        return {}
    ledger = Ledger.read(path)
    rows = ledger.rows()
    ledger.close()
    return {
        r.trial.number: (r.attempt, r.trial.outcome) for r in rows if r.state not in ("running", "cached")
    }


def contents(directory: Path) -> list[tuple[Any, ...]]:
    ledger = Ledger.read(directory / "ledger.sqlite")
    try:
        return ledger.contents()
    finally:
        ledger.close()


def damaged_artifacts(directory: Path) -> list[str]:
    """The artifacts that rows name and that are not there, or not the file that was hashed."""
    if not (directory / "ledger.sqlite").exists():
        return []
    ledger = Ledger.read(directory / "ledger.sqlite")
    named = {a.file: a.sha256 for row in ledger.rows() for a in row.trial.artifacts.values()}
    ledger.close()
    return [file for file, sha256 in named.items() if hash_of(directory / file) != sha256]


def hash_of(file: Path) -> str | None:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else None


def files(directory: Path) -> set[str]:
    """All that is in a run directory, but for what SQLite keeps beside a ledger that is read."""
    found = {str(path.relative_to(directory)) for path in directory.rglob("*")}
    return {name for name in found if not name.startswith("ledger.sqlite-")}


def first_difference(found: list[Any], expected: list[Any]) -> Any:
    """None where two ledgers' contents are equal, else the first rows that are not, or their counts."""
    for ours, theirs in zip(found, expected):
        if ours != theirs:
            return ours, theirs
    return None if len(found) == len(expected) else (len(found), len(expected))


def executed_after_the_end(log: Path) -> list[int]:
    """Numbers that were evaluated once more though their outcome had been acknowledged."""
    ended: set[int] = set()
    again = []
    for line in log.read_text().splitlines():
        kind, number = line.split()
        if kind == "a":
            ended.add(int(number))
        elif int(number) in ended:
            again.append(int(number))
    return again


def opens_or_never_began(run: Path) -> None:
    """The run can be looked at, or says in a sentence that there is none yet."""
    try:
        Result.open(run)
        said = None
    except RunError as error:
        said = str(error)
    assert said is None or "is not a run directory" in said or "was never started" in said


def acknowledged(log: Path) -> list[int]:
    return [int(line[2:]) for line in log.read_text().splitlines() if line.startswith("a")]


class Nursery:
    """Use as a context manager. `preload` are libraries that its processes begin with; `module` has the
    function `search` that makes a search of a setting."""

    def __init__(self, *preload: Path, module: str = "mock_search") -> None:
        self._module = module
        self._preload = {"LD_PRELOAD": ":".join(map(str, preload))} if preload else {}

    def __enter__(self) -> Nursery:
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"import {self._module} as module; module.tend()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment() | self._preload,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def session(self, directory: Path, log: Path, **order: Any) -> dict[str, Any]:
        """One coordinator at work in `directory` until it ends or is killed (see `_session`)."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        text = json.dumps({"directory": str(directory), "log": str(log), **order})
        self._process.stdin.write(text.encode() + b"\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert not answer["left"], "processes outlived their coordinator"
        return answer


# The nursery's own side.


class _Telling(Watch):
    """Writes acknowledged outcomes into the log, and a byte into a pipe for each thing that happens."""

    def __init__(self, pipe: int, known: list[int]) -> None:
        self._pipe, self._known = pipe, set(known)

    def on_claim(self, trial: Trial) -> None:
        os.write(self._pipe, b"c")

    def on_end(self, trial: Trial) -> None:
        if trial.cached is None and trial.number not in self._known:
            write(f"a {trial.number}")
            os.write(self._pipe, b"e")


def _session(
    make: Callable[..., Search],
    directory: str,
    log: str,
    setting: dict[str, Any],
    known: list[int],
    events: int | None = None,
    pause: float = 0.0,
    statement: int | None = None,
    kills: int = 0,
    seed: int = 0,
    call: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Fork a coordinator and let it search. It is killed `pause` seconds after so many `events` beyond
    the outcomes that are `known`; it ends itself before SQL statement number `statement`; or the
    processes below it suffer so many `kills`; or whoever comes to a `call` is killed (`killed_calls.c`).
    Says how it ended, and whether anything is left of it."""
    hear, tell = os.pipe()
    coordinator = os.fork()
    if coordinator == 0:
        os.close(hear)
        os.environ["MOCK_LOG"] = log
        _coordinate(make, tell, directory, setting, known, statement, call)
    os.close(tell)
    done = 0
    if events is not None:
        _listen(hear, events)
        time.sleep(pause)
        os.kill(coordinator, signal.SIGKILL)
    elif kills:
        done = _kill_below(coordinator, hear, kills, random.Random(seed))
    while os.read(hear, 1 << 16):
        pass
    os.close(hear)
    _, status = os.waitpid(coordinator, 0)
    return {"code": os.waitstatus_to_exitcode(status), "kills": done, "left": _left()}


def _coordinate(
    make: Callable[..., Search],
    tell: int,
    directory: str,
    setting: dict[str, Any],
    known: list[int],
    statement: int | None,
    call: dict[str, str] | None,
) -> None:
    imported = "torch" in sys.modules
    try:
        if call is not None:
            os.environ |= call
            ctypes.CDLL(None).arm_calls()
        if statement is not None:
            _end_before(statement)
        result = make(**setting).run(directory, _Telling(tell, known))
        assert ("torch" in sys.modules) == imported
        os._exit(0 if result.trials else 2)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)


def _end_before(statement: int) -> None:
    """Exit without a word before the `statement`-th SQL statement of this process is carried out."""
    from cambrian.search.ledger import database

    connect, left = database.sqlite3.connect, [statement]

    def count(sql: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            os._exit(9)

    def traced(*arguments: Any, **keywords: Any) -> Any:
        connection = connect(*arguments, **keywords)
        connection.set_trace_callback(count)
        return connection

    database.sqlite3.connect = traced


def _listen(pipe: int, count: int) -> None:
    """Until `count` bytes have come, or no more will."""
    while count > 0:
        data = os.read(pipe, count)
        if not data:
            return
        count -= len(data)


def _kill_below(coordinator: int, hear: int, kills: int, rng: random.Random) -> int:
    """Kill workers and their children at random while the coordinator works; how many were."""
    done = 0
    while done < kills and select.select([hear], [], [], 10.0)[0] and os.read(hear, 1):
        time.sleep(rng.random() * 0.004)
        below = sorted(mocks.descendants(coordinator))
        if below:
            victim = rng.choice(below)
            try:
                os.kill(victim, signal.SIGKILL)
                done += 1
            except ProcessLookupError:
                continue
    return done


def _left() -> bool:
    """Whether orphans of a coordinator, which are this process's children now, live for 5 s more."""
    end = time.monotonic() + 5.0
    while time.monotonic() < end:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.002)
        except ChildProcessError:
            return False
    return True


def tend() -> None:
    for strategy in ("random", "progressive", "halving"):
        search(strategy, trials=8, delay=0.0).run()  # imports what a search imports
    serve(search)


def serve(make: Callable[..., Search]) -> None:
    """The nursery's life: sessions by standard input, how they ended by standard output."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    for line in sys.stdin:
        print(json.dumps(_session(make, **json.loads(line))), flush=True)
