"""ask and tell: the same search, evaluated by somebody else."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest
from typer.testing import CliRunner

import mocks
from cambrian.cli import commands  # noqa: F401  (registers `status` and `resume`)
from cambrian.cli.app import app
from cambrian.errors import RunBusy, RunError, UsageError
from cambrian.estimators.function import Function
from cambrian.outcome import Crashed, Done, Infeasible, Point, Trial
from cambrian.search.ledger import database
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.loop import ask_tell
from cambrian.search.search import Search
from cambrian.watching import parts
from cambrian.watching.run_view import RunReader
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
        (float("-inf"), Infeasible),
        (np.float32(0.5), Done),
        ({"accuracy": 0.5}, Done),
        ({"value": 0.5, "loss": 1}, Done),
        ({"value": float("nan"), "loss": 1}, Infeasible),
        (Infeasible("oom", "too large"), Infeasible),
        (Crashed("no"), Crashed),
        (Done(0.5, {"loss": 1.0}), Done),
    ],
)
def test_what_may_be_told(value, kind):
    """A number, metrics, or an outcome; a number that is not finite is an outcome too."""
    talk = search()
    trial = talk.ask()
    talk.tell(trial.number, value)
    assert isinstance(talk._talk.ledger.row(trial.number).trial.outcome, kind)
    talk.close()


def test_metrics_are_told_as_an_estimator_returns_them():
    """The value is the same metric, and the others stay beside it: whatever names it."""

    def measure(architecture, fidelity):
        return {"speed": 2.0, "accuracy": 0.5, "loss": 1.5}

    for named in ({"objective": "accuracy"}, {"objective": "loss"}):
        estimator = Function(measure, builds=False, **named)
        ran = Search(mocks.Toy(9), "random", estimator, budget=1).run(quiet=True).trials[0].outcome
        talk = Search(mocks.Toy(9), "random", estimator, budget=1)
        number = talk.ask().number
        talk.tell(number, measure(None, None))
        told = talk._talk.ledger.row(number).trial.outcome
        assert (told.value, told.metrics) == (ran.value, ran.metrics)
        talk.close()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "trial 0 was told None, expected a number, a dictionary of metrics, or an outcome"),
        ("good", "trial 0 was told 'good', expected a number"),
        (True, "trial 0 was told True, expected a number"),
        ({}, "trial 0 was told {}, expected a number"),
        ((0.5, 2.0), r"trial 0 was told \(0.5, 2.0\), expected a number"),
        ({"accuracy": "0.5"}, "trial 0 was told '0.5' as its metric 'accuracy', expected a number"),
        ({"a": 0.5, "b": 1}, "trial 0 was told the metrics a, b, and it is open which one is the value"),
        ({"value": 0.5, "loss": float("inf")}, "what trial 0 was told cannot be kept as JSON"),
    ],
)
def test_what_may_not_be_told_leaves_the_trial_out(value, says):
    """It is said at the call, costs nothing, and the trial can be told then."""
    talk = search()
    number = talk.ask().number
    with pytest.raises(UsageError, match=says):
        talk.tell(number, value)
    talk.tell(number, 0.25)
    assert talk._talk.ledger.row(number).trial.value == 0.25
    talk.close()


def test_mistakes_of_the_teller():
    """Each is one sentence, and changes nothing."""
    talk = search(lag=2)
    with pytest.raises(UsageError, match="tell before ask"):
        talk.tell(0, 0.5)
    first, second = talk.ask(), talk.ask()
    with pytest.raises(
        UsageError, match=r"tell trial 0 first: with lag=2 trial 2 is .* begin a search with .*lag=5\)"
    ):
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


def test_a_conversation_in_which_everything_crashes_alike_says_so(tmp_path):
    """None would say that the search has ended; each session may have mended the mistake."""
    for session in range(2):
        talk = search(lag=1)
        for _ in range(3):
            talk.tell(talk.ask(tmp_path).number, Crashed("no such file"))
        with pytest.raises(RunError, match=r"3 trials in a row crashed alike.*: no such file\. Mend that"):
            talk.ask(tmp_path)
        assert len(talk._talk.coordinator.trials) == 3 * (session + 1)
        talk.close()


@pytest.mark.parametrize(("settings", "out"), [({}, 1), ({"workers": 3}, 6), ({"lag": 2, "workers": 3}, 2)])
def test_as_many_are_out_as_the_caller_has_workers_for(settings, out):
    """Without a word about the estimator, which ask and tell never call; told in any order."""
    talk = Search(mocks.Toy(9), "random", lambda network: 0.5, budget=12, **settings)
    trials = [talk.ask() for _ in range(out)]
    with pytest.raises(UsageError, match=f"tell trial 0 first: with lag={out} "):
        talk.ask()
    for trial in reversed(trials):
        talk.tell(trial.number, 0.5)
    assert talk.ask().number == out
    talk.close()


def test_a_strategy_that_waits_is_named():
    """No lag lets it propose, so none is advised."""
    talk = Search(mocks.Toy(9), "nsga2(population=3)", mocks.Mock(), budget=12, lag=9)
    for _ in range(3):
        talk.ask()
    with pytest.raises(UsageError, match=r"tell trials \[0, 1, 2\] first: strategy 'nsga2' waits for them$"):
        talk.ask()
    talk.close()


def test_one_conversation_has_one_directory(tmp_path, monkeypatch):
    """Another one is refused while it is open, and never answered from the first."""
    monkeypatch.chdir(tmp_path)
    talk = search()
    talk.ask("one")
    assert talk.ask(tmp_path / "one").number == 1
    assert talk.ask().number == 2
    with pytest.raises(UsageError, match=r"this search asks in .*one, and was asked in .*other: close\(\)"):
        talk.ask("other")
    assert not (tmp_path / "other").exists()
    talk.close()
    assert talk.ask("other").number == 0
    talk.close()
    inside = search()
    inside.ask()
    with pytest.raises(UsageError, match="this search asks in memory, and was asked in"):
        inside.ask("one")
    inside.close()


def test_this_process_is_not_another_one(tmp_path):
    """A search that would share the directory of one that asks in this process."""
    talk = search()
    talk.ask(tmp_path)
    with pytest.raises(RunBusy, match=r"^this process is at work in .* already: close\(\) the search that"):
        search().ask(tmp_path)
    talk.close()


def test_status_and_resume_agree_how_an_asked_run_goes_on(tmp_path):
    """Its estimator is the caller's loop, which a command does not have; with a name it is resumed."""
    cases = [(lambda network: 0.5, "continue the run from the program that began it"), (mocks.Mock(), "")]
    for place, (estimator, says) in zip((tmp_path / "own", tmp_path / "named"), cases):
        talk = Search(mocks.Toy(9), "random", estimator, budget=12)
        talk.tell(talk.ask(place).number, 0.5)
        talk.close()
        said = CliRunner().invoke(app, ["status", str(place)], catch_exceptions=False).stdout
        assert (f"go on with: cambrian resume {place}" in said) == (not says)
        assert says in said
        if says:
            refused = CliRunner().invoke(app, ["resume", str(place)])
            assert str(refused.exception) in said
        page = parts.make_parts(RunReader(place).read())
        assert any((says or f"go on with: cambrian resume {place}") in part for part in page.values())


@pytest.mark.parametrize("order", ["number", "arrival"])
@pytest.mark.parametrize("then", ["tell again", "ask", "close"])
def test_what_a_full_disk_refused_is_in_the_next_commit(order, then, tmp_path, monkeypatch):
    """What is told while the disk is full is learned once, and is in the ledger before a row that was
    proposed knowing it; told once more, asked for the next one, or closed."""

    def fresh() -> Search:
        return Search(mocks.Toy(9), "evolution", mocks.Mock(), budget=40, lag=2, order=order)

    talk = fresh()
    trials = [talk.ask(tmp_path / "talk") for _ in range(2)]
    with monkeypatch.context() as patch:
        patch.setattr(database, "identity", lambda _: None)
        for trial in trials:
            with pytest.raises(RunError, match="is gone"):
                talk.tell(trial.number, told(trial))
    if then == "tell again":
        talk.tell(0, told(trials[0]))
    elif then == "ask":
        assert talk.ask().number == 2
    talk.close()
    ledger = Ledger.read(tmp_path / "talk" / "ledger.sqlite")
    rows = ledger.rows()
    ledger.close()
    assert [row.trial.value is not None for row in rows[:2]] == [True, True]
    if order == "arrival":
        assert [row.learned for row in rows[:2]] == [0, 1]
    assert [row.knew for row in rows[2:]] == ([] if then != "ask" else [1] if order == "number" else [2])
    assert fresh().ask(tmp_path / "talk").number == 2


def test_what_no_commit_would_take_leaves_the_trial_out(monkeypatch):
    """An outcome that is too long is refused when it is told, and not with each later commit."""
    monkeypatch.setattr(ask_tell, "LARGEST", 500)
    talk = search()
    trial = talk.ask()
    with pytest.raises(UsageError, match=r"trial 0 was told cannot be kept as JSON: it has 1,.* at most 500"):
        talk.tell(trial.number, Done(1.0, data={"x": "x" * 999}))
    talk.tell(trial.number, 0.5)
    assert talk.ask().number == 1


def test_what_was_never_asked_cannot_be_told_again():
    """Only a trial whose outcome waits for the ledger may be told twice."""
    talk = search()
    trial = talk.ask()
    talk.tell(trial.number, 0.5)
    with pytest.raises(UsageError, match=r"trial 0 is not out: out are \[\]"):
        talk.tell(trial.number, 0.5)
