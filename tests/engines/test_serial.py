"""Engine `serial`: what happens inside this process, and what `evaluate` makes of it."""

import pytest
import torch

import mocks
from cambrian.codec import decode, encode
from cambrian.errors import Unbuildable
from cambrian.estimators.function import Function
from cambrian.outcome import Crashed, Done, Infeasible, Point
from cambrian.search.engines import evaluation
from cambrian.search.engines.engine import Report
from cambrian.search.engines.evaluation import _seed_torch, evaluate
from cambrian.search.engines.serial import Serial


def run(function, **limits):
    engine = Serial()
    engine.start(mocks.work(function, **limits))
    engine.submit(mocks.assignment(0))
    reports = engine.wait()
    while reports[-1].point is not None:
        reports += engine.wait()
    engine.submit(mocks.assignment(1))  # the slot is free again
    engine.close()
    return reports


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("good", Done),
        ("nan", Infeasible),
        ("infinite", Infeasible),
        ("nan_curve", Infeasible),
        ("none", Crashed),
        ("text", Crashed),
        ("exception", Crashed),
        ("leave", Crashed),
    ],
)
def test_whatever_a_function_does_is_one_outcome(kind, expected):
    """The subset of mischief that stays inside the process ends as with worker processes."""
    assert type(run(kind)[-1].outcome) is expected


def test_time_limit_between_points():
    """An endless curve ends at the limit, and keeps its points."""
    reports = run("endless_curve", timeout=0.1)
    assert reports[-1].outcome.reason == "timeout"
    assert reports[-1].outcome.curve == tuple(report.point for report in reports[:-1])


def test_cancel():
    """A cancelled evaluation ends as lost; another's number changes nothing."""
    engine = Serial()
    engine.start(mocks.work("endless_curve"))
    engine.submit(mocks.assignment(0))
    engine.cancel(7)
    assert engine.wait()[0].point is not None
    engine.cancel(0)
    assert engine.wait()[0].lost == "cancelled"
    assert engine.wait() == []


def test_an_interrupted_step_frees_the_slot():
    """Ctrl-C inside an evaluation leaves an engine that can be used again, or closed."""

    def interrupted(architecture, fidelity):
        raise KeyboardInterrupt

    engine = Serial()
    engine.start(mocks.work(Function(interrupted, builds=False)))
    engine.submit(mocks.assignment(0))
    with pytest.raises(KeyboardInterrupt):
        engine.wait()
    assert engine.wait() == []
    engine.submit(mocks.assignment(0))
    with pytest.raises(RuntimeError, match="another evaluation runs"):
        engine.submit(mocks.assignment(1))
    engine.close()


def test_a_limit_on_memory_is_not_dropped_silently():
    """It cannot be kept here, which is said."""
    with pytest.warns(UserWarning, match="engine 'serial' cannot limit the memory"):
        Serial().start(mocks.work("good", memory=1 << 30))


@pytest.mark.parametrize("threads", [1, 3])
def test_torch_has_its_threads_during_steps_only(threads):
    """An evaluation computes on the engine's threads; between its points everything else has its own."""
    import torch

    def count(architecture, fidelity):
        yield torch.get_num_threads()
        yield torch.get_num_threads()
        raise ValueError(torch.get_num_threads())

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        engine = Serial(threads=threads)
        engine.start(mocks.work(Function(count, builds=False)))
        engine.submit(mocks.assignment(0))
        for _ in range(2):
            (report,) = engine.wait()
            assert report.point.metrics["value"] == threads
            assert torch.get_num_threads() == 2
        (report,) = engine.wait()
        assert report.outcome.error == f"ValueError: {threads}"
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


class Says:
    """An estimator that yields and returns what it is told."""

    delivers = False
    needs = ()

    def __init__(self, points, end):
        self.points, self.end = points, end

    def run(self, job):
        yield from self.points
        if isinstance(self.end, Exception):
            raise self.end
        return self.end

    def spec(self):
        return None


NAN = float("nan")


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (
            Done(1.0, {"a": NAN, "b": 2.0}, (Point(1, {"c": NAN, "d": 1.0}),)),
            Done(1.0, {"b": 2.0}, (Point(1, {"d": 1.0}),)),
        ),
        (0.5, Crashed("the estimator returned 0.5 where an outcome was expected")),
        (Crashed("no file \udce9", "in \udce9"), Crashed("no file \\udce9", "in \\udce9")),
        (Unbuildable("q0 does not fit"), Infeasible("unbuildable", "q0 does not fit")),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "oom"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"), "oom"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "oom"),
        (RuntimeError("std::bad_alloc"), "oom"),
    ],
)
def test_evaluate_ends_in_a_clean_outcome(end, expected):
    """Only finite numbers leave an estimator, and every end of it has its kind."""
    points = [Point(1, {"loss": NAN, "value": 0.25})]
    first, final = evaluate(mocks.work(Says(points, end)), mocks.assignment(0))
    assert first.point == Point(1, {"value": 0.25})
    assert final.outcome.seconds > 0
    if expected == "oom":
        assert final.outcome.reason == "oom"
    else:
        seconds = final.outcome.seconds
        assert final.outcome == type(expected)(**{**_fields(expected), "seconds": seconds})


def _fields(outcome):
    return {name: getattr(outcome, name) for name in outcome.__struct_fields__}


def test_torch_is_seeded_where_it_has_no_accelerator_to_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch 2.6 raises there, and each evaluation ended with that."""

    def refuse() -> None:
        raise RuntimeError("Cannot access accelerator device when none is available.")

    monkeypatch.setattr(torch.accelerator, "current_accelerator", refuse)
    _seed_torch(torch, 7)
    drawn = torch.rand(3)
    monkeypatch.undo()
    _seed_torch(torch, 7)
    assert torch.equal(torch.rand(3), drawn)


@pytest.mark.parametrize(
    "end",
    [
        Crashed(ValueError("no text")),
        Crashed("", None),
        Crashed("", seconds=NAN),
        Done(1.0, data={"x": "x" * 999}),
    ],
)
def test_what_could_not_be_read_back_is_a_failed_evaluation(end, monkeypatch):
    """An outcome of an estimator's own with fields of other types, or longer than a message may be: what the
    ledger took and could not give back would damage the run."""
    monkeypatch.setattr(evaluation, "LARGEST", 500)
    *_, final = evaluate(mocks.work(Says([], end)), mocks.assignment(0))
    assert decode(encode(final), Report) == final
    assert isinstance(final.outcome, Crashed)
    assert "JSON" in final.outcome.error or "Expected" in final.outcome.error
