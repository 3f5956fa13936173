"""kill -9 at every call that changes a file, before it and in the middle of what it writes: the run is there
or was never started, goes on, and ends like the one nobody disturbed."""

from __future__ import annotations

import json
import os
import random
import tempfile
from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from killed_calls import Order, compile_library, why_not
from mock_search import (
    Nursery,
    contents,
    damaged_artifacts,
    executed_after_the_end,
    files,
    finished,
    first_difference,
    opens_or_never_began,
    search,
)
from reseeding import SHIFT

ALL = "CAMBRIAN_KILLS" in os.environ
"""Every call, as `make evidence` has it; else one in so many, from a random one on."""
EVERY = {"serial": 12, "processes": 60}
TRIALS = {"random": 5, "progressive": None, "halving": None}

pytestmark = [
    pytest.mark.damage,
    pytest.mark.timeout(3600 if ALL else 300),
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]


@pytest.fixture(scope="module")
def nursery(tmp_path_factory):
    with Nursery(compile_library(tmp_path_factory.mktemp("library"))) as found:
        yield found


@pytest.fixture
def place():
    """A directory in memory, where there is one: kill -9 does not try what reaches a disk."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield Path(name)


def list_kills():
    """Each strategy and engine, before a call and in its midst; in `make test` one with processes."""
    return [
        pytest.param(
            strategy,
            engine,
            half,
            id=f"{strategy}-{engine}-{'half' if half else 'before'}",
            marks=[pytest.mark.slow] * (engine == "processes" and (strategy, half) != ("progressive", True)),
        )
        for strategy, engine, half in product(TRIALS, ("serial", "processes"), (False, True))
    ]


@pytest.mark.parametrize(("strategy", "engine", "half"), list_kills())
def test_a_kill_at_every_call(strategy, engine, half, nursery, place):
    """For every number of a call until a search gets through with fewer: nothing that was recorded is lost,
    no artifact is missing, and after a resumption, every third of which is killed at a random call too,
    ledger, artifacts and the names of all files are the undisturbed ones."""
    setting = {
        "strategy": strategy,
        "engine": engine,
        "trials": TRIALS[strategy],
        "delay": 0.0,
        "small": True,
    }
    rng, step = random.Random(f"{strategy} {engine} {half} {SHIFT}"), 1 if ALL else EVERY[engine]
    trial = Killed(nursery, setting, place, half)
    number, tried = 1 + rng.randrange(step), Counter()
    while call := trial.kill(number):
        tried[call.split()[0]] += 1
        if tried.total() % 3 == 0:
            trial.kill(1 + rng.randrange(40), again=True)
        trial.finish()
        number += step
    print(json.dumps(tried))
    assert tried.total() >= 40 // step
    assert not ALL or set(tried) >= ({"pwrite64"} if half else {"pwrite64", "fsync", "rename", "unlink"})


class Killed:
    """Searches of one setting, one after the other, each killed and finished in a folder of its own."""

    def __init__(self, nursery, setting, place, half):
        self.nursery, self.setting, self.place, self.half = nursery, setting, place, half
        search(**setting | {"engine": "serial"}).run(place / "undisturbed")
        self.expected, self.files = contents(place / "undisturbed"), files(place / "undisturbed")
        self.searches, self.known = 0, {}

    def kill(self, number, again=False):
        """The call that was killed, in a new search or in the same once more."""
        if not again:
            self.searches, self.known = self.searches + 1, {}
        self.run, self.log = self.place / f"run{self.searches}", self.place / f"log{self.searches}"
        self.log.touch()
        order = Order(self.run, self.place / "counter", number, self.half)
        self.session(call=order.environment())
        self.said = order.killed()
        opens_or_never_began(self.run)
        return self.said

    def finish(self):
        """Resume without a kill, and compare with the undisturbed."""
        assert self.session() == 0
        assert first_difference(contents(self.run), self.expected) is None, self.said
        assert executed_after_the_end(self.log) == [], self.said
        assert files(self.run) == self.files, self.said

    def session(self, **order):
        """One session: it ends well or is killed, and nothing is lost by it."""
        answer = self.nursery.session(
            self.run, self.log, setting=self.setting, known=list(self.known), **order
        )
        assert answer["code"] in (0, -9), order
        now = finished(self.run)
        assert now | self.known == now, order
        assert damaged_artifacts(self.run) == [], order
        self.known = now
        return answer["code"]
