"""A power failure at every call that changes a file: what was acknowledged is on the disk, and the run goes
on from there to the end of one that nobody disturbed."""

from __future__ import annotations

import os
import random
import tempfile
from pathlib import Path

import pytest

import flushed_calls
from flushed_calls import Disk
from killed_calls import Order, compile_library, why_not
from mock_search import (
    Nursery,
    acknowledged,
    contents,
    damaged_artifacts,
    finished,
    first_difference,
    opens_or_never_began,
    search,
)
from reseeding import SHIFT

EVERY = 1 if "CAMBRIAN_KILLS" in os.environ else 12
"""Each call, as `make evidence` has it; else one in so many, from a random one on."""

pytestmark = [
    pytest.mark.damage,
    pytest.mark.timeout(3600 if EVERY == 1 else 300),
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]


@pytest.fixture(scope="module")
def nursery(tmp_path_factory):
    folder = tmp_path_factory.mktemp("libraries")
    with Nursery(compile_library(folder), compile_library(folder, flushed_calls.SOURCE)) as found:
        yield found


@pytest.fixture
def place():
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield Path(name)


@pytest.mark.parametrize("names", [False, True], ids=["flushed", "names"])
@pytest.mark.parametrize(("strategy", "trials"), [("random", 5), ("halving", None)])
def test_a_power_failure_at_every_call(strategy, trials, names, nursery, place):
    """For every number of a call until a search gets through with fewer. Left is what was flushed, or with it
    the names of files that were not: the run is there, or never began and nothing of it was acknowledged; no
    acknowledged outcome is lost and no artifact missing; resumed it ends like the undisturbed."""
    setting = {"strategy": strategy, "engine": "serial", "trials": trials, "delay": 0.0, "small": True}
    search(**setting).run(place / "undisturbed")
    expected, tried = contents(place / "undisturbed"), 0
    number = 1 + random.Random(f"{strategy} {names} {SHIFT}").randrange(EVERY)
    while True:
        home, log = place / f"home{number}", place / f"log{number}"
        home.mkdir()
        log.touch()
        run, disk = home / "run", Disk(home, place / "notes")
        order = Order(home, place / "counter", number)
        environment = order.environment() | disk.environment()
        session = nursery.session(run, log, setting=setting, known=[], call=environment)
        if not order.killed():
            break
        assert session["code"] == -9
        disk.cut_power(names)
        check_rest(run, log, order.killed())
        known = list(finished(run))
        assert nursery.session(run, log, setting=setting, known=known)["code"] == 0, order.killed()
        assert first_difference(contents(run), expected) is None, order.killed()
        tried, number = tried + 1, number + EVERY
    assert tried >= 60 // EVERY - 1


def check_rest(run, log, where):
    assert set(acknowledged(log)) <= set(finished(run)), f"lost before {where}"
    assert damaged_artifacts(run) == [], where
    opens_or_never_began(run)
