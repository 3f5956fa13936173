"""The engine of a search: what a text says stands, what would do nothing is refused, and a plan, a search and
a resumed run choose alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

import cambrian.cli.commands  # noqa: F401  (registers the commands)
import mocks
from cambrian.cli.app import app
from cambrian.errors import RunError, Unread, UsageError
from cambrian.estimators.function import Function
from cambrian.search.engines import ENGINES
from cambrian.search.engines import ray as ray_engine
from cambrian.search.engines.processes import Processes
from cambrian.search.engines.ray import Ray
from cambrian.search.engines.serial import Serial
from cambrian.search.ledger.run_directory import at_work
from cambrian.search.parts import devices, engine_choice
from cambrian.search.parts.devices import usual_workers
from cambrian.search.parts.engine_choice import make_engine
from cambrian.search.planning.plan import plan
from cambrian.search.planning.race import plan as race_plan
from cambrian.search.planning.race.speed import Speed
from cambrian.search.planning.wording import describe_machine
from cambrian.search.search import Search
from cambrian.tasks import load
from remembered import pretend_ray


@pytest.fixture(autouse=True)
def _four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray need not be installed, and the machine has as many cores everywhere."""
    pretend_ray(monkeypatch)
    for name in ("search.parts.engine_choice", "search.planning.plan"):
        monkeypatch.setattr(f"cambrian.{name}.usual_workers", lambda device: 4)
    monkeypatch.setattr(devices, "count_cores", lambda: 8)  # enough for all workers here


def named(**settings: Any) -> Search:
    """A search whose parts have names."""
    return Search(mocks.Toy(), "random", mocks.Mock(), budget=3, **settings)


def nameless(**settings: Any) -> Search:
    unnamed = Function(lambda architecture, fidelity: 0.5, builds=False)
    return Search(mocks.Toy(), "random", unnamed, budget=3, **settings)


@pytest.mark.parametrize(
    ("settings", "kind", "slots"),
    [
        ({}, Serial, 1),
        ({"workers": 1}, Serial, 1),
        ({"workers": 3}, Processes, 3),
        ({"memory": 1 << 30}, Processes, 1),
        ({"engine": "serial"}, Serial, 1),
        ({"engine": "serial", "workers": 1}, Serial, 1),
        ({"engine": "processes"}, Processes, 4),
        ({"engine": "ray"}, Ray, 4),
        ({"engine": "ray", "workers": 3}, Ray, 3),
        ({"engine": "ray(workers=8)"}, Ray, 8),
        ({"engine": "ray(workers=8)", "workers": 8}, Ray, 8),
        ({"engine": "processes(threads=2)", "workers": 3}, Processes, 3),
        ({"engine": Processes(3)}, Processes, 3),
        ({"engine": "extensions.stack_engine:Stack"}, None, 3),
    ],
)
def test_who_names_an_engine_gets_it(settings: dict[str, Any], kind: Any, slots: int) -> None:
    """With the workers of its text, else those that are asked for, else one for each core."""
    search = named(**settings)
    assert kind is None or type(search.engine) is kind
    assert (search.engine.slots, search.notice) == (slots, None)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"engine": "serial", "workers": 4},
            "workers is 4, and the engine serial runs 1 trial at a time: leave it out",
        ),
        (
            {"engine": "ray(workers=8)", "workers": 4},
            r"workers is 4, and the engine ray\(workers=8\) runs 8 trials at a time: leave it out",
        ),
        ({"engine": Processes(3), "workers": 4}, "workers is 4, and the engine processes runs 3 trials"),
        ({"engine": "extensions.stack_engine:Stack", "workers": 4}, "runs 3 trials at a time"),
        (
            {"engine": "serial", "memory": 1 << 30},
            "memory is for trials in processes of their own, and the engine serial gives them none: leave it",
        ),
        ({"engine": Serial(), "memory": 1 << 30}, "memory is for trials in processes of their own"),
    ],
)
def test_what_an_engine_would_not_read_is_refused(settings: dict[str, Any], says: str) -> None:
    """By a search as by a plan."""
    with pytest.raises(Unread, match=says):
        named(**settings)
    with pytest.raises(Unread, match=says):
        plan("digits", "1m", **settings)


class Undecorated(Serial):
    """As a user may write one."""


class Plain:
    """Nothing like an engine."""


@pytest.mark.parametrize(
    ("engine", "says"),
    [
        (
            "test_engine_choice:Plain",
            "'test_engine_choice:Plain' is no engine but 'Plain': an engine is a data",
        ),
        ("test_engine_choice:named", "is no engine but 'named'"),
        ("test_engine_choice:NotSuch", "cannot load engine"),
        ("serail", "unknown engine 'serail'.*'serial'"),
        (42, "an engine is a name, such as .*, got 42"),
        (Plain(), "an engine is a name, such as .*, or an Engine, got"),
        ("processes(workers=0)", "engine 'processes': workers is at least 1, got 0"),
        ("serial(threads=0)", "engine 'serial': threads is at least 1, got 0"),
    ],
)
def test_what_is_no_engine_is_one_sentence(engine: Any, says: str) -> None:
    """Whatever the user named."""
    with pytest.raises(UsageError, match=says):
        named(engine=engine)


@dataclass(eq=False)
class Ready(Serial):
    """An engine that a module holds ready-made, with a number of workers of its own."""

    workers: int = 7
    slots: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.slots = self.workers


READY = Ready()


@pytest.mark.parametrize(("workers", "slots"), [(None, 7), (3, 3)])
def test_an_engine_made_ready_keeps_its_workers(workers: int | None, slots: int) -> None:
    """Unless others are asked for."""
    assert named(engine="test_engine_choice:READY", workers=workers).engine.slots == slots


@pytest.mark.parametrize("settings", [{"engine": "processes"}, {"engine": Processes(2)}, {"workers": 2}])
def test_what_has_no_name_runs_serially_everywhere(settings: dict[str, Any]) -> None:
    """A plan does what a search does, says it, and reckons with a single trial at a time."""
    notice = "so the search runs serially: define it in a module to use several workers"
    search = nameless(**settings)
    assert (type(search.engine), search.notice) == (Serial, f"{REASON.format('estimator')}, {notice}")
    with pytest.warns(UserWarning, match="the estimator has no name"):
        search.run(quiet=True)
    search.run(quiet=True)  # said once
    local = dataclass_space()
    with pytest.warns(UserWarning, match="the space has no name"):
        planned = plan("digits", 3, space=local, strategy="random", estimator="params", **settings)
    assert type(planned.search.engine) is Serial
    assert planned.search.notice == f"{REASON.format('space')}, {notice}"
    assert ("machine", "cpu, 1 at a time") in planned.rows


def test_an_engine_of_this_process_takes_what_has_no_name() -> None:
    """As one of the user's own, which says nothing else of itself."""
    engine = ENGINES.make("extensions.stack_engine:Stack")
    assert nameless(engine=engine).engine is engine


REASON = "the {} has no name another process could load it by"


def dataclass_space() -> Any:
    """A space that only this process knows."""

    @dataclass(frozen=True)
    class Local(mocks.Toy):
        def build(self, architecture: Any, task: Any, **skeleton: Any) -> Any:
            from torch import nn

            return nn.Sequential(
                nn.Flatten(), nn.Linear(task.channels * task.height * task.width, task.classes)
            )

    return Local()


def test_what_has_no_name_cannot_be_bounded_in_memory() -> None:
    """Since it runs in this process."""
    with pytest.raises(Unread, match="memory is for trials in processes of their own, and the estimator has"):
        nameless(memory=1 << 30)


def test_a_plan_without_an_engine_uses_all_cores() -> None:
    """As many as one with a name."""
    for engine in (None, "processes", "ray"):
        planned = plan("digits", 3, space="tiny-chain", strategy="random", estimator="params", engine=engine)
        assert planned.search.engine.slots == 4


@pytest.mark.parametrize(
    ("begun", "resumed", "kind", "slots", "threads"),
    [
        ({"engine": "processes(threads=2)", "workers": 3}, None, Processes, 3, 2),
        pytest.param({"workers": 3}, None, Processes, 3, 1, marks=pytest.mark.slow),
        pytest.param({"workers": 3}, "ray", Ray, 3, 1, marks=pytest.mark.slow),
        pytest.param({"workers": 3}, "ray(workers=8)", Ray, 8, 1, marks=pytest.mark.slow),
        ({"workers": 3}, "serial", Serial, 1, 1),
        ({"memory": 1 << 40, "workers": 1}, None, Processes, 1, 1),
        ({"engine": "extensions.stack_engine:Stack"}, None, None, 3, 1),
    ],
)
def test_a_resumed_run_has_its_engine_or_the_named_one(
    begun: dict[str, Any], resumed: str | None, kind: Any, slots: int, threads: int, tmp_path: Path
) -> None:
    """With the workers of its text, else as many as the run had."""
    named(**begun).run(tmp_path, quiet=True)
    again = Search.resume(tmp_path, engine=resumed)
    assert kind is None or type(again.engine) is kind
    assert (again.engine.slots, getattr(again.engine, "threads", 1)) == (slots, threads)


def test_a_resumed_run_on_another_cluster_keeps_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`resume --ray-address` changes the address and nothing else; `--engine` begins from nothing."""
    named().run(tmp_path, quiet=True)
    spec = ENGINES.spec(Ray(workers=3, gpus=0.5, address="old:1"))
    seen: list[Any] = []
    with at_work(tmp_path) as ledger:
        ledger.remember(engine={**ledger.facts()["engine"], "on": spec})
    monkeypatch.setattr("cambrian.cli.train.run_search", lambda search, *rest, **more: seen.append(search))
    for options in (("--ray-address", "new:2"), ("--engine", "ray", "--ray-address", "new:2")):
        CliRunner().invoke(app, ["resume", str(tmp_path), *options], catch_exceptions=False)
    first, second = (search.engine for search in seen)
    assert (first.workers, first.gpus, first.address) == (3, 0.5, "new:2")
    assert (second.workers, second.gpus, second.address) == (1, None, "new:2")


def test_a_resumed_bound_that_the_engine_could_not_keep_is_refused(tmp_path: Path) -> None:
    """The run bounds the memory of its trials."""
    named(memory=1 << 40, workers=1).run(tmp_path, quiet=True)
    refused = CliRunner().invoke(app, ["resume", str(tmp_path), "--engine", "serial"])
    assert isinstance(refused.exception, Unread)
    assert "memory is for trials in processes of their own" in str(refused.exception)


@pytest.mark.parametrize(
    ("engine", "threads"),
    [
        ("processes(workers=4)", 4),
        ("processes(workers=2,threads=3)", 6),
        ("ray(workers=4)", 1),
        ("serial", 1),
    ],
)
def test_a_race_reckons_with_the_threads_of_its_last_training(
    engine: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of this machine's workers give it theirs; on a cluster it has those of one seat. The session gives
    it as many as the plan says."""
    asked: list[int] = []
    measured = Speed(1e-5, 1e-5, 2e-5)
    monkeypatch.setattr(race_plan, "measure_favourite", lambda *arguments: measured)
    monkeypatch.setattr(race_plan, "_speed_up", lambda count, device: asked.append(count) or 1.0)
    planned = plan(load("digits"), "1m", engine=engine)
    assert asked == [threads]
    assert planned.search.engine.threads_of_one == threads


def test_a_dead_address_is_refused_before_anything_is_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens there: neither a row of the plan is printed nor a speed measured."""

    def refuse(ray: Any, address: str) -> None:
        raise RunError(f"no Ray cluster can be joined at {address!r}")

    monkeypatch.setattr(ray_engine, "check_reach", refuse)
    monkeypatch.setattr(race_plan, "measure_favourite", lambda *arguments: pytest.fail("measured"))
    refused = CliRunner().invoke(app, ["search", "digits", "--engine", "ray", "--ray-address", "127.0.0.1:1"])
    assert isinstance(refused.exception, RunError)
    assert "machine" not in refused.output


def test_the_usual_number_is_one_for_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes on one GPU only share its time."""
    monkeypatch.setattr("cambrian.search.parts.devices.count_cores", lambda: 6)
    assert (usual_workers("cpu"), usual_workers("cuda")) == (6, 1)
    assert engine_choice.make_engine("processes", None, 1).slots == 1


def test_the_usual_number_is_that_of_the_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a machine with four; of one that is named, one. The plan's row says what is used."""
    monkeypatch.setattr("cambrian.search.parts.devices.count_gpus", lambda: 4)
    assert [usual_workers(device) for device in ("cuda", "cuda:1")] == [4, 1]
    monkeypatch.setattr("cambrian.search.planning.wording.count_gpus", lambda: 4)
    said = {}
    for workers, device in ((4, "cuda"), (2, "cuda"), (6, "cuda"), (4, "cuda:1"), (4, "cpu")):
        search = SimpleNamespace(device=device, engine=Processes(workers))
        said[workers, device] = describe_machine(search, workers)  # type: ignore[arg-type]
    assert list(said.values()) == [
        "cuda, 4 at a time, on 4 of 4 GPUs",
        "cuda, 2 at a time, on 2 of 4 GPUs",
        "cuda, 6 at a time, on 4 of 4 GPUs",
        "cuda:1, 4 at a time",
        "cpu, 4 at a time",
    ]
    monkeypatch.setattr("cambrian.search.planning.wording.count_gpus", lambda: 1)
    search = SimpleNamespace(device="cuda", engine=Processes(1))
    assert describe_machine(search, 1) == "cuda, 1 at a time"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("engine", "device", "abreast", "alone"),
    [
        ("processes(workers=2)", "cpu", 2, 2),
        ("processes(workers=16)", "cpu", 4, 4),
        ("processes(workers=16, threads=2)", "cpu", 2, 4),
        ("processes(workers=16)", "cuda", 16, 4),
        ("serial", "cpu", 1, 1),
        ("serial(threads=9)", "cpu", 1, 4),
    ],
)
def test_more_workers_than_cores_share_them(
    engine: str, device: str, abreast: int, alone: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan reckons with the four cores that there are, and no training computes on more threads."""
    monkeypatch.setattr(devices, "count_cores", lambda: 4)
    made = make_engine(engine)
    assert devices.count_abreast(made, device) == abreast
    assert devices.count_threads_of_one(made) == alone
