"""A search goes on where it was, as if nothing had happened; or says why it cannot."""

from __future__ import annotations

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
import time
from typing import ClassVar

import msgspec
import numpy as np
import pytest

import living
import mock_search
import mocks
from cambrian.architecture import sample
from cambrian.errors import RunBusy, RunChanged, RunError, UsageError
from cambrian.estimators.function import Function
from cambrian.outcome import ENDLESS, Crashed, Done, Fidelity, Infeasible, Trial
from cambrian.randomness import stream
from cambrian.request import Evaluate, Stop
from cambrian.search.identity.agreement import agree
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.rows import Row
from cambrian.search.ledger.run_directory import at_work
from cambrian.search.loop.attempts import Attempts
from cambrian.search.loop.execution import DEAR
from cambrian.search.loop.final import Final
from cambrian.search.loop.watch import Watch
from cambrian.search.planning.budget import Budget
from cambrian.search.result import Result
from cambrian.search.search import Search
from cambrian.spaces.space import Pick
from extensions.stack_engine import Stack
from mock_search import contents


@pytest.mark.parametrize("strategy", ["random", "progressive"])
def test_twenty_and_twenty_are_forty(strategy, tmp_path):
    """Stopped by its budget and resumed with a larger one, by the same call or by name."""
    mock_search.search(strategy, trials=40, delay=0.0).run(tmp_path / "forty")
    mock_search.search(strategy, trials=20, delay=0.0).run(tmp_path / "twenty")
    assert len(contents(tmp_path / "twenty")) == 20
    shutil.copytree(tmp_path / "twenty", tmp_path / "named")
    mock_search.search(strategy, trials=40, delay=0.0).run(tmp_path / "twenty")
    Search.resume(tmp_path / "named", 40).run(tmp_path / "named")
    assert contents(tmp_path / "twenty") == contents(tmp_path / "forty") == contents(tmp_path / "named")


def test_a_schedule_is_of_the_trials_a_run_began_with(tmp_path):
    """Evolution's open settings follow the first budget; a larger one goes on with them, and the run's own
    settings stay open."""
    mock_search.search("evolution", trials=30, delay=0.0).run(tmp_path / "open")
    mock_search.search("evolution", trials=60, delay=0.0).run(tmp_path / "open")
    told = {"name": "evolution", "arguments": {"population": 10, "sample": 3}}
    mock_search.search(told, trials=60, delay=0.0).run(tmp_path / "told")
    assert contents(tmp_path / "open") == contents(tmp_path / "told")
    mock_search.search("evolution", trials=60, delay=0.0).run(tmp_path / "sixty")
    assert contents(tmp_path / "open") != contents(tmp_path / "sixty")


@dataclasses.dataclass(frozen=True)
class Delivering(mocks.Mock):
    """A mock whose networks could be delivered, so that a final stage follows."""

    delivers: ClassVar[bool] = True


def finishing(strategy, trials, seed=0):
    space = {"name": "tiny-chain", "arguments": {"layers": 4}}
    final = Final(Fidelity(epochs=2), top=3, baselines=("random",))
    if strategy == "progressive":
        strategy = {"name": "progressive", "arguments": {"surrogate": "ridge", "keep": 20}}
    return Search(space, strategy, Delivering(), budget=trials, final=final, seed=seed)


@pytest.mark.parametrize("strategy", ["random", "progressive"])
def test_twenty_and_twenty_are_forty_with_a_final_stage_between(strategy, tmp_path):
    """The search's rows do not know that the final stage came and went; its winner is the one of forty."""
    finishing(strategy, 20).run(tmp_path / "twenty")
    once = finishing(strategy, 40).run(tmp_path / "forty")
    twice = finishing(strategy, 40).run(tmp_path / "twenty")
    searched = [
        [c for c in contents(tmp_path / n) if not c[0].startswith("final")] for n in ("twenty", "forty")
    ]
    assert searched[0] == searched[1]
    assert len(searched[0]) == 40
    assert twice.winner.architecture == once.winner.architecture
    assert twice.winner.value == once.winner.value


def test_a_finished_run_is_left_as_it_is(tmp_path):
    """The same call once more evaluates nothing."""
    first = finishing("random", 10).run(tmp_path / "run")
    again = finishing("random", 10).run(tmp_path / "run")
    assert again.rows == first.rows
    assert again.winner == first.winner


@dataclasses.dataclass(frozen=True)
class Growing(mocks.Toy):
    """A space whose program can be changed behind the ledger's back."""

    OPTIONS: ClassVar[list[str]] = ["a", "b"]

    def program(self, pick: Pick) -> None:
        pick("first", list(self.OPTIONS))
        pick("second", [1, 2, 3])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"space": mocks.Toy(4)}, "space.arguments.questions was 3, now 4"),
        ({"strategy": "progressive"}, "strategy was random, now progressive. Give the same"),
        ({"estimator": mocks.Mock(0.5)}, "estimator.arguments.delay was 0.0, now 0.5"),
        ({"seed": 1}, "seed was 0, now 1"),
        ({"lag": 3}, "lag was 1, now 3"),
        ({"fidelity": Fidelity(epochs=3)}, "fidelity.epochs was absent, now 3"),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
)
def test_other_settings_are_refused_with_the_difference(change, says, tmp_path):
    """One sentence that says what was and what is; the run is not touched."""
    setting = {"space": mocks.Toy(), "strategy": "random", "estimator": mocks.Mock(), "budget": 3}
    Search(**setting).run(tmp_path)
    before = contents(tmp_path)
    if "strategy" in change:
        setting["space"] = change["space"] = "tiny-chain"
    with pytest.raises(RunChanged) as caught:
        Search(**{**setting, **change}).run(tmp_path)
    assert says in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert contents(tmp_path) == before


def test_a_changed_program_of_a_space_is_refused(tmp_path, monkeypatch):
    """Same name, same arguments, other questions: the fingerprint notices and the questions tell how."""
    Search(Growing(), "random", mocks.Mock(), budget=3).run(tmp_path)
    monkeypatch.setattr(Growing, "OPTIONS", ["a", "b", "c"])
    with pytest.raises(RunChanged) as caught:
        Search(Growing(), "random", mocks.Mock(), budget=3).run(tmp_path)
    assert "the space's program asks other questions than it did" in str(caught.value)
    assert "questions.first.options was ['a', 'b'], now ['a', 'b', 'c']" in str(caught.value)


def test_other_data_are_refused(tmp_path):
    """The task's digest is a setting too."""
    from small_training import SmallConv, bars

    Search(SmallConv(), "random", mocks.Mock(), bars(), budget=2).run(tmp_path)
    with pytest.raises(RunChanged, match="other data"):
        Search(SmallConv(), "random", mocks.Mock(), bars(examples=160), budget=2).run(tmp_path)


def test_what_may_change_may_change(tmp_path):
    """Engine, limits on time and memory, and the budget are no part of what a search finds."""
    Search(mocks.Toy(), "random", mocks.Mock(), budget=5, lag=4).run(tmp_path)
    changed = Search(mocks.Toy(), "random", mocks.Mock(), budget=9, workers=2, timeout=60.0)
    assert len(changed.run(tmp_path).trials) == 9


def test_a_run_another_process_works_in(tmp_path):
    """RunBusy, naming that process; and it can be looked at meanwhile."""
    with mocks_at_work(tmp_path / "run") as other:
        with pytest.raises(RunBusy, match=f"pid {other.pid}"):
            mock_search.search(trials=5).run(tmp_path / "run")
        assert Result.open(tmp_path / "run").trials
        other.kill()
    mock_search.search(trials=5, delay=0.05).run(tmp_path / "run")


def mocks_at_work(run):
    """A process that searches in `run`, as soon as it has claimed a trial."""
    code = "import sys, mock_search; mock_search.search(trials=10**6, delay=0.05).run(sys.argv[1])"
    return started(code, run)


def started(code, run):
    process = subprocess.Popen(
        [sys.executable, "-c", code, run], env=mock_search.environment(), stderr=subprocess.PIPE
    )
    end = time.monotonic() + 60
    while time.monotonic() < end and not searching(run):
        time.sleep(0.05)
    return process


def searching(run):
    try:
        return bool(contents(run))
    except RunError:
        return False


def test_a_deleted_run_directory_is_missed_at_once(tmp_path):
    """Not at the end, and not never."""
    with mocks_at_work(tmp_path / "run") as process:
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert b"ledger.sqlite is gone" in said or b"cannot write in" in said


FULL = """
import resource, sys, mock_search
from cambrian.errors import RunError
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
told = []
class Told(mock_search.Watch):
    def on_end(self, trial): told.append(trial.number) if trial.cached is None else None
try:
    mock_search.search(trials=120, delay=0.0).run(sys.argv[1], Told())
except RunError as error:
    print(error)
print(told)
"""


@pytest.mark.parametrize("size", [1000, 60_000, 200_000])
def test_a_full_disk(size, tmp_path):
    """No file may grow beyond `size` bytes: the search says so and stops, what it had told of is kept, and
    with room again it ends like the undisturbed."""
    run = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-c", FULL, run, str(size)],
        # Python takes a short write for a whole one: half a compiled module would stay for all.
        env=mock_search.environment() | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    error, told = done.stdout.splitlines()
    assert "ledger.sqlite: disk I/O error" in error
    assert "resume" in error
    assert set(json.loads(told)) <= set(mock_search.finished(run))
    mock_search.search(trials=120, delay=0.0).run(run)
    mock_search.search(trials=120, delay=0.0).run(tmp_path / "undisturbed")
    assert contents(run) == contents(tmp_path / "undisturbed")


class Documented(mocks.Mock):
    """An estimator of a user's, of whose attributes nothing is known."""

    content = np.arange(3)


def test_what_an_estimator_calls_its_content_is_its_own():
    """Only of a table's file the run keeps a digest."""
    assert "table" not in Search(mocks.Toy(2), "random", Documented(), budget=2).settings()


def test_there_is_nothing_to_resume(tmp_path):
    """No run, a run that never started, a run of what has no name."""
    with pytest.raises(RunError, match="not a run directory"):
        Search.resume(tmp_path)
    Ledger.create(tmp_path / "ledger.sqlite").close()
    with pytest.raises(RunError, match="never started"):
        Search.resume(tmp_path)
    unnamed = Function(lambda architecture, fidelity: 0.5, builds=False)
    Search(mocks.Toy(), "random", unnamed, budget=1).run(tmp_path)
    with pytest.raises(RunError, match=r"the estimator of .* has no name"):
        Search.resume(tmp_path)


seen = []


class Timed(living.Base):
    """Notes the budget that its problem has."""

    def start(self, problem):
        seen.append((problem.trials, problem.seconds))
        return super().start(problem)

    def propose(self, state, pending, rng):
        return Evaluate(sample(state.space, rng))


def test_a_larger_budget_does_not_change_the_problem(tmp_path):
    """Neither its trials nor its seconds, in however many sessions."""
    seen.clear()
    for trials, seconds in ((2, 100.0), (4, 200.0), (6, 300.0)):
        Search(mocks.Toy(), Timed(), mocks.Mock(), budget=Budget(trials, seconds)).run(tmp_path)
    assert seen == [(2, 100.0)] * 3


def test_a_further_estimator_without_a_name_is_not_resumed_by_name(tmp_path):
    further = {"own": Function(lambda architecture, fidelity: 1.0, builds=False)}
    Search(mocks.Toy(), "random", mocks.Mock(), budget=2, estimators=further).run(tmp_path)
    with pytest.raises(RunError, match=r"the estimator 'own' of .* has no name it could be loaded by"):
        Search.resume(tmp_path, 4)


def test_a_further_estimator_without_a_name_runs_serially():
    further = {"own": Function(lambda architecture, fidelity: 1.0, builds=False)}
    search = Search(mocks.Toy(), "random", mocks.Mock(), budget=2, estimators=further, workers=2)
    assert search.engine.slots == 1
    with pytest.warns(UserWarning, match="the estimator has no name"):
        assert len(search.run().trials) == 2


class Estimates:
    """An estimator as they were before there were jobs."""

    def estimate(self, space, architecture, fidelity, task, context):
        yield from ()


@pytest.mark.parametrize(
    ("estimator", "says"),
    [
        (Estimates(), r"has a method run\(job\), which Estimates lacks: write run\(job\) for estimate"),
        (object(), r"has a method run\(job\), which object lacks$"),
        (mocks.Mock, r"got the class Mock: give Mock\(\.\.\.\)"),
    ],
)
def test_what_is_no_estimator_is_refused(estimator, says):
    with pytest.raises(UsageError, match=says):
        Search(mocks.Toy(), "random", estimator)


def test_where_no_run_can_be(tmp_path, monkeypatch):
    """A file in its place is one sentence."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot make the run directory"):
        mock_search.search(trials=1).run(tmp_path / "file")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").write_text("")
    with pytest.raises(UsageError, match="cannot make the run directory runs"):
        finishing("random", 1).run()


@dataclasses.dataclass(frozen=True)
class Unbuilt(mocks.Mock):
    """Some trials cost nothing, since there is no network."""

    def run(self, job):
        if job.number in (3, 7, 8, 9):
            return Infeasible("unbuildable")
        return (yield from super().run(job))


@pytest.mark.parametrize("engine", ["serial", Stack(4)])
def test_a_budget_of_epochs_begins_as_many_trials_on_every_engine(engine, tmp_path):
    """Ten that were trained, though all of the last ones were under way when the budget was spent, had none
    failed; and a run that has ended is left as it is."""

    def search():
        return Search(mocks.Toy(9), "random", Unbuilt(), budget="10epochs", engine=engine, lag=4)

    first = search().run(tmp_path / "run")
    assert len(first.trials) == 14
    assert search().run(tmp_path / "run").rows == first.rows


mended = []


@dataclasses.dataclass(frozen=True)
class Raising:
    """Fails once it has learned a trial, until it is mended."""

    needs: ClassVar[tuple[type, ...]] = ()

    def start(self, problem):
        return 0

    def propose(self, state, pending, rng):
        if state and not mended:
            raise ValueError("a mistake of the strategy's")
        return Evaluate(sample(mocks.Toy(9), rng))

    def learn(self, state, trial):
        return state + 1


def test_what_ran_when_the_strategy_failed_does_not_count_as_crashed(tmp_path, monkeypatch):
    """However often the user tries to mend it: the trials are no cause of it."""
    place = tmp_path / "run"

    def search():
        return Search(mocks.Toy(9), Raising(), mocks.Mock(), budget=6, engine=Stack(3), lag=3, attempts=2)

    for _ in range(3):
        with pytest.raises(ValueError, match="a mistake of the strategy's"):
            search().run(place)
    monkeypatch.setattr(sys.modules[__name__], "mended", [True])
    result = search().run(place)
    assert not [t for t in result.trials if isinstance(t.outcome, Crashed)]
    assert len(result.trials) == 6


def test_a_training_of_the_final_stage_is_not_charged_with_a_trials_losses(tmp_path):
    """Both have the number 0, and each was lost once."""
    ledger = Ledger.create(None)
    attempts = Attempts(ledger, 2)
    trial = Row(Trial(0, sample(mocks.Toy(2), stream(0, "lost")), Fidelity()), "key", "running", 1, 0)
    final = msgspec.structs.replace(trial, trial=msgspec.structs.replace(trial.trial, kind="final"))
    assert [attempts.lose(trial, "killed"), attempts.lose(final, "killed")] == [None, None]
    assert attempts.lose(trial, "killed") == Crashed("lost 2 times, the last time: killed")
    ledger.close()


@dataclasses.dataclass(frozen=True)
class Two(Raising):
    """Stops by itself."""

    def propose(self, state, pending, rng):
        return Stop("two are enough") if state == 2 else Evaluate(sample(mocks.Toy(9), rng))


def test_a_search_that_had_stopped_says_again_why(tmp_path):
    """And not that its time is spent, of which it had used next to nothing."""
    told = []

    class Told(Watch):
        def on_stop(self, reason):
            told.append(reason)

    for _ in range(2):
        Search(mocks.Toy(9), Two(), mocks.Mock(), budget="1h").run(tmp_path / "run", Told())
    assert told == ["two are enough", "two are enough"]


@pytest.fixture
def slept(monkeypatch):
    """The machine's clock is moved on by `time.sleep` alone, and `slept()` is the time since the start."""
    now = [1000.0]
    monkeypatch.setattr(time, "sleep", lambda seconds: now.append(now[-1] + seconds))
    monkeypatch.setattr(time, "monotonic", lambda: now[-1])
    return lambda: now[-1] - now[0]


def test_seconds_stop_a_search_for_good(slept, tmp_path):
    """A budget of seconds ends the search within a trial; resumed with the same one it stays ended, with a
    larger one it goes on."""

    def search(budget):
        return Search(mocks.Toy(6), "random", mocks.Mock(0.02), budget=budget)

    first = search("0.5s").run(tmp_path / "run")
    assert slept() == pytest.approx(0.5)
    assert len(first.trials) == pytest.approx(25, abs=1)
    assert "budget of 0.5s is spent" in first.events[-1][2]["reason"]
    again = search("0.5s").run(tmp_path / "run")
    assert again.rows == first.rows
    more = search("1s").run(tmp_path / "run")
    assert len(more.trials) > len(first.trials)
    ended = {row.trial.number: row for row in first.rows if row.trial.outcome is not None}
    assert {n: more.rows[n] for n in ended} == ended  # a trial that was stopped at the deadline goes on


def test_the_final_stage_is_inside_the_budget_of_seconds(slept, tmp_path):
    """A third of the time is kept for it."""
    search = finishing("random", "1.5s")
    search.estimators[""] = Delivering(0.02)
    result = search.run(tmp_path / "run")
    assert result.winner is not None
    assert slept() <= 1.5
    assert max(r.elapsed for r in result.rows if not r.final and r.elapsed) == pytest.approx(1.0, abs=0.03)


def test_signals(tmp_path):
    """SIGINT to a search in a script is a KeyboardInterrupt, within moments; the run goes on later."""
    with mocks_at_work(tmp_path / "run") as process:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=10)
    assert said.rstrip().endswith(b"KeyboardInterrupt")
    before = mock_search.finished(tmp_path / "run")
    search = mock_search.search(trials=len(before) + 5, delay=0.05)
    search.run(tmp_path / "run")
    now = mock_search.finished(tmp_path / "run")
    assert now | before == now


def test_a_dear_outcome_is_kept_before_the_strategy_thinks(tmp_path):
    """An evaluation that took long is in the ledger before the next proposal is thought about."""
    seen = []

    @dataclasses.dataclass(frozen=True)
    class Slow:
        needs: ClassVar[tuple[type, ...]] = ()

        def start(self, problem):
            return problem.space

        def propose(self, state, pending, rng):
            if (tmp_path / "ledger.sqlite").exists():
                seen.append(len(mock_search.finished(tmp_path)))
            from cambrian.architecture import sample
            from cambrian.strategies.strategy import Evaluate

            return Evaluate(sample(state, rng))

        def learn(self, state, trial):
            return state

    @dataclasses.dataclass(frozen=True)
    class Costly(mocks.Mock):
        def run(self, job):
            yield from ()
            time.sleep(1.1 * DEAR)
            return Done(0.5, seconds=1.1 * DEAR)

    Search(mocks.Toy(8), Slow(), Costly(), budget=4).run(tmp_path)
    assert seen == [0, 1, 2, 3]


def endless(budget, seconds=None):
    """A search whose last training ends with a time alone, unless its fidelity has `seconds`."""
    final = Final(Fidelity(ENDLESS, seconds=seconds), top=1, baselines=())
    return Search("tiny-chain", "random", "train", budget=budget, final=final)


def test_a_training_without_an_end_wants_a_time(tmp_path):
    """A race is begun within a time; resumed for a number of trials or epochs, its last training would never
    end. It is refused before anything is stored, as is a search that begins so."""
    with at_work(tmp_path) as ledger:
        agree(endless("1h"), ledger)
    for budget in (400, "90 epochs"):
        with pytest.raises(UsageError, match=f"the budget is {Budget.parse(budget)}: give a time, as 1h"):
            Search.resume(tmp_path, budget)
    with pytest.raises(UsageError, match="budget of time, and none is given"):
        endless(None)
    assert Result.open(tmp_path).facts["budget"]["seconds"] == 3600.0
    assert [Search.resume(tmp_path, each).budget.seconds for each in (None, "400,2h")] == [3600.0, 7200.0]
    assert endless(400, seconds=9.0).final.fidelity.seconds == 9.0
