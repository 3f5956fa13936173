"""Engine `ray` on a cluster without Ray (`near_cluster`): queue, leases, deaths and resources, by hand.
`test_ray.py` has real clusters."""

import socket
import sys
import time
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest
from near_cluster import NearCluster

import mock_search
import mocks
from cambrian.codec import encode
from cambrian.errors import RunError, UsageError
from cambrian.search.engines import ray as ray_engine
from cambrian.search.engines import ray_cluster
from cambrian.search.engines import seat as seats
from cambrian.search.engines.ray import Ray
from cambrian.search.engines.ray_cluster import check_reach, has_room, warn_of_no_room
from cambrian.search.search import Search
from continuing import Halving, Sleeps

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and signals are tested on Linux")


@pytest.fixture
def cluster_of(tmp_path, monkeypatch):
    """Makes clusters that the engine joins, whatever its address; their seats end with the test."""
    monkeypatch.setattr(seats.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(ray_engine, "import_ray", lambda: None)
    monkeypatch.setattr(ray_engine, "check_reach", lambda ray, address: None)
    clusters = []

    def make(**settings):
        clusters.append(NearCluster(**settings))
        monkeypatch.setattr(ray_engine, "Cluster", clusters[-1])
        return clusters[-1]

    yield make
    for actor in [actor for cluster in clusters for actor in cluster.actors]:
        actor.bury()


@contextmanager
def start(engine, work=None):
    with mocks.started(engine, mocks.work("obey") if work is None else work):
        yield engine


def hear_last(engine):
    """The last report that comes next."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for report in engine.wait(5.0):
            if report.last:
                return report
    raise AssertionError("no end")


def test_the_ledger_is_that_of_serial(cluster_of, tmp_path):
    """At equal lag, with trainings that go on from the files of others: those travel as bytes, each content
    once, since a seat's folder is its own."""
    ledgers = {}
    for name, engine in (("serial", "serial"), ("ray", Ray(workers=2))):
        cluster = cluster_of()
        search = Search(
            mocks.Toy(4), Halving(3, (1, 3)), Sleeps(0.001), budget=20, engine=engine, lag=4, seed=0
        )
        search.run(tmp_path / name, quiet=True)
        ledgers[name] = mock_search.contents(tmp_path / name)
    assert ledgers["ray"] == ledgers["serial"]
    assert mock_search.damaged_artifacts(tmp_path / "ray") == []
    assert len(cluster.sent) == len(set(cluster.sent)) == 1


def test_a_killed_seat_loses_its_trial_and_is_replaced(cluster_of):
    """The trial is reported lost, and the next one runs in the new seat."""
    cluster = cluster_of()
    with start(Ray(workers=1)) as engine:
        engine.submit(mocks.order(0, "deaf"))
        engine.wait(1.5)
        cluster.actors[0].kill()
        assert "seat in the Ray cluster ended" in hear_last(engine).lost
        engine.submit(mocks.order(1, "good"))
        assert hear_last(engine).outcome.value == 0.5
    assert len(cluster.actors) == 2


def test_a_silent_seat_is_fenced_at_its_lease(cluster_of):
    """Its trial is lost once, and its late answer, which it then has, is nobody's."""
    cluster = cluster_of()
    with start(Ray(workers=1, lease=0.3)) as engine:
        while not engine._members[0].ready:
            engine._listen(cluster, 1.0)
        cluster.actors[0].pause()
        engine.submit(mocks.order(0, "good"))
        assert "did not answer for 0.3 s" in hear_last(engine).lost
        cluster.actors[0].go_on()
        engine.lease = 60.0
        engine.submit(mocks.order(1, "good"))
        assert hear_last(engine).number == 1
        assert engine.wait(0.0) == []
    assert cluster.actors[0].dead


def make_ready(engine, cluster):
    while not all(member.ready for member in engine._members):
        engine._listen(cluster, 1.0)


def test_idle_seats_that_died_with_their_machine_cost_one_attempt(cluster_of):
    """Of a seat without a trial nothing is heard when it dies: a trial that was handed to one dead seat after
    the other was lost as often as a trial may be, and counted as crashed."""
    cluster = cluster_of()
    with start(Ray(workers=3)) as engine:
        engine.submit(mocks.order(0, "good"))
        hear_last(engine)
        make_ready(engine, cluster)
        for actor in list(cluster.actors):
            actor.kill()
        engine.submit(mocks.order(1, "good"))
        assert hear_last(engine).lost is not None
        engine.submit(mocks.order(1, "good"))
        assert hear_last(engine).outcome.value == 0.5
        make_ready(engine, cluster)
        assert not any(member.actor.dead for member in engine._members)


def test_a_lease_below_a_second_is_kept_by_a_seat_that_is_well(cluster_of):
    """It answers several times within its lease: a trial that took longer was lost."""
    cluster_of()
    with start(Ray(workers=1, lease=0.6), mocks.work(mocks.Mock(0.8))) as engine:
        engine.submit(mocks.assignment(0))
        assert hear_last(engine).lost is None


def test_trials_wait_for_room(cluster_of):
    """A trial that waits for a seat can be cancelled and never begins; slots are the seats asked for."""
    cluster = cluster_of()
    with start(Ray(workers=2)) as engine:
        for number in range(2):
            engine.submit(mocks.order(number, "good"))
        with pytest.raises(RuntimeError, match="beyond 2 slots"):
            engine.submit(mocks.order(2, "good"))
        engine.cancel(1)
        reports = {report.number: report for report in (hear_last(engine), hear_last(engine))}
        assert (reports[0].outcome.value, reports[1].lost) == (0.5, "cancelled")
    assert len(cluster.actors) == 2


@pytest.mark.parametrize(
    ("engine", "device", "expected"),
    [
        (Ray(), "cpu", {"num_cpus": 1, "num_gpus": 0.0}),
        (Ray(threads=3), "cuda", {"num_cpus": 3, "num_gpus": 1.0}),
        (Ray(gpus=0.25, cpus=0.5), "cuda", {"num_cpus": 0.5, "num_gpus": 0.25}),
        (Ray(gpus=0, memory=10**9), "cuda", {"num_cpus": 1, "num_gpus": 0, "memory": 10**9}),
    ],
)
def test_a_trial_asks_for_its_resources(engine, device, expected):
    """In Ray's names: parts of a GPU, CPUs and memory; left open, a GPU where the search is on one."""
    assert engine._choose_options(mocks.work("obey", device=device)) == expected


@pytest.mark.parametrize(
    ("machines", "expected"),
    [
        ([{"CPU": 4.0, "GPU": 1.0}], True),
        ([{"CPU": 0.5, "GPU": 1.0}, {"CPU": 4.0}], False),
        ([{"CPU": 4.0, "GPU": 1.0, "dead": True}], False),
        ([], False),
    ],
)
def test_room_is_that_of_one_living_machine(machines, expected):
    """What two machines have together is no room for one trial; where there is none, it is said that trials
    wait."""
    nodes = [{"Alive": "dead" not in machine, "Resources": machine} for machine in machines]
    ray = SimpleNamespace(nodes=lambda: nodes)
    options = {"num_cpus": 1, "num_gpus": 0.5}
    assert has_room(ray, options) is expected
    said = nullcontext() if expected else pytest.warns(UserWarning, match=r"1 CPU, 0\.5 GPU: trials wait")
    with said:
        warn_of_no_room(ray, options)


class PretendedRay:
    """The functions of Ray by which a cluster is joined; `refusal` is how it fails."""

    exceptions = SimpleNamespace(RayError=KeyError)

    def __init__(self, joined=False, refusal=None):
        self.joined, self.refusal, self.calls = joined, refusal, []

    def is_initialized(self):
        return self.joined

    def init(self, address, **settings):
        self.calls.append(address)
        if self.refusal is not None:
            raise self.refusal

    def shutdown(self):
        self.calls.append("left")


def test_a_cluster_is_looked_for_before_a_plan(monkeypatch):
    """One that answers is joined and left again; nobody at the address, or no cluster, is a sentence; where
    this process belongs to a cluster, or is to begin one, nothing is tried."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    for ray, address, calls in (
        (PretendedRay(), None, []),
        (PretendedRay(), "auto", ["auto", "left"]),
        (PretendedRay(joined=True), "127.0.0.1:1", []),
    ):
        check_reach(ray, address)
        assert ray.calls == calls
    dead = PretendedRay()
    with pytest.raises(RunError, match=r"no Ray cluster can be joined at '127\.0\.0\.1:1'"):
        check_reach(dead, "127.0.0.1:1")
    assert dead.calls == []
    with pytest.raises(RunError, match="at 'auto': none is running; begin one with: ray start --head"):
        check_reach(PretendedRay(refusal=ConnectionError("none is running")), "auto")
    with pytest.raises(UsageError, match="on a machine of the cluster"):
        check_reach(dead, "ray://127.0.0.1:10001")


@pytest.mark.parametrize(
    ("mode", "advice"),
    [
        (None, "may ask for its token: copy .*, and export RAY_AUTH_MODE=token"),
        ("token", "may have another token"),
        ("disabled", "begin one with"),
    ],
)
def test_a_cluster_that_asks_for_a_token_is_not_said_to_be_absent(monkeypatch, mode, advice):
    """Ray says only that it failed to connect, and sends no token to an address that it is given: one was
    told to begin the cluster that was there."""
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    if mode is not None:
        monkeypatch.setenv("RAY_AUTH_MODE", mode)
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        ray = PretendedRay(refusal=ConnectionError("Failed to connect to Ray cluster"))
        with pytest.raises(RunError, match=f"Failed to connect to Ray cluster; .*{advice}"):
            check_reach(ray, f"127.0.0.1:{somebody.getsockname()[1]}")


def test_what_fails_after_joining_leaves_the_cluster(monkeypatch):
    """Here a warning that is an error. The next search of this process took the cluster for one that was
    there before it, whatever its address and room."""
    ray = PretendedRay()
    ray.nodes = lambda: [{"Alive": True, "Resources": {}}]
    monkeypatch.setattr(ray_cluster, "import_ray", lambda: ray)
    with pytest.raises(UserWarning, match="no machine of the Ray cluster"):
        ray_cluster.Cluster.join("auto", 1, {"num_cpus": 1})
    assert ray.calls == ["auto", "left"]


def test_files_that_ray_cannot_take_up_are_a_sentence():
    """Where neither memory nor disk has room; it was a traceback of Ray's."""

    def put(content):
        raise KeyError("the store\nis full")

    ray = PretendedRay()
    ray.put, ray.remote = put, lambda **options: lambda seat: seat
    cluster = ray_cluster.Cluster(ray, {}, joined=True)
    with pytest.raises(RunError, match=r"Ray cannot take up 3 bytes to be sent: .*is full"):
        cluster.put(b"abc")


@pytest.mark.parametrize("setting", [{"gpus": 1.5}, {"gpus": 1e-5}, {"gpus": -1}, {"cpus": 1e-5}])
def test_parts_that_ray_does_not_count_are_refused(setting):
    """More than one GPU and no whole number of them, or less than Ray's smallest part: its own error came as
    a traceback when the run had begun."""
    with pytest.raises(UsageError, match=r"engine 'ray': [cg]pus"):
        Ray(**setting)


def test_a_plan_and_its_search_look_for_the_cluster_once(monkeypatch):
    asked = []
    monkeypatch.setattr(ray_engine, "import_ray", lambda: None)
    monkeypatch.setattr(ray_engine, "check_reach", lambda ray, address: asked.append(address))
    engine = Ray(workers=2, address="auto")
    engine.require()
    engine.require()
    assert asked == ["auto"]


def test_only_a_cluster_of_this_machine_has_all_seats_here(monkeypatch):
    """Those of another may all be elsewhere; one is measured here."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert (Ray(workers=8).slots_here, Ray(workers=8, address="auto").slots_here) == (8, 1)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert Ray(workers=8).slots_here == 1


def test_another_version_of_cambrian_is_a_sentence(cluster_of):
    """A machine that has another one than this would give other figures."""
    cluster_of(version=encode("0.0.1"))
    with start(Ray(workers=1)) as engine:
        engine.submit(mocks.order(0, "good"))
        with pytest.raises(RunError, match=r"cambrian 0\.0\.1 and this one"):
            engine.wait()


def test_seats_that_all_die_end_the_search(cluster_of):
    """Five in a row, and the sentence has the last one's cause."""
    cluster = cluster_of(deaths=["no such module"] * 9)
    with start(Ray(workers=1)) as engine:
        engine.submit(mocks.order(0, "good"))
        with pytest.raises(RunError, match=r"5 seats in a row died .*no such module"):
            engine.wait()
    assert len(cluster.actors) == 5


def test_machines_that_go_end_nothing(cluster_of):
    """However many seats go with them before they are ready: the trial waits for one that stays."""
    cluster = cluster_of(deaths=["the machine left"] * 9)
    with start(Ray(workers=1)) as engine:
        engine.submit(mocks.order(0, "good"))
        assert hear_last(engine).outcome.value == 0.5
    assert len(cluster.actors) == 10
