"""Trainings of supernets, and trainings that go on from one another, under kill -9: they end with the weights
of those nobody disturbed."""

from __future__ import annotations

import os
import random

import pytest

from cambrian.estimators.one_shot import SUPERNET
from cambrian.estimators.train import WEIGHTS
from cambrian.search.result import Result
from killed_calls import Order, compile_library, why_not
from mock_search import Nursery, contents, damaged_artifacts, files, finished, first_difference
from reseeding import SHIFT

pytestmark = [pytest.mark.damage, pytest.mark.skipif(why_not() is not None, reason=str(why_not()))]

KILLS = int(os.environ.get("CAMBRIAN_KILLS", "50"))
"""Of each kind of training."""


@pytest.fixture(scope="module")
def nursery(tmp_path_factory):
    with Nursery(compile_library(tmp_path_factory.mktemp("library")), "trained_search") as found:
        yield found


@pytest.fixture
def undisturbed(request, nursery, tmp_path):
    """A run of the strategy that the test names, and how many calls of it change a file."""
    order = Order(tmp_path / "undisturbed", tmp_path / "counter", at=0)
    setting = {"strategy": request.param}
    answer = nursery.session(
        order.place, tmp_path / "log", setting=setting, known=[], call=order.environment()
    )
    assert answer["code"] == 0
    return Result.open(order.place), order.calls()


@pytest.mark.parametrize("undisturbed", ["supernet"], indirect=True)
def test_a_killed_supernet_ends_with_the_same_weights_and_gates(undisturbed, nursery, tmp_path):
    """KILLS at random calls of its training, most of which find a checkpoint to go on from."""
    expected, calls = undisturbed
    kept = kill_often(nursery, "supernet", expected, calls, tmp_path)
    assert kept >= KILLS / 2
    assert {"first", "second"} == set(expected.trials[0].outcome.data["gates"])
    assert SUPERNET in expected.trials[0].artifacts


@pytest.mark.parametrize("undisturbed", ["halving"], indirect=True)
def test_killed_continuations_end_with_the_same_weights(undisturbed, nursery, tmp_path):
    """The same of 1 + 2 + 6 epochs, between and within them."""
    expected, calls = undisturbed
    kept = kill_often(nursery, "halving", expected, calls, tmp_path)
    assert kept >= KILLS / 2
    last = expected.trials[-1]
    assert (last.fidelity.epochs, last.outcome.data) == (9, {})
    assert WEIGHTS in last.artifacts


def kill_often(nursery, strategy, expected, calls, place):
    """Searches that are killed, KILLS times in all, each until it ends like the undisturbed one. Returns how
    many kills left a checkpoint behind."""
    rng, kills, kept, searches = random.Random(f"{strategy} {SHIFT}"), 0, 0, 0
    while kills < KILLS:
        run, searches, ended = place / str(searches), searches + 1, False
        while not ended:
            # A fifth of a search on average, so that most kills find something to resume.
            at = 1 + rng.randrange(2 * calls // 5) if kills < KILLS else 0
            ended = killed_or_ended(
                nursery, strategy, run, Order(run, place / "counter", at, rng.random() < 0.5)
            )
            kills += not ended
            kept += not ended and any(run.glob("checkpoints/*/*.json"))
        assert first_difference(contents(run), contents(expected.directory)) is None
        assert files(run) == files(expected.directory)
    print(f"{kills} kills in {searches} searches, {kept} left a checkpoint")
    return kept


def killed_or_ended(nursery, strategy, run, order):
    """Whether a session came to the end of the search. Nothing that was recorded is lost by it."""
    before = finished(run)
    answer = nursery.session(
        run, run.parent / "log", setting={"strategy": strategy}, known=list(before), call=order.environment()
    )
    assert answer["code"] in (0, -9)
    assert finished(run) | before == finished(run)
    assert damaged_artifacts(run) == []
    return answer["code"] == 0
