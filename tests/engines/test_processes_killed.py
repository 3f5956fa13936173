"""Kills at random: of children, of workers, of the coordinator. Nothing is lost, doubled or left over."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import mocks
from cambrian.search.engines.processes import Processes
from reseeding import seeded

pytestmark = [pytest.mark.damage, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


@pytest.mark.parametrize("trials", [60, pytest.param(200, marks=pytest.mark.slow)])
def test_every_trial_ends_once_though_workers_and_children_are_killed(trials):
    """Trials under a fifth as many kill -9; what is reported lost is submitted again, as its next attempt.
    Every number gets exactly one outcome, the right one, and no more attempts than there were kills."""
    others = mocks.descendants(os.getpid())
    rng, kills, attempts = seeded(0), 0, dict.fromkeys(range(trials), 0)
    queue, running, outcomes = list(range(trials)), set(), {}
    with mocks.started(Processes(workers=2), mocks.work(mocks.Mock(delay=0.004))) as engine:
        engine.stillborn = 10**9  # on a busy machine the kills strike many that are still starting
        while queue or running:
            while queue and len(running) < engine.slots:
                number = queue.pop(0)
                attempts[number] += 1
                running.add(number)
                engine.submit(mocks.assignment(number, attempts[number], epochs=2))
            if rng.random() < 0.1:
                time.sleep(rng.random() * 0.006)
                kills += kill(rng.choice(sorted(mocks.descendants(os.getpid()) - others)))
            for report in engine.wait(5.0):
                assert report.attempt == attempts[report.number]
                if report.outcome is not None:
                    assert report.number not in outcomes
                    outcomes[report.number] = report.outcome.value
                if report.point is None:
                    running.remove(report.number)
                if report.lost is not None:
                    queue.append(report.number)
    assert outcomes == {n: mocks.truth(mocks.assignment(n).trial.architecture, 0) for n in range(trials)}
    assert kills >= trials // 20
    assert sum(attempts.values()) <= trials + kills
    assert mocks.descendants(os.getpid()) == others


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return 1


COORDINATOR = """
import mocks, os, sys, time
from cambrian.search.engines.processes import Processes
engine = Processes(workers=2)
engine.start(mocks.work("obey"))
for n in range(2):
    engine.submit(mocks.order(n, {kind!r}))
print("started", flush=True)
while True:
    engine.wait(1.0)
"""


@pytest.mark.parametrize(
    ("kind", "count", "pause"),
    [
        ("deaf", 2, 0.1),
        ("endless", 4, 0.2),
        *(pytest.param("deaf", *case, marks=pytest.mark.slow) for case in ((2, 0.0), (2, 0.25), (4, 0.2))),
    ],
)
def test_a_killed_coordinator_leaves_nothing_behind(kind, count, pause):
    """kill -9 of the coordinator, while workers start and while they evaluate."""
    tests = str(Path(mocks.__file__).parent)
    coordinator = subprocess.Popen(
        [sys.executable, "-c", COORDINATOR.format(kind=kind)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": tests},
    )
    with coordinator:
        assert coordinator.stdout.readline() == b"started\n"
        mocks.grown(coordinator.pid, set(), count)
        time.sleep(pause)
        family = mocks.descendants(coordinator.pid)
        coordinator.kill()
    assert mocks.gone(family, within=3.0)


def test_ctrl_c_is_the_coordinators_to_answer():
    """SIGINT to the coordinator's process group, as a terminal sends it, ends no worker and no trial."""
    code = COORDINATOR.format(kind="deaf").replace(
        "while True:", "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True:"
    )
    tests = str(Path(mocks.__file__).parent)
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": tests},
        start_new_session=True,
    ) as coordinator:
        assert coordinator.stdout.readline() == b"started\n"
        family = mocks.grown(coordinator.pid, set(), 4)
        time.sleep(0.2)
        os.killpg(coordinator.pid, signal.SIGINT)
        time.sleep(0.3)
        assert mocks.descendants(coordinator.pid) == family
        coordinator.kill()
    assert mocks.gone(family, within=3.0)
