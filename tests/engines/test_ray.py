"""Engine `ray` on clusters of local processes: whatever dies, the ledger is the one of a search in peace."""

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from functools import cache
from pathlib import Path

import pytest

import mock_search
import mocks
from cambrian.errors import RunError, UsageError
from cambrian.search.engines.ray import Ray
from cambrian.search.loop.watch import Watch
from cambrian.search.search import Search

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
    # Ray leaves sockets and log files of its own to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

DELAY = 0.2
"""Seconds of a trial, of halving twice an epoch's. A part of a trial's key, so that all searches have it."""

SMALL = {"include_dashboard": False, "object_store_memory": 80 << 20}
"""Settings of a node that leaves the machine's memory to others."""


class Deeds(Watch):
    """Notes each end in the log, and does a deed once so many trials have ended."""

    def __init__(self, deeds):
        self.ended, self.deeds = 0, deeds

    def on_end(self, trial):
        if trial.cached is None:
            mock_search.write(f"a {trial.number}")
        self.ended += 1
        if self.ended in self.deeds:
            self.deeds.pop(self.ended)()


def make_search(strategy, engine, trials=30, delay=DELAY):
    """Successive halving whose trainings go on from the files of earlier ones, or random search."""
    search = mock_search.search(strategy, engine=engine, trials=trials, delay=delay)
    if strategy == "halving":
        from continuing import Halving

        search.strategy = Halving(9, (1, 2, 3))
    return search


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Gives the contents of the ledger of the same search, run serially and in peace, without its pauses."""

    @cache
    def search(strategy, **settings):
        place = tmp_path_factory.mktemp("undisturbed") / strategy
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("MOCK_LOG", raising=False)  # of the search that is disturbed
            patch.setattr(time, "sleep", lambda seconds: None)
            make_search(strategy, "serial", **settings).run(place, quiet=True)
        return mock_search.contents(place)

    return search


@pytest.fixture
def log(tmp_path, monkeypatch):
    """The log of executions and ends, known to every process that is started from here on."""
    paths = os.pathsep.join([str(Path(mocks.__file__).parent), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", paths)
    monkeypatch.setenv("MOCK_LOG", str(tmp_path / "log"))
    (tmp_path / "log").touch()
    return tmp_path / "log"


def find_seats(pid=None):
    """The processes below this one, or `pid`, that are seats, and those that run in them."""
    seats = [pid for pid in mocks.descendants(pid or os.getpid()) if b"RaySeat" in read_command(pid)]
    return seats, {below for pid in seats for below in mocks.descendants(pid)}


def read_command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def send(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def check(place, log, expected):
    """The same ledger, every artifact whole, and nothing evaluated again that had ended."""
    assert mock_search.first_difference(mock_search.contents(place), expected) is None
    assert mock_search.damaged_artifacts(place) == []
    assert mock_search.executed_after_the_end(log) == []
    ends = mock_search.acknowledged(log)
    assert sorted(ends) == sorted(mock_search.finished(place))


@pytest.mark.slow
def test_the_ledger_is_that_of_serial(tmp_path, log, undisturbed):
    """At equal lag, artifacts included, which no file system carries; afterwards no process is left, and
    SIGTERM is answered as it was before."""
    others, before = mocks.descendants(os.getpid()), signal.getsignal(signal.SIGTERM)
    make_search("halving", Ray(workers=2)).run(tmp_path / "run", Deeds({}))
    check(tmp_path / "run", log, undisturbed("halving"))
    assert mocks.gone(mocks.descendants(os.getpid()) - others, within=10.0)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.slow
def test_killed_seats_cost_an_attempt(tmp_path, log, undisturbed):
    """kill -9 of all seats in mid-trial, and later of all that runs in them."""
    deeds = {
        3: lambda: send(find_seats()[0], signal.SIGKILL),
        8: lambda: send(find_seats()[1], signal.SIGKILL),
    }
    make_search("halving", Ray(workers=2)).run(tmp_path / "run", Deeds(deeds))
    assert deeds == {}
    check(tmp_path / "run", log, undisturbed("halving"))
    attempts = [attempt for attempt, _ in mock_search.finished(tmp_path / "run").values()]
    assert max(attempts) > 1


@pytest.mark.slow
def test_a_seat_that_was_paused_beyond_its_lease_is_fenced(tmp_path, log, undisturbed):
    """SIGSTOP of a seat and of all that runs in it, in mid-trial; SIGCONT after it was replaced: what it
    still says is not listened to, and it ends."""
    stopped = set()

    def pause():
        seats, _ = find_seats()
        stopped.update({seats[0]} | mocks.descendants(seats[0]))
        send(stopped, signal.SIGSTOP)
        # Sent while Ray waits for the seat to end by itself, which takes it five seconds to give up.
        threading.Timer(5.0, send, (stopped, signal.SIGCONT)).start()

    make_search("random", Ray(workers=2, lease=3.0)).run(tmp_path / "run", Deeds({5: pause}))
    check(tmp_path / "run", log, undisturbed("random"))
    assert mocks.gone(stopped, within=20.0)
    attempts = [attempt for attempt, _ in mock_search.finished(tmp_path / "run").values()]
    assert max(attempts) == 2


@pytest.mark.slow
def test_a_killed_coordinator_is_resumed(tmp_path, log, undisturbed):
    """kill -9 of the driver in mid-search: its seats and their trials end at once, Ray's own agents within
    two minutes; the resumed run goes on with Ray, which it remembers, and ends like the undisturbed."""
    code = (
        "import sys; sys.path.insert(0, {here!r})\n"
        "import test_ray\n"
        "from cambrian.search.engines.ray import Ray\n"
        "test_ray.make_search('halving', Ray(workers=2)).run({run!r}, test_ray.Deeds({{}}))\n"
    ).format(here=str(Path(__file__).parent), run=str(tmp_path / "run"))
    with subprocess.Popen([sys.executable, "-c", code]) as driver:
        end = time.monotonic() + 120
        while len(mock_search.acknowledged(log)) < 4 and time.monotonic() < end:
            time.sleep(0.02)
        family, seats = mocks.descendants(driver.pid), find_seats(driver.pid)
        driver.kill()
    assert len(seats[0]) == 2
    assert mocks.gone({*seats[0], *seats[1]}, within=30.0)
    assert 4 <= len(mock_search.finished(tmp_path / "run")) < 13
    search = Search.resume(tmp_path / "run")
    assert (type(search.engine), search.engine.slots) == (Ray, 2)
    known = set(mock_search.acknowledged(log))

    class Rest(Deeds):
        def on_end(self, trial):
            if trial.number not in known:
                super().on_end(trial)

    search.run(tmp_path / "run", Rest({}))
    check(tmp_path / "run", log, undisturbed("halving"))
    # They outlive their raylet for as long as the head of a cluster may be away.
    assert mocks.gone(family, within=120.0)


@pytest.fixture
def cluster(request, log):
    """A head with room for one trial, or as a test wants it; the tests add nodes."""
    from ray.cluster_utils import Cluster

    settings = SMALL | getattr(request, "param", {"num_cpus": 1})
    nodes = Cluster(initialize_head=True, head_node_args=settings)
    yield nodes
    nodes.shutdown()


def kill_in_mid_trial(cluster, node):
    """Kill the raylet of a node, and with it all that it began, while a trial runs there."""
    raylet = node.all_processes["raylet"][0].process.pid
    end = time.monotonic() + 120
    # A worker and the child that it forks for a trial.
    while len(find_seats(raylet)[1]) < 2 and time.monotonic() < end:
        time.sleep(0.005)
    family = mocks.descendants(raylet)
    cluster.remove_node(node, allow_graceful=False)
    assert mocks.gone(family, within=30.0)


def run_beside(deed, *arguments):
    """Begin a deed in a thread of its own, which the coordinator does not wait for."""
    thread = threading.Thread(target=deed, args=arguments, daemon=True)
    thread.start()
    return thread


@pytest.mark.slow
def test_a_node_may_be_killed_and_another_come(cluster, tmp_path, log, undisturbed):
    """Two raylets; one is killed in mid-trial, the search goes on with the other, and later with a third.
    The cluster outlives the search, which did not begin it."""
    node = cluster.add_node(num_cpus=1, **SMALL)
    deeds = {
        6: lambda: run_beside(kill_in_mid_trial, cluster, node),
        20: lambda: cluster.add_node(num_cpus=1, **SMALL),
    }
    search = make_search("random", Ray(workers=2, address=cluster.address), delay=0.7)
    search.run(tmp_path / "run", Deeds(deeds))
    assert deeds == {}
    check(tmp_path / "run", log, undisturbed("random", delay=0.7))
    assert cluster.head_node.any_processes_alive()
    attempts = [attempt for attempt, _ in mock_search.finished(tmp_path / "run").values()]
    assert max(attempts) == 2


def start_node(cluster, cpus, hidden=None):
    """A process whose raylet joins the cluster; a `hidden` folder is an empty one of its own to it."""
    ray = Path(sys.executable).parent / "ray"
    start = f"exec {ray} start --address={cluster.address} --num-cpus={cpus} --block"
    command = ["sh", "-c", f"{start} --object-store-memory={80 << 20}"]
    if hidden is not None:
        command[2] = f"mount -t tmpfs none {shlex.quote(str(hidden))} && {command[2]}"
        command = ["unshare", "--mount", *command]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_node(node):
    """End a node and all that runs on it, at once and without a word, as when the power fails."""
    family = {node.pid} | mocks.descendants(node.pid)
    send(family, signal.SIGKILL)
    node.wait()
    return family


@pytest.mark.slow
def test_nodes_may_come_and_go_all_the_time(cluster, tmp_path, log, undisturbed):
    """For two minutes a node comes every few seconds, and the oldest of three is killed; the head stays."""
    came, gone, over = [], set(), threading.Event()

    def come_and_go():
        nodes, end = [], time.monotonic() + 120
        while time.monotonic() < end and not over.wait(4.0):
            nodes.append(start_node(cluster, 1))
            came.append(nodes[-1].pid)
            if len(nodes) > 2:
                gone.update(kill_node(nodes.pop(0)))
        for node in nodes:
            gone.update(kill_node(node))

    thread = threading.Thread(target=come_and_go)
    thread.start()
    settings = {"trials": 130, "delay": 1.5}
    search = make_search("random", Ray(workers=2, address=cluster.address), **settings)
    search.run(tmp_path / "run", Deeds({}))
    over.set()
    thread.join()
    check(tmp_path / "run", log, undisturbed("random", **settings))
    assert len(came) >= 10
    assert mocks.gone(gone, within=120.0)


@pytest.mark.slow
@pytest.mark.parametrize("cluster", [{"num_cpus": 2, "num_gpus": 1, "memory": 1 << 30}], indirect=True)
def test_a_trial_is_given_parts_of_a_gpu(cluster, log):
    """Two trials at a time on one GPU, with half a CPU and a quarter of the memory each, as Ray counts them;
    a third has no room."""
    engine = Ray(workers=3, address=cluster.address, gpus=0.5, cpus=0.5, memory=1 << 28)
    engine.require()  # joins, and leaves again
    with mocks.started(engine, mocks.work("visible_gpu")):
        for number in range(3):
            engine.submit(mocks.assignment(number))
        reports = [report for _ in range(60) for report in (engine.wait(2.0) if engine._is_busy() else [])]
        assert [report.outcome.value for report in reports if report.last] == [0.0] * 3
        assert [member.ready for member in engine._members].count(True) == 2
        import ray

        free = ray.available_resources()
        assert (free.get("GPU", 0.0), free["CPU"], free["memory"]) == (0.0, 1.0, float(1 << 29))


@pytest.mark.slow
# The node may come after the search, which says then that it waits.
@pytest.mark.filterwarnings("ignore:no machine of the Ray cluster")
@pytest.mark.parametrize("cluster", [{"num_cpus": 0}], indirect=True)
def test_no_file_system_is_shared(cluster, tmp_path, log, undisturbed):
    """The only node with room sees an empty folder where the run's lies: artifacts reach it, and come back,
    all the same."""
    place = tmp_path / "runs"
    place.mkdir()
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        pytest.skip("folders cannot be hidden here: it takes the superuser")
    node = start_node(cluster, 2, hidden=place)
    make_search("halving", Ray(workers=2, address=cluster.address)).run(place / "run", Deeds({}))
    check(place / "run", log, undisturbed("halving"))
    assert mocks.gone(kill_node(node), within=120.0)


@pytest.mark.slow
def test_a_trial_without_room_is_a_sentence():
    """On this machine alone nothing would ever run: it is refused, and no process is left."""
    others = mocks.descendants(os.getpid())
    with pytest.raises(RunError, match="no room for a trial, which asks for 1 CPU, 99 GPU"):
        Ray(gpus=99).start(mocks.work("obey"))
    assert mocks.gone(mocks.descendants(os.getpid()) - others, within=20.0)


def test_nobody_at_the_address_is_a_sentence():
    """So is an address of Ray's client; both before a plan as when the search begins."""
    for act in (lambda engine: engine.require(), lambda engine: engine.start(mocks.work(mocks.Mock()))):
        with pytest.raises(RunError, match="ray start --head"):
            act(Ray(address="127.0.0.1:1"))
        with pytest.raises(UsageError, match="on a machine of the cluster"):
            act(Ray(address="ray://127.0.0.1:10001"))
