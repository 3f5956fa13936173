"""kill -9 at random points of mock searches: nothing finished is lost, nothing is recorded twice, and the
finished ledger is that of a search nobody disturbed."""

from __future__ import annotations

import os
import random
import sys
import tempfile
from pathlib import Path

import pytest

from mock_search import (
    Nursery,
    acknowledged,
    contents,
    damaged_artifacts,
    executed_after_the_end,
    finished,
    first_difference,
    search,
)
from reseeding import SHIFT
from tiers import slow_but

KILLS = int(os.environ.get("CAMBRIAN_KILLS", "5"))
"""Of the coordinator, for each strategy on each engine; twice as many of workers. `make evidence`: 200."""

pytestmark = [
    pytest.mark.damage,
    pytest.mark.timeout(max(300, 30 * KILLS)),
    pytest.mark.skipif(sys.platform != "linux", reason="orphans are caught by prctl"),
]

STRATEGIES = {"random": 120, "progressive": None, "halving": None}


@pytest.fixture(scope="module")
def nursery():
    with Nursery() as found:
        yield found


@pytest.fixture
def place():
    """A directory in memory, where there is one: kill -9 does not try what reaches a disk."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The ledgers' contents of the searches that are killed below, run serially and in peace."""
    found = {}
    for strategy, trials in STRATEGIES.items():
        place = tmp_path_factory.mktemp("undisturbed") / strategy
        search(strategy, trials=trials).run(place)
        found[strategy] = contents(place)
    return found


@pytest.mark.parametrize(
    ("strategy", "engine"),
    [
        *((name, "serial") for name in STRATEGIES),
        ("progressive", "processes"),
        *(pytest.param(n, "processes", marks=pytest.mark.slow) for n in STRATEGIES if n != "progressive"),
    ],
)
def test_kills_of_the_coordinator(strategy, engine, nursery, undisturbed, place):
    """KILLS of each kind, a quarter of them while it starts up. After each: what was acknowledged is in the
    ledger, what was finished is as it was, nobody is left. At the end: equal to the undisturbed, and
    nothing was evaluated again once it had been acknowledged."""
    rng, kills, searches = random.Random(f"{strategy} {engine} {SHIFT}"), 0, 0
    while kills < KILLS:
        (place / str(searches)).mkdir()
        setting = {"strategy": strategy, "engine": engine, "trials": STRATEGIES[strategy]}
        kills = killed(nursery, setting, undisturbed[strategy], place / str(searches), rng, kills)
        searches += 1


def killed(nursery, setting, expected, home, rng, kills):
    """One search, killed until it finishes or there were KILLS with those before; how many there were."""
    log, run, known = home / "log", home / "run", {}
    log.touch()
    while True:
        order = when(rng, setting["engine"], kills) if kills < KILLS else {}
        answer = nursery.session(run, log, setting=setting, known=list(known), **order)
        now = finished(run)
        assert now | known == now, "an outcome that was recorded is lost or another"
        assert set(acknowledged(log)) <= set(now), "an acknowledged outcome is not in the ledger"
        assert damaged_artifacts(run) == []
        known = now
        if answer["code"] == 0:
            break
        assert answer["code"] == -9, "the coordinator failed by itself"
        kills += 1
    assert first_difference(contents(run), expected) is None
    assert executed_after_the_end(log) == []
    assert len(set(acknowledged(log))) == len(acknowledged(log))
    return kills


def when(rng, engine, kills):
    """Every fourth kill within the time of a start, of a new search first; the others at any time between a
    few trials."""
    if kills % 4 == 0:
        return {"events": 0, "pause": rng.random() * (0.4 if engine == "processes" else 0.05)}
    return {"events": rng.randrange(1, 12), "pause": rng.random() * 0.004}


@pytest.mark.parametrize("strategy", slow_but(("random",), STRATEGIES))
def test_kills_of_workers(strategy, nursery, undisturbed, place):
    """2 KILLS of each: workers and the children that evaluate. Every trial is recorded once, with no more
    attempts than there were kills, and the ledger is the undisturbed one."""
    kills = attempts = trials = searches = 0
    while kills < 2 * KILLS:
        home = place / str(searches)
        home.mkdir()
        log = home / "log"
        log.touch()
        setting = {
            "strategy": strategy,
            "engine": "processes",
            "trials": STRATEGIES[strategy],
        }
        answer = nursery.session(
            home / "run", log, setting=setting, known=[], kills=2 * KILLS - kills, seed=searches + SHIFT
        )
        assert answer["code"] == 0
        ended = finished(home / "run")
        kills, searches = kills + answer["kills"], searches + 1
        attempts, trials = attempts + sum(attempt for attempt, _ in ended.values()), trials + len(ended)
        assert first_difference(contents(home / "run"), undisturbed[strategy]) is None
        assert damaged_artifacts(home / "run") == []
        assert executed_after_the_end(log) == []
        assert sorted(acknowledged(log)) == sorted(ended)
    assert attempts <= trials + kills


def test_the_end_before_every_sql_statement(nursery, place):
    """A search of ten trials that ends before its k-th statement, for every k (in `make test` for each
    second) until it gets through: what follows finds a run it can go on with, and ends like the
    undisturbed."""
    setting = {
        "strategy": "random",
        "engine": "serial",
        "trials": 10,
        "delay": 0.0,
    }
    log = place / "log"
    search(**setting).run(place / "undisturbed")
    expected = contents(place / "undisturbed")
    every = 1 if KILLS > 5 else 2
    statement, code = SHIFT % every, 9
    while code == 9:
        run = place / str(statement)
        code = nursery.session(run, log, setting=setting, known=[], statement=statement)["code"]
        before = finished(run)
        assert nursery.session(run, log, setting=setting, known=list(before))["code"] == 0
        assert finished(run) | before == finished(run)
        assert first_difference(contents(run), expected) is None
        statement += every
    assert code == 0
    assert statement > 60
