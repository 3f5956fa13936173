"""Engine `processes`: whatever an evaluation does, it costs that trial, and the next one works."""

import dataclasses
import itertools
import os
import signal
import subprocess
import sys
import time

import msgspec
import pytest

import mock_search
import mocks
from cambrian.errors import Incompatible, RunError
from cambrian.estimators.function import Function
from cambrian.outcome import Crashed, Done, Fidelity, Infeasible, Point, Trial
from cambrian.problem import Problem
from cambrian.search.engines import ENGINES
from cambrian.search.engines.engine import Assignment, Work
from cambrian.search.engines.processes import Processes
from cambrian.search.engines.serial import Serial
from tiers import slow_but, slow_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and signals are tested on Linux")


def last(engine, *assignments):
    """The last report of each assignment, in the order submitted; they run one after another."""
    ends = []
    for assignment in assignments:
        engine.submit(assignment)
        reports = []
        while not reports or reports[-1].point is not None:
            reports += engine.wait(20.0)
        assert reports[-1].number == assignment.trial.number
        ends.append(reports[-1])
    return ends


@pytest.fixture(scope="module")
def engine():
    """One worker for all the mischief of this module: it must survive every bit of it."""
    with mocks.started(Processes(workers=1), mocks.work("obey", timeout=1.5, memory=1 << 28)) as engine:
        yield engine


numbers = itertools.count()

MISCHIEF = {
    "nan": (Infeasible, "nan"),
    "infinite": (Infeasible, "inf"),
    "nan_curve": (Infeasible, "nan"),
    "none": (Crashed, "got None"),
    "text": (Crashed, "got 'good'"),
    "exception": (Crashed, "ValueError: deliberate"),
    "leave": (Crashed, "SystemExit: 3"),
    "vanish": (Crashed, "exited with code 0"),
    "segfault": (Crashed, "SIGSEGV"),
    "abort": (Crashed, "SIGABRT"),
    "endless": (Infeasible, "longer than 1.5 s"),
    "endless_curve": (Infeasible, "longer than 1.5 s"),
    "hold_gil": (Infeasible, "longer than 1.5 s"),
    "deaf": (Infeasible, "longer than 1.5 s"),
    "allocate": (Infeasible, "MemoryError"),
    "hoard": (Infeasible, "MemoryError"),
}


@pytest.mark.parametrize("kind", slow_for(("endless", "endless_curve", "hold_gil"), MISCHIEF))
def test_mischief_costs_one_trial(engine, kind):
    """One outcome of the right kind that names the cause; the worker is the same before and after."""
    n, expected = next(numbers), MISCHIEF[kind]
    before, (bad,), after = (
        last(engine, mocks.order(n, "worker"))[0].outcome.value,
        last(engine, mocks.order(n, kind)),
        last(engine, mocks.order(n, "worker"))[0].outcome.value,
    )
    assert before == after
    assert type(bad.outcome) is expected[0]
    sentence = bad.outcome.error if isinstance(bad.outcome, Crashed) else bad.outcome.detail
    assert expected[1] in sentence


@pytest.mark.parametrize("kind", slow_but(("hold_gil",), ["endless", "hold_gil"]))
def test_time_limit_is_kept(engine, kind):
    """Within 2 s of the limit the outcome is there, and its seconds say what it cost."""
    started = time.monotonic()
    (report,) = last(engine, mocks.order(next(numbers), kind))
    assert report.outcome.reason == "timeout"
    assert 1.5 <= time.monotonic() - started <= 3.5
    assert 1.5 <= report.outcome.seconds <= 3.5


def test_crash_reports_carry_the_end_of_standard_error(engine):
    """What a C library said before it aborted, and Python's own stack, by faulthandler."""
    (report,) = last(engine, mocks.order(next(numbers), "abort"))
    assert "last words" in report.outcome.traceback
    assert "mocks.py" in report.outcome.traceback
    assert len(report.outcome.traceback) <= 8192


def test_a_kill_from_outside_is_lost_not_an_outcome(engine):
    """Nobody can say how it would have ended: the ledger is to queue it again."""
    killed, good = last(engine, mocks.order(next(numbers), "killed"), mocks.order(next(numbers), "good"))
    assert killed.outcome is None
    assert "SIGKILL" in killed.lost
    assert good.outcome.value == 0.5


def test_floods_fill_nothing(engine):
    """1 GiB on standard output and 64 MiB on standard error leave the worker as small as it was."""
    n = next(numbers)
    before, flood, after = last(
        engine, *(mocks.order(n, k) for k in ("workers_memory", "flood", "workers_memory"))
    )
    assert flood.outcome.value == 0.5
    assert after.outcome.value - before.outcome.value < 2.0


def test_what_an_evaluation_started_ends_with_it(engine):
    """A process that an evaluation left running is killed when its outcome is in."""
    (report,) = last(engine, mocks.order(next(numbers), "offspring"))
    assert mocks.gone({int(report.outcome.value)}, within=1.0)


def test_a_fork_bomb_ends_with_its_trial():
    """All of its 200 processes end where the trial is cancelled, and the next trial runs."""
    with mocks.started(Processes(workers=1), mocks.work("obey")) as engine:
        last(engine, mocks.order(0, "good"))
        others = mocks.descendants(os.getpid())
        engine.submit(mocks.order(1, "bomb"))
        engine.wait(0.0)
        family = mocks.grown(os.getpid(), others, mocks.BOMB + 1)
        engine.cancel(1)
        assert [report.lost for report in engine.wait(20.0)] == ["cancelled"]
        assert mocks.gone(family, within=20.0)
        assert last(engine, mocks.order(2, "good"))[0].outcome.value == 0.5


def test_modules_are_imported_once(engine):
    """What the first child had to import, the worker has imported before it forks the next."""
    n = next(numbers)
    first, second = last(
        engine, mocks.order(n, "pickletools_imported"), mocks.order(n, "pickletools_imported")
    )
    assert (first.outcome.value, second.outcome.value) == (0.0, 1.0)


def test_evaluations_have_one_thread_and_no_torch_unless_asked(engine):
    """The default of one thread is in the environment; a mock never imports torch, the worker neither."""
    n = next(numbers)
    threads, torch = last(engine, mocks.order(n, "threads"), mocks.order(n, "torch_imported"))
    assert threads.outcome.value == 1
    assert torch.outcome.value == 0


def test_coordinator_does_not_import_torch():
    """Neither does the process that starts the engine and evaluates serially."""
    code = (
        "import sys, mocks\n"
        "from cambrian.search.engines import ENGINES\n"
        "for name in ('serial', 'processes'):\n"
        "    engine = ENGINES.make(name)\n"
        "    engine.start(mocks.work(mocks.Mock(), seed=3))\n"
        "    engine.submit(mocks.assignment(0))\n"
        "    assert any(report.outcome for _ in range(2) for report in engine.wait())\n"
        "    engine.close()\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=mock_search.environment(), timeout=60)


def test_engines_agree():
    """Serial and processes give the same outcomes and points, times aside; two at once are no hurdle."""
    mine, theirs = {}, {}
    for engine, found in ((Serial(), mine), (Processes(workers=2), theirs)):
        engine.start(mocks.work(mocks.Mock(), seed=3))
        queue = [mocks.assignment(n, epochs=1 + n % 3) for n in range(12)]
        while queue or len(found) < 12:
            while queue and len(queue) + len(found) > 12 - engine.slots:
                engine.submit(queue.pop())
            for report in engine.wait():
                if report.outcome is not None:
                    found[report.number] = msgspec.structs.replace(report.outcome, seconds=0.0)
        engine.close()
    assert mine == theirs
    expected = {n: mocks.truth(mocks.assignment(n).trial.architecture, 3) for n in range(12)}
    assert {n: outcome.value for n, outcome in mine.items()} == expected


def test_numbers_are_plain_wherever_they_come_from():
    """NumPy's scalars in an estimator's points and outcome are the numbers of JSON, on either engine."""
    point = Point(1, {"loss": 0.5}, 0.25)
    for name in ("serial", "processes"):
        with mocks.started(ENGINES.make(name), mocks.work(mocks.Scalars())) as engine:
            engine.submit(mocks.assignment(0))
            reports = [report for _ in range(2) for report in engine.wait()]
        assert reports[0].point == point
        assert reports[-1].outcome == Done(0.75, {"size": 3.0, "loss": 0.5}, (point,), 2.0)
        assert type(reports[-1].outcome.value) is type(reports[-1].outcome.metrics["loss"]) is float


def test_a_training_is_the_same_on_either_engine(tmp_path):
    """To the last bit, though torch has two threads here, as it has once more afterwards."""
    import torch

    from cambrian.estimators.train import Train
    from small_training import ARCHITECTURE, SmallConv, bars, timeless

    task, train = bars(480), Train(batch_size=16)
    task.save(tmp_path)
    spec = {"space": {"name": "small_training:SmallConv"}, "task": str(tmp_path)}
    spec["estimators"] = {"": {"name": "train", "arguments": {"batch_size": 16}}}
    work = Work(Problem(SmallConv()), {"": train}, task, spec=spec)
    assignment = Assignment(Trial(0, ARCHITECTURE, Fidelity(2)), 1)
    before, found = torch.get_num_threads(), []
    torch.set_num_threads(2)
    try:
        for engine in (Serial(), Processes(workers=1)):
            with mocks.started(engine, work):
                found += last(engine, assignment)
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    mine, theirs = (timeless(report.outcome) for report in found)
    assert isinstance(mine, Done)
    assert mine == theirs


def test_global_generators_are_a_function_of_the_request(engine):
    """Users who draw from `random` and `numpy.random` get the same numbers in a repeated attempt, on
    either engine, and others in another replicate."""
    orders = [mocks.order(n, "globals_drawn") for n in (5, 5, 6)]
    replicate = msgspec.structs.replace(orders[2].trial, replicate=1)
    orders[2] = msgspec.structs.replace(orders[2], trial=replicate)
    first, again, other = last(engine, *orders)
    serial = Serial()
    serial.start(mocks.work("obey"))
    (here,) = last(serial, mocks.order(5, "globals_drawn"))
    assert first.outcome.value == again.outcome.value == here.outcome.value != other.outcome.value


def test_cancel_is_a_kill():
    """A cancelled evaluation is reported lost at once, and its slot is free; a time limit of decades, which
    `poll` cannot wait for, is none."""
    with mocks.started(Processes(workers=1), mocks.work("obey", timeout=1e9)) as engine:
        engine.submit(mocks.order(0, "hold_gil"))
        assert engine.wait(0.8) == []
        started = time.monotonic()
        engine.cancel(1)  # somebody else's number
        engine.cancel(0)
        assert [(r.number, r.lost) for r in engine.wait()] == [(0, "cancelled")]
        assert time.monotonic() - started < 10.0  # the evaluation would hold the interpreter for a minute
        assert last(engine, mocks.order(1, "good"))[0].outcome.value == 0.5


@pytest.mark.parametrize("count", [2, 4])
def test_close_kills_quickly_and_leaves_nothing(count):
    """Workers and children are gone within 2 s, while starting and while evaluating; twice is once."""
    others = mocks.descendants(os.getpid())
    with mocks.started(Processes(workers=2), mocks.work("obey")) as engine:
        for n in range(2):
            engine.submit(mocks.order(n, "deaf"))
        family = mocks.grown(os.getpid(), others, count)  # workers, and later their children
        started = time.monotonic()
        engine.close()
        assert time.monotonic() - started < 2.0
    assert mocks.gone(family, within=0.0)


def test_wait_with_nothing_to_wait_for():
    """Both engines return at once when nothing runs, and wait no longer than told."""
    for name in ("serial", "processes"):
        with mocks.started(ENGINES.make(name), mocks.work("obey")) as engine:
            assert engine.wait() == []
    with mocks.started(Processes(workers=1), mocks.work("obey")) as engine:
        engine.submit(mocks.order(0, "deaf"))
        started = time.monotonic()
        assert engine.wait(0.3) == []
        assert 0.3 <= time.monotonic() - started < 10.0  # the evaluation takes a minute
        with pytest.raises(RuntimeError, match="beyond 1 slots"):
            engine.submit(mocks.order(1, "good"))


def test_what_cannot_be_named_is_refused():
    """A function object has no spec; the sentence says what to do."""
    work = dataclasses.replace(mocks.work("good"), spec=None)
    with pytest.raises(Incompatible, match="use engine 'serial'"):
        Processes().start(work)


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import no_such_library_anywhere", "No module named 'no_such_library_anywhere'"),
        pytest.param("def f(", "SyntaxError", marks=pytest.mark.slow),
        pytest.param("raise SystemExit('not today')", "not today", marks=pytest.mark.slow),
        (
            "import os; os.write(2, b'famous last words'); os._exit(7)",
            "(?s)exited with code 7.*famous last words",
        ),
    ],
)
def test_a_worker_that_cannot_start_says_why(tmp_path, monkeypatch, source, cause):
    """The user's module is at fault: its own error is shown, soon, and no process is left."""
    (tmp_path / "users_module.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    others = mocks.descendants(os.getpid())
    work = mocks.work(Function("users_module:f", builds=False))
    with (
        mocks.started(Processes(workers=2), work) as engine,
        pytest.raises(RunError, match=cause),
    ):
        last(engine, *(mocks.order(n, "good") for n in range(10)))
    assert mocks.descendants(os.getpid()) == others


@pytest.mark.slow
def test_workers_that_cannot_start_for_a_while_do_not_end_a_search_that_has_one(tmp_path, monkeypatch):
    """While one worker is at work others are started again and again, more often than five times."""
    deaths = tmp_path / "deaths"
    (tmp_path / "users_module.py").write_text(
        "import os, time\n"
        f"deaths = {str(deaths)!r}\n"
        "if os.path.exists(deaths) and os.path.getsize(deaths) < 7:\n"
        "    os.write(os.open(deaths, os.O_APPEND | os.O_WRONLY), b'x')\n"
        "    os._exit(7)\n"
        "def f(architecture, fidelity):\n"
        "    time.sleep(60 if architecture['do'] == 'deaf' else 0)\n"
        "    return 0.5\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with mocks.started(Processes(workers=2), mocks.work(Function("users_module:f", builds=False))) as engine:
        last(engine, mocks.order(0, "good"))
        engine.submit(mocks.order(1, "deaf"))
        deaths.touch()
        (idle,) = [member for member in engine._members if member.job is None]
        os.kill(idle._process.pid, signal.SIGKILL)
        lost, late = 0, None
        while late is None:
            (report,) = last(engine, mocks.order(2, "good"))
            late, lost = report.outcome, lost + (report.lost is not None)
    assert late.value == 0.5
    assert lost >= engine.stillborn
    assert deaths.read_bytes() == b"x" * 7


def test_torch_out_of_memory_is_infeasible():
    """torch's allocator raises a RuntimeError where the limit is reached."""
    with mocks.started(Processes(workers=1), mocks.work("obey", memory=1 << 30)) as engine:
        oom, good = last(engine, mocks.order(0, "allocate_tensor"), mocks.order(1, "good"))
    assert isinstance(oom.outcome, Infeasible)
    assert oom.outcome.reason == "oom"
    assert isinstance(good.outcome, Done)
