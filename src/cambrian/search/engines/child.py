"""One evaluation in a process of its own, forked from a worker: a crash or a leak hurts nobody else."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import traceback
from typing import NoReturn

from cambrian.outcome import Infeasible
from cambrian.search.engines.confine import (
    die_with_parent,
    lift_memory_limit,
    limit_memory,
    silence,
    volunteer_for_oom_killer,
)
from cambrian.search.engines.engine import Assignment, Report, Work
from cambrian.search.engines.evaluation import evaluate
from cambrian.search.engines.frames import pack
from cambrian.search.engines.wire import Imported


def live(work: Work, assignment: Assignment, worker: int, reports: int, stderr: int) -> NoReturn:
    """Evaluate `assignment`, writing its reports into the pipe `reports`, then exit. Standard output
    goes nowhere and standard error into the pipe `stderr`, of which the worker keeps the end."""
    try:
        _settle(worker, stderr)
        _confine(work)
        inherited = frozenset(sys.modules)
        for report in evaluate(work, assignment):
            # Before the last report, on which the worker ends this process.
            if report.last:
                _write(reports, pack(Imported([name for name in sys.modules if name not in inherited])))
            _write(reports, pack(report))
    except MemoryError as error:  # outside `evaluate`: packing a long report
        lift_memory_limit()
        outcome = Infeasible("oom", f"MemoryError: {error}".rstrip(": "))
        _write(reports, pack(Report(assignment.trial.number, assignment.attempt, outcome=outcome)))
    except BaseException:  # the worker quotes the traceback in the outcome that it makes of this exit
        lift_memory_limit()
        traceback.print_exc()
        os._exit(1)
    os._exit(0)  # no exit handlers: those that are registered are the worker's


def _settle(worker: int, stderr: int) -> None:
    """Undo the worker's own arrangements, which a fork inherits, and make this child's."""
    os.setpgid(0, 0)  # a group of its own, so that `kill_group` ends data loaders and the like too
    die_with_parent(worker)
    # Inherited from the worker, whom a signal to this process would wake, and this process ignore.
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    silence(stderr)
    faulthandler.enable(2)  # a crash in native code leaves a traceback among the last words
    volunteer_for_oom_killer()


def _confine(work: Work) -> None:
    """Limit this process's memory: on a GPU the GPU's, which is the scarce one there, as the driver's own
    bookkeeping in main memory has no useful bound."""
    if work.memory is None:
        return
    if not work.device.startswith("cuda"):
        limit_memory(work.memory)
        return
    import torch

    index = torch.device(work.device).index or 0
    total = torch.cuda.get_device_properties(index).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, work.memory / total), index)


def _write(pipe: int, data: bytes) -> None:
    # A pipe takes 64 KiB at a time; a long curve is more.
    while data:
        data = data[os.write(pipe, data) :]
