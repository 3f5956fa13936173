"""Outcomes shared by the searches of a comparison: each network is trained once."""

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
from cambrian.effort import ANEW, LOST, Axis
from cambrian.errors import RunError
from cambrian.estimators import ESTIMATORS
from cambrian.estimators.estimator import Estimate, Estimator, Job, Prepares
from cambrian.outcome import Crashed, Done, Outcome
from cambrian.search.ledger.keys import digest, trial_key


@dataclass(frozen=True)
class Cached:
    """`estimator` (a name or a spec) with its outcomes kept in `directory`, a file each.

    A measurement is a function of the architecture, the fidelity and the replicate, never of the search that
    asks first: its randomness derives from these. A later search gets the cost of the first time; where it
    continues a shorter training, that of going on. A search that asks meanwhile waits. Crashes are not
    kept."""

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

    @property
    def axes(self) -> tuple[Axis, ...]:
        return tuple(getattr(self._inner, "axes", ()))

    def prepare(self) -> None:
        inner = self._inner
        if isinstance(inner, Prepares):
            inner.prepare()

    def run(self, job: Job) -> Estimate:
        # The key holds everything that the outcome depends on; the seed of a search is not part of it.
        data = None if job.task is None else job.task.digest
        # A training that goes on is another cost than a whole one, though it has the same result.
        begun = () if job.begun is None else (job.begun,)
        recipe = digest(self.estimator, data, job.limits, job.stage, *begun)
        key = trial_key(job.space, job.architecture, job.fidelity, recipe, job.replicate, self.raw)
        with _alone(Path(self.directory) / key) as file:
            outcome = _read(file)
            if outcome is None:
                started = time.perf_counter()
                # One seed for all searches: their own would make the outcome that of whoever came first.
                problem = dataclasses.replace(job.problem, seed=0)
                # Who draws by the row's number draws by what is measured, too.
                own = dataclasses.replace(job, problem=problem, number=int(key[:15], 16))
                outcome = yield from self._inner.run(own)
                seconds = outcome.seconds or time.perf_counter() - started
                outcome = _charge_rest(job, msgspec.structs.replace(outcome, seconds=seconds))
                # A crash may be the machine's fault, so that another search may try again.
                if not isinstance(outcome, Crashed):
                    _write(file, outcome)
                return outcome
        # The curve again, as if it had been trained here: strategies may learn from it.
        yield from getattr(outcome, "curve", ())
        return outcome

    @property
    def _inner(self) -> Estimator:
        estimator: Estimator = ESTIMATORS.make(self.estimator)
        return estimator


def _charge_rest(job: Job, outcome: Outcome) -> Outcome:
    """The outcome with the cost of going on alone, where only the state of the shorter training was missing:
    the search that came first has it, and none may pay for coming later."""
    if not isinstance(outcome, Done) or outcome.data.get(ANEW) != LOST or job.begun is None:
        return outcome
    longer = msgspec.structs.replace(job.begun, epochs=job.fidelity.epochs)
    before = [point.seconds for point in outcome.curve if point.step <= job.begun.epochs]
    # A training that is bounded by seconds, or differs in more than its epochs, could not have gone on.
    if longer != job.fidelity or longer.seconds is not None or not before:
        return outcome
    data = {name: value for name, value in outcome.data.items() if name != ANEW}
    return msgspec.structs.replace(outcome, seconds=outcome.seconds - before[-1], data=data)


@contextmanager
def _alone(path: Path) -> Iterator[int]:
    """The file at `path`, locked against all other processes; the kernel frees it when this one is killed."""
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
    """The outcome in the file; None for an empty file, or one that a kill left half written."""
    try:
        outcome: Outcome = decode(os.pread(file, os.fstat(file).st_size, 0), Outcome)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return outcome


def _write(file: int, outcome: Outcome) -> None:
    # In place, not staged: the lock is on this very file. A kill in between leaves text that is not JSON.
    os.ftruncate(file, 0)
    os.pwrite(file, encode(outcome), 0)
    os.fsync(file)
