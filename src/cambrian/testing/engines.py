"""The suite for engines: every assignment ends once, with the outcome of this process, and leaves nothing
behind."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cambrian.architecture import Architecture
from cambrian.codec import decode, encode
from cambrian.outcome import Crashed, Done, Fidelity, Infeasible, Trial
from cambrian.problem import Limit, Problem
from cambrian.registry import Registry
from cambrian.search.engines.engine import Assignment, Engine, Report, Work
from cambrian.search.engines.evaluation import evaluate
from cambrian.testing.descendants import find_marked
from cambrian.testing.suite import Conformance, Suite, Violation, applies, expect
from cambrian.testing.toys import HARMLESS, Ending, Endings

# Generous: a loaded machine must not fail a check, and only a broken engine waits for them.
PATIENCE = 20.0  # seconds until an engine that reports nothing has failed
GRACE = 5.0  # seconds that processes have to end after close


@dataclass(frozen=True)
class EngineCase:
    """An engine under test, made anew for every check. `isolates`: a trial that kills its process, or never
    ends, costs that trial alone. `patience`: seconds until an engine that reports nothing has failed; one
    that asks other machines for room needs more."""

    make: Callable[[], Engine]
    isolates: bool = False
    patience: float = PATIENCE


def check_slots_are_a_number(case: EngineCase) -> None:
    """At least one assignment runs at once."""
    with _start_engine(case) as engine:
        expect(isinstance(engine.slots, int) and engine.slots >= 1, f"slots is {engine.slots!r}")


def check_every_assignment_ends_once(case: EngineCase) -> None:
    """Each assignment has exactly one last report, and none after it."""
    reports = _run(case, _assignments(HARMLESS * 2))
    for number in range(2 * len(HARMLESS)):
        ends = [_is_last(r) for r in reports if r.number == number]
        expect(ends.count(True) == 1, f"trial {number} ends {ends.count(True)} times")
        expect(ends[-1], f"trial {number} has a report after its last")
    expect({r.number for r in reports} == set(range(2 * len(HARMLESS))), "reports of trials nobody submitted")


def check_outcomes_are_what_they_are_here(case: EngineCase) -> None:
    """The outcome is the one that running the estimator in this process gives, seconds aside."""
    assignments = _assignments(HARMLESS)
    for assignment, last in zip(assignments, _last(_run(case, assignments)), strict=True):
        # The oracle is the plain call, without any engine.
        here = list(evaluate(_work(), assignment))[-1]
        do = assignment.trial.architecture["do"]
        expect(
            _summary(last) == _summary(here),
            f"{do!r} ends in {last.outcome!r:.150}, not {here.outcome!r:.150}",
        )


def check_exceptions_are_outcomes(case: EngineCase) -> None:
    """An exception is Crashed and names its type; a lack of memory, a value that is not a number and a shape
    that does not fit are Infeasible for their reason."""
    ways = ("raise", "leave", "nothing", "memory", "nan", "unbuildable")
    ends = dict(zip(ways, (r.outcome for r in _last(_run(case, _assignments(ways)))), strict=True))
    raised = ends["raise"]
    expect(
        isinstance(raised, Crashed) and "ValueError" in raised.error, f"an exception ends in {raised!r:.100}"
    )
    expect(isinstance(raised, Crashed) and "made up" in raised.traceback, "a crash has no traceback")
    expect(isinstance(ends["leave"], Crashed), f"SystemExit ends in {ends['leave']!r:.100}")
    expect(isinstance(ends["nothing"], Crashed), f"no outcome at all ends in {ends['nothing']!r:.100}")
    for way, reason in (("memory", "oom"), ("nan", "nan"), ("unbuildable", "unbuildable")):
        end = ends[way]
        expect(isinstance(end, Infeasible) and end.reason == reason, f"{way!r} ends in {end!r:.100}")


def check_points_come_before_the_outcome(case: EngineCase) -> None:
    """All points of a curve are reported, in order, and then the outcome."""
    for assignment in _assignments(["curve"] * 3):
        reports = _run(case, [assignment])
        steps = [r.point.step if r.point else None for r in reports]
        expect(steps == [1, 2, 3, None], f"a curve of three points is reported as {steps}")


def check_attempts_are_echoed(case: EngineCase) -> None:
    """Every report carries the attempt number of its assignment, which is how late ones are fenced."""
    # A worker thought dead may still report: the coordinator tells it from its successor by this number.
    assignments = _assignments(["curve", "raise", "value"], attempt=7)
    attempts = {r.attempt for r in _run(case, assignments)}
    expect(attempts == {7}, f"attempt 7 is reported as {attempts}")


def check_evaluations_know_their_context(case: EngineCase) -> None:
    """Seed, trial number, stage and limits reach the estimator."""
    # Through JSON, as an assignment travels to another process or machine.
    assignment: Assignment = decode(encode(_assignments(["value"] * 4, stage="deliver")[3]), Assignment)
    outcome = _run(case, [assignment], _work(seed=5))[-1].outcome
    wanted = {"seed": 5.0, "trial": 3.0, "limit": 10.0, "delivers": 1.0}
    got = outcome.metrics if isinstance(outcome, Done) else outcome
    expect(got == wanted, f"the estimator knew {got!r:.150}, not {wanted}")


def check_waiting_for_nothing_returns(case: EngineCase) -> None:
    """With nothing running `wait` gives an empty list at once, before the first trial and after the last."""
    with _start_engine(case) as engine:
        began = time.monotonic()
        expect(engine.wait(None) == [], "reports before anything was submitted")
        _drive(case, engine, _assignments(["value"]))
        expect(engine.wait(None) == [] and time.monotonic() - began < case.patience / 2, "reports of nothing")


def check_closing_twice_is_closing(case: EngineCase) -> None:
    """`close` may be called before `start`, while something runs, and again."""
    case.make().close()
    with _start_engine(case) as engine:
        engine.submit(_assignments(["curve"])[0])
        engine.close()
        engine.close()


def check_starting_again_works(case: EngineCase) -> None:
    """After `close` it can be started again, and reports nothing of its former trials."""
    with _start_engine(case) as engine:
        engine.submit(_assignments(["curve"])[0])
        engine.close()
        engine.start(_work())
        reports = _drive(case, engine, _assignments(["value"] * 3)[2:])
        expect({r.number for r in reports} == {2}, "reports of a trial that was closed away")


def check_no_process_is_left(case: EngineCase) -> None:
    """After `close`, with work done and work still running, no process that it started is alive."""
    applies(Path("/proc/self/environ").exists(), "processes are found through /proc here")
    # Children inherit the environment: whoever carries this mark was started in this check.
    mark = f"CAMBRIAN_CONFORMANCE_{uuid.uuid4().hex}"
    os.environ[mark] = "1"
    try:
        with _start_engine(case) as engine:
            _drive(case, engine, _assignments(["value"] * 2))
            engine.submit(_assignments(["hang" if case.isolates else "curve"])[0])
            engine.wait(0.2)
        until = time.monotonic() + GRACE
        while find_marked(mark) and time.monotonic() < until:
            time.sleep(0.05)
        expect(not find_marked(mark), f"processes {find_marked(mark)} are alive after close")
    finally:
        del os.environ[mark]


def check_cancelled_trials_end(case: EngineCase) -> None:
    """A cancelled trial's last report follows, and the engine goes on."""
    with _start_engine(case) as engine:
        first, second = _assignments(["sleep" if case.isolates else "curve", "value"])
        engine.submit(first)
        engine.wait(0.2 if case.isolates else None)
        engine.cancel(0)
        began = time.monotonic()
        last = _drive(case, engine, [], running=[0])[-1]
        expect(last.number == 0 and last.lost, f"a cancelled trial ends in {last!r:.150}")
        expect(time.monotonic() - began < case.patience / 2, "cancelling takes too long")
        expect(
            isinstance(_drive(case, engine, [second])[-1].outcome, Done),
            "after a cancelled trial nothing works",
        )


def check_time_is_limited(case: EngineCase) -> None:
    """A trial beyond the time limit ends as Infeasible("timeout"), and the next trial runs."""
    # An engine in this process cannot stop a loop from outside: it looks at the clock between points.
    do = ["hang", "value"] if case.isolates else ["curve", "curve"]
    work = _work(timeout=0.5 if case.isolates else 0.0)
    first = _last(_run(case, _assignments(do), work))[0].outcome
    expect(isinstance(first, Infeasible) and first.reason == "timeout", f"out of time ends in {first!r:.100}")


def check_a_trial_dies_alone(case: EngineCase) -> None:
    """A trial that ends its process costs that trial: it is Crashed or lost, the others are measured."""
    applies(case.isolates, "trials run in the coordinator's own process")
    ways = ["value", "exit", "value", "segfault", "value"]
    for do, last in zip(ways, _last(_run(case, _assignments(ways))), strict=True):
        if do == "value":
            expect(isinstance(last.outcome, Done), f"a bystander ends in {last!r:.150}")
        else:
            expect(last.lost or isinstance(last.outcome, Crashed), f"{do!r} ends in {last!r:.150}")


def check_memory_is_limited(case: EngineCase) -> None:
    """A trial beyond the memory limit ends as Infeasible("oom"), and the next trial runs."""
    applies(case.isolates, "trials run in the coordinator's own process")
    work = _work(memory=1 << 29)
    first, second = _last(_run(case, _assignments(["allocate", "value"]), work))
    outcome = first.outcome
    expect(
        isinstance(outcome, Infeasible) and outcome.reason == "oom", f"out of memory ends in {first!r:.150}"
    )
    expect(isinstance(second.outcome, Done), f"after it, a trial ends in {second!r:.150}")


def _work(timeout: float | None = None, memory: int | None = None, seed: int = 0) -> Work:
    space, estimator = Endings(), Ending()
    spec = {
        "space": Registry("space", {}).spec(space),
        "estimators": {"": Registry("estimator", {}).spec(estimator)},
        "task": None,
    }
    problem = Problem(space, limits=(Limit("params", 10.0),), seed=seed)
    return Work(problem, {"": estimator}, spec=spec, timeout=timeout, memory=memory)


def _assignments(ways: Sequence[str], attempt: int = 1, stage: str = "search") -> list[Assignment]:
    return [
        Assignment(Trial(n, Architecture({"do": do, "number": n % 10}), Fidelity()), attempt, stage)
        for n, do in enumerate(ways)
    ]


@contextmanager
def _start_engine(case: EngineCase, work: Work | None = None) -> Iterator[Engine]:
    engine = case.make()
    engine.start(work or _work())
    try:
        yield engine
    finally:
        engine.close()


def _run(case: EngineCase, assignments: Sequence[Assignment], work: Work | None = None) -> list[Report]:
    with _start_engine(case, work) as engine:
        return _drive(case, engine, assignments)


def _drive(
    case: EngineCase, engine: Engine, assignments: Sequence[Assignment], running: Sequence[int] = ()
) -> list[Report]:
    """All reports until each assignment, and each trial `running` already, has had its last; as many
    at once as there are slots."""
    todo, going, reports = list(assignments), set(running), list[Report]()
    until = time.monotonic() + case.patience
    while todo or going:
        # An engine need not take more than its slots: submitting further ones is the caller's mistake.
        while todo and len(going) < engine.slots:
            engine.submit(todo[0])
            going.add(todo.pop(0).trial.number)
        news = engine.wait(5.0)
        reports += news
        going -= {r.number for r in news if _is_last(r)}
        if time.monotonic() > until:
            raise Violation(f"no end of trials {sorted(going)}")
    # Whatever else is there: a report after the last is a violation that a check looks for.
    return [*reports, *engine.wait(0.0)]


def _last(reports: Sequence[Report]) -> list[Report]:
    """The last report of each trial, by number."""
    ends = {r.number: r for r in reports if _is_last(r)}
    return [ends[n] for n in sorted(ends)]


def _is_last(report: Report) -> bool:
    return report.outcome is not None or report.lost is not None


def _summary(report: Report) -> tuple[object, ...]:
    """The content of an outcome, without seconds and tracebacks, which differ from run to run."""
    outcome = report.outcome
    names = ("value", "metrics", "reason", "detail", "error")
    return (type(outcome).__name__, *(getattr(outcome, n, None) for n in names))


ENGINE = Suite[EngineCase](
    "engine",
    (
        check_slots_are_a_number,
        check_every_assignment_ends_once,
        check_outcomes_are_what_they_are_here,
        check_exceptions_are_outcomes,
        check_points_come_before_the_outcome,
        check_attempts_are_echoed,
        check_evaluations_know_their_context,
        check_waiting_for_nothing_returns,
        check_closing_twice_is_closing,
        check_starting_again_works,
        check_no_process_is_left,
        check_cancelled_trials_end,
        check_time_is_limited,
        check_a_trial_dies_alone,
        check_memory_is_limited,
    ),
)


class EngineSuite(Conformance):
    """Subclass it in a test file and define `case(self) -> EngineCase`."""

    suite = ENGINE
