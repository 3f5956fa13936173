"""Trainings of supernets, and trainings that go on from one another, under kill -9: they end with the weights
of those nobody disturbed."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest
from test_living import truncate

from cambrian.estimators.one_shot import SUPERNET
from cambrian.estimators.train import WEIGHTS
from cambrian.search.result import Result
from killed_calls import Order, compile_library, why_not
from mock_search import Nursery, contents, damaged_artifacts, files, finished, first_difference
from reseeding import SHIFT

KILLS = int(os.environ.get("CAMBRIAN_KILLS", "4")) // 4
"""Of each kind of training, not counting those before its first checkpoint. `make evidence`: 50."""

pytestmark = [
    pytest.mark.damage,
    pytest.mark.timeout(max(300, 120 * KILLS)),
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]


@pytest.fixture(scope="module")
def nursery(tmp_path_factory):
    with Nursery(compile_library(tmp_path_factory.mktemp("library")), module="trained_search") as found:
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
    """KILLS at random calls of its training, each of which leaves a checkpoint to go on from."""
    expected, calls = undisturbed
    kill_often(nursery, "supernet", expected, calls, tmp_path)
    assert {"first", "second"} == set(expected.trials[0].outcome.data["gates"])
    assert SUPERNET in expected.trials[0].artifacts


@pytest.mark.slow(minutes=True)
@pytest.mark.parametrize("undisturbed", ["darts", "gdas"], indirect=True)
def test_a_killed_gradient_search_ends_with_the_same_gates(undisturbed, nursery, tmp_path, request):
    """In chunks that go on from one another, with what was derived from them."""
    expected, calls = undisturbed
    method = request.node.callspec.params["undisturbed"]
    # The files of a chunk go once the next one is learned, sooner or later.
    kill_often(nursery, method, expected, calls, tmp_path, swept=True)
    assert [t.kind for t in expected.trials] == ["supernet", "supernet", "trial", "trial"]
    assert len(expected.trials[1].outcome.data["course"]["loss"]) == 4


@pytest.mark.parametrize("undisturbed", ["halving"], indirect=True)
def test_killed_continuations_end_with_the_same_weights(undisturbed, nursery, tmp_path):
    """The same of 1 + 2 + 6 epochs, between and within them."""
    expected, calls = undisturbed
    kill_often(nursery, "halving", expected, calls, tmp_path)
    last = expected.trials[-1]
    assert (last.fidelity.epochs, last.outcome.data) == (9, {})
    assert WEIGHTS in last.artifacts


@pytest.mark.parametrize("undisturbed", ["halving"], indirect=True)
def test_what_is_trained_anew_says_so_after_a_kill(undisturbed, nursery, tmp_path):
    """The last row's parent has lost its files; killed after its first checkpoint and resumed, the row has
    the same numbers and still says that it was trained anew."""
    expected, calls = undisturbed
    run = Path(shutil.copytree(expected.directory, tmp_path / "run"))
    truncate(run, keep=4)
    shutil.rmtree(run / "artifacts")
    order = {"setting": {"strategy": "halving"}, "known": []}
    killing = Order(run, tmp_path / "counter", at=calls // 5)
    assert nursery.session(run, tmp_path / "log", call=killing.environment(), **order)["code"] == -9
    assert any(run.glob("checkpoints/4/*.json"))
    assert nursery.session(run, tmp_path / "log", **order)["code"] == 0
    outcome = Result.open(run).trials[-1].outcome
    assert outcome.metrics == expected.trials[-1].outcome.metrics
    assert "is not kept any more" in outcome.data["anew"]


def kill_often(nursery, strategy, expected, calls, place, least=KILLS, swept=False):
    """Searches that are killed until `least` kills have left a checkpoint to go on from, each ending like the
    undisturbed. With `swept`, files that the strategy does not name again may be gone."""
    rng, kills, kept, searches = random.Random(f"{strategy} {SHIFT}"), 0, 0, 0
    while kept < least:
        run, searches, ended = place / str(searches), searches + 1, False
        while not ended:
            order = draw(rng, run, calls) if kept < least else Order(run, place / "counter", at=0)
            ended = killed_or_ended(nursery, strategy, run, order, swept)
            kills += not ended
            kept += not ended and any(run.glob("checkpoints/*/*.json"))
        assert first_difference(contents(run), contents(expected.directory)) is None
        assert swept or files(run) == files(expected.directory)
    print(f"{kills} kills in {searches} searches, {kept} of which left a checkpoint")


def draw(rng, run, calls):
    """Any call of the first third of a search but its start; about half of all are writes."""
    half = rng.random() < 0.5
    most = calls // 6 if half else calls // 3
    return Order(run, run.parent / "counter", rng.randrange(calls // 10, most), half)


def killed_or_ended(nursery, strategy, run, order, swept=False):
    """Whether a session came to the end of the search. Nothing that was recorded is lost by it."""
    before = finished(run)
    answer = nursery.session(
        run, run.parent / "log", setting={"strategy": strategy}, known=list(before), call=order.environment()
    )
    assert answer["code"] in (0, -9)
    assert finished(run) | before == finished(run)
    assert [file for file in damaged_artifacts(run) if not swept or (run / file).exists()] == []
    return answer["code"] == 0
