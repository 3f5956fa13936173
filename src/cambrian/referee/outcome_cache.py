"""One training for all who ask: outcomes shared by the searches of a comparison."""

from __future__ import annotations

import dataclasses
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from cambrian.codec import decode, encode
from cambrian.errors import RunError
from cambrian.estimators import ESTIMATORS
from cambrian.estimators.estimator import Estimate, Estimator, Job, Prepares
from cambrian.outcome import Crashed, Outcome
from cambrian.search.ledger.keys import digest, trial_key


@dataclass(frozen=True)
class Cached:
    """`estimator` (a name or a spec), its outcomes kept in `directory`, a file each.

    What is measured is a function of the architecture, the fidelity and the replicate, never of the
    search that asks first: its randomness derives from these. Whoever asks later is told what it cost
    the first time. Who asks meanwhile waits. Crashes are not kept."""

    estimator: Any
    directory: str
    delivers: ClassVar[bool] = False

    @property
    def needs(self) -> tuple[type, ...]:
        return self._inner.needs

    @property
    def builds(self) -> bool:
        return self._inner.builds

    @property
    def raw(self) -> bool:
        return bool(getattr(self._inner, "raw", False))

    def prepare(self) -> None:
        inner = self._inner
        if isinstance(inner, Prepares):
            inner.prepare()

    def run(self, job: Job) -> Estimate:
        data = None if job.task is None else job.task.digest
        recipe = digest(self.estimator, data, job.limits, job.stage)
        key = trial_key(job.space, job.architecture, job.fidelity, recipe, job.replicate, self.raw)
        with _alone(Path(self.directory) / key) as file:
            outcome = _read(file)
            if outcome is None:
                started = time.perf_counter()
                problem = dataclasses.replace(job.problem, seed=0)
                # Who draws by the row's number draws by what is measured, too.
                own = dataclasses.replace(job, problem=problem, number=int(key[:15], 16))
                outcome = yield from self._inner.run(own)
                seconds = outcome.seconds or time.perf_counter() - started
                outcome = msgspec.structs.replace(outcome, seconds=seconds)
                if not isinstance(outcome, Crashed):
                    _write(file, outcome)
                return outcome
        yield from getattr(outcome, "curve", ())
        return outcome

    @property
    def _inner(self) -> Estimator:
        made: Estimator = ESTIMATORS.make(self.estimator)
        return made


@contextmanager
def _alone(path: Path) -> Iterator[int]:
    """The file at `path`, nobody else having it; the kernel frees it when this process is killed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise RunError(f"cannot keep outcomes in {path.parent}: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)


def _read(file: int) -> Outcome | None:
    """What is kept there; None where nothing is, or what a kill left half written."""
    try:
        found: Outcome = decode(os.pread(file, os.fstat(file).st_size, 0), Outcome)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return found


def _write(file: int, outcome: Outcome) -> None:
    os.ftruncate(file, 0)
    os.pwrite(file, encode(outcome), 0)
    os.fsync(file)
