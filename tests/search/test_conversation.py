"""ask and tell: the same search, evaluated by somebody else."""

from __future__ import annotations

import random
import time

import pytest

import mocks
from cambrian.errors import RunBusy, UsageError
from cambrian.outcome import Crashed, Done, Infeasible, Point, Trial
from cambrian.search.search import Search
from mock_search import contents


def search(strategy="random", lag=4, budget=40):
    """Random search without repeats; or progressive search."""
    space = {"name": "tiny-chain", "arguments": {"layers": 4}} if strategy == "progressive" else mocks.Toy(9)
    if strategy == "progressive":
        strategy = {"name": "progressive", "arguments": {"surrogate": "ridge", "keep": 10}}
    return Search(space, strategy, mocks.Mock(), budget=budget, lag=lag)


def told(trial):
    """What `mocks.Mock` would have given."""
    value = mocks.truth(trial.architecture, 0)
    return Done(value, curve=(Point(1, {"value": value}),))


def converse(search, directory, rng, stop_after=None):
    """Ask as often as it is allowed, tell in an order of chance; or leave with trials untold."""
    out, count = [], 0
    while True:
        trial = None
        if not out or (len(out) < search.lag and rng.random() < 0.6):
            try:
                trial = search.ask(directory)
            except UsageError:  # tell first
                trial = out.pop()
                search.tell(trial.number, told(trial))
                continue
            if trial is None and not out:
                return
        if trial is None:
            trial = out.pop(rng.randrange(len(out)))
            search.tell(trial.number, told(trial))
            count += 1
            if count == stop_after:
                return
        else:
            out.append(trial)


@pytest.mark.parametrize("strategy", ["random", "progressive"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_conversation_equals_a_run(strategy, seed, tmp_path):
    """Told in any order, broken off and taken up again three times: the ledger is that of `run`."""
    rng = random.Random(seed)
    for stop_after in (3, 7, 1):
        talk = search(strategy)
        converse(talk, tmp_path / "talk", rng, stop_after)
        talk.close()
    talk = search(strategy)
    converse(talk, tmp_path / "talk", rng)
    talk.close()
    search(strategy).run(tmp_path / "run")
    assert contents(tmp_path / "talk") == contents(tmp_path / "run")


def test_what_was_asked_and_not_told_is_asked_again(tmp_path):
    """By the next conversation, under the same number."""
    first = search()
    out = [first.ask(tmp_path), first.ask(tmp_path)]
    first.tell(out[0].number, 0.5)
    first.close()
    second = search()
    again = second.ask(tmp_path)
    assert (again.number, again.architecture) == (out[1].number, out[1].architecture)
    second.tell(again.number, 0.25)
    assert second.ask(tmp_path).number == 2
    second.close()


def test_an_open_conversation_holds_its_directory(tmp_path):
    """Nobody else may work there until `close`, or until the search is gone."""
    first = search()
    first.ask(tmp_path)
    with pytest.raises(RunBusy):
        search().run(tmp_path)
    first.close()
    second = search()
    second.ask(tmp_path)
    del second
    search(budget=3).run(tmp_path)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (0.5, Done),
        (float("nan"), Infeasible),
        (None, Crashed),
        ("good", Crashed),
        (Infeasible("oom", "too large"), Infeasible),
        (Crashed("no"), Crashed),
        (Done(0.5, {"loss": 1.0}), Done),
    ],
)
def test_what_may_be_told(value, kind):
    """A number, or an outcome; what is neither is a crashed trial."""
    talk = search()
    trial = talk.ask()
    talk.tell(trial.number, value)
    assert isinstance(talk._talk.ledger.row(trial.number).trial.outcome, kind)
    talk.close()


def test_mistakes_of_the_teller():
    """Each is one sentence, and changes nothing."""
    talk = search(lag=2)
    with pytest.raises(UsageError, match="tell before ask"):
        talk.tell(0, 0.5)
    first, second = talk.ask(), talk.ask()
    with pytest.raises(UsageError, match=r"tell trials \[0, 1\] first"):
        talk.ask()
    with pytest.raises(UsageError, match=r"trial 7 is not out: out are \[0, 1\]"):
        talk.tell(7, 0.5)
    with pytest.raises(UsageError, match="cannot be kept as JSON"):
        talk.tell(first.number, Done(0.5, {"loss": float("nan")}))
    talk.tell(first.number, 0.5)
    with pytest.raises(UsageError, match="trial 0 is not out"):
        talk.tell(first.number, 0.5)
    talk.tell(second.number, 0.5)
    assert isinstance(talk.ask(), Trial)
    talk.close()


def test_a_conversation_ends_with_its_budget(tmp_path):
    """Of trials, and of seconds."""
    talk = search(budget=2)
    for _ in range(2):
        talk.tell(talk.ask(tmp_path).number, 0.5)
    assert talk.ask(tmp_path) is None
    talk.close()
    brief = search(budget="0.01s")
    assert brief.ask() is not None
    time.sleep(0.02)
    assert brief.ask() is None
    brief.close()
