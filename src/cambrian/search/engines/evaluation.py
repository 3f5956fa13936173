"""The one function that all engines run: an estimator's work on an assignment, as reports."""

from __future__ import annotations

import errno
import random
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
import numpy as np

from cambrian.codec import decode, encode
from cambrian.errors import CambrianError, DiskRefused, Unbuildable, UsageError
from cambrian.estimators.estimator import Estimator, OutOfTime, Prepares, finite
from cambrian.memory_reuse import reuse_memory
from cambrian.outcome import Crashed, Curve, Done, Infeasible, Outcome, Point
from cambrian.randomness import integer_seed
from cambrian.request import Request, identity_of, request_of
from cambrian.search.engines.engine import Assignment, Report, Work
from cambrian.search.engines.frames import LONGEST

T = TypeVar("T")

LARGEST = LONGEST // 2
"""Bytes of an outcome or point, so that its report is a message that is believed, and fits into the ledger:
SQLite takes no more than 10**9 bytes at a time."""

_DISK = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS)
"""No room, a file too large, a quota, a read-only disk: the evaluated architecture is not to blame."""


def prepare(estimator: Estimator) -> None:
    """Import the modules that its evaluations will need, once in a process and before the first of them."""
    if isinstance(estimator, Prepares):
        estimator.prepare()
    elif estimator.delivers:
        # An estimator that trains needs torch, whose optimizers all import this: seconds, which would
        # otherwise be part of the first trial's time.
        import torch._dynamo  # noqa: F401


def evaluate(work: Work, assignment: Assignment) -> Iterator[Report]:
    """Run the estimator and turn its points, its outcome or its failure into reports; the last one
    carries the outcome. Numbers are those that JSON gives back, whatever library they are of, and those
    that are not finite are left out of metrics: they are not JSON."""
    number, attempt = assignment.trial.number, assignment.attempt
    started = time.perf_counter()
    _seed_globals(work.problem.seed, request_of(assignment.trial))
    try:
        estimate = work.estimator(assignment.trial).run(work.job(assignment))
        # By hand and not by `for`: the outcome is the generator's return value.
        while True:
            try:
                with threads(assignment.threads or work.threads):
                    point = next(estimate)
            except StopIteration as end:
                outcome = _tidy(end.value)
                break
            yield Report(number, attempt, point=_finite(point))
    except OutOfTime as error:  # stopped at its deadline, which is no evidence against the architecture
        yield Report(number, attempt, lost=str(error))
        return
    except Unbuildable as error:
        outcome = Infeasible("unbuildable", str(error))
    except (Exception, SystemExit) as error:  # not KeyboardInterrupt: the user's word to the whole run
        refusal = describe_refusal(error)
        if refusal is not None:
            yield Report(number, attempt, refused=refusal)
            return
        outcome = _failure(error)
    seconds = time.perf_counter() - started
    if not outcome.seconds:  # a benchmark reports the seconds of its table, and not those of looking it up
        outcome = msgspec.structs.replace(outcome, seconds=seconds)
    yield Report(number, attempt, outcome=outcome)


def describe_refusal(error: BaseException) -> str | None:
    """A sentence where `error` is the disk's fault, no matter which code wrote."""
    if isinstance(error, DiskRefused):
        return str(error)
    if isinstance(error, OSError) and error.errno in _DISK:
        return f"the disk refused {error.filename or 'what an evaluation wrote'}: {error.strerror}"
    return None


def too_late(limit: float | None, curve: Curve, seconds: float) -> Infeasible:
    """The outcome of an evaluation that took longer than `limit` seconds."""
    return Infeasible("timeout", f"took longer than {limit:g} s", curve, seconds)


def _seed_globals(run: int, request: Request) -> None:
    """Seed the global generators, from which functions of users draw: the same numbers for a request,
    whichever process does the work and whatever it did before."""
    seed = integer_seed(run, "globals", identity_of(request))
    random.seed(seed)
    np.random.seed(seed % 2**32)  # the largest seed that NumPy takes is 2**32 - 1
    if "torch" in sys.modules:
        _seed_torch(sys.modules["torch"], seed)


def _seed_torch(torch: Any, seed: int) -> None:
    """As `torch.manual_seed`, which writes down the stack of its caller for devices that are not in use yet:
    that takes longer than most trials of a benchmark."""
    if _has_accelerator(torch):
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


def _has_accelerator(torch: Any) -> bool:
    """Whether torch was made for one, or, as torch 2.6 has it, finds one."""
    try:
        return torch.accelerator.current_accelerator() is not None
    except RuntimeError:  # of torch 2.6, where there is none
        return False


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch compute on `count` threads, with memory that is used again, within, and on as many threads as
    before afterwards: between the steps of an evaluation the caller's own code computes."""
    # Looked up and not imported: an evaluation without torch shall not wait for its import.
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    with reuse_memory():
        if before != count:
            torch.set_num_threads(count)
        try:
            yield
        finally:
            if before != count:
                torch.set_num_threads(before)


def _tidy(outcome: object) -> Outcome:
    if isinstance(outcome, Crashed):
        # Its texts quote what a user's code met, such as the name of a file that is not UTF-8.
        texts = {name: getattr(outcome, name) for name in ("error", "traceback")}
        printable = {name: _printable(text) for name, text in texts.items() if isinstance(text, str)}
        return _plain(msgspec.structs.replace(outcome, **printable), Outcome)
    if not isinstance(outcome, Done | Infeasible):
        return Crashed(f"the estimator returned {outcome!r:.80} where an outcome was expected")
    outcome = msgspec.structs.replace(outcome, curve=tuple(map(_finite, outcome.curve)))
    if not finite(outcome.metrics):
        outcome = msgspec.structs.replace(outcome, metrics=_drop_infinite(outcome.metrics))
    return _plain(outcome, Outcome)


def _finite(point: Point) -> Point:
    if not finite(point.metrics):
        point = msgspec.structs.replace(point, metrics=_drop_infinite(point.metrics))
    return _plain(point, Point)


def _plain(value: T, kind: Any) -> T:
    """`value` as the ledger and other processes read it back, so that no engine gives more than another."""
    data = encode(value)
    if len(data) > LARGEST:
        raise UsageError(
            f"an outcome is at most {LARGEST:,} bytes of JSON, got {len(data):,}: leave what is large in a"
            " file of job.keep"
        )
    plain: T = decode(data, kind)
    return plain


def _drop_infinite(metrics: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if finite({name: value})}


def _failure(error: BaseException) -> Outcome:
    text = _printable(f"{type(error).__name__}: {error}".strip())
    if isinstance(error, MemoryError) or out_of_memory(text):
        return Infeasible("oom", text[:500])
    if isinstance(error, CambrianError):  # a sentence for the user, to which a traceback adds nothing
        return Crashed(text[:500])
    # The end of a traceback is where the mistake is; a recursion without end makes megabytes of it.
    return Crashed(text[:500], _printable("".join(traceback.format_exception(error))[-20000:]))


def _printable(text: str) -> str:
    """`text` without lone surrogates, which UTF-8 cannot write."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def out_of_memory(text: str) -> bool:
    """Whether an error's text says that memory ran out: torch raises a plain RuntimeError where its
    allocator fails."""
    lower = text.lower()
    return any(
        sign in lower
        for sign in (
            "out of memory",
            "can't allocate memory",
            "cannot allocate memory",
            "bad_alloc",
            "_alloc_failed",  # of cuBLAS, cuDNN and their like, as CUBLAS_STATUS_ALLOC_FAILED
        )
    )
