"""Whatever an evaluation does costs one trial; what fails always, stops the search."""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar

import numpy as np
import pytest

from cambrian.errors import NothingSucceeded, RunError
from cambrian.estimators.function import Function
from cambrian.outcome import Crashed, Done, Infeasible
from cambrian.predictors.ridge import Ridge
from cambrian.search.engines.serial import Serial
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.loop.attempts import Attempts
from cambrian.search.loop.breaker import ALIKE
from cambrian.search.search import Search
from mock_search import DEEDS, Deeds, InOrder

EXPECTED = {
    "good": (Done, ""),
    "nan": (Infeasible, "nan"),
    "infinite": (Infeasible, "nan"),
    "none": (Crashed, "expected a number, got None"),
    "nan_curve": (Infeasible, "nan"),
    "exception": (Crashed, "ValueError: deliberate"),
    "leave": (Crashed, "SystemExit: 3"),
    "segfault": (Crashed, "SIGSEGV"),
    "abort": (Crashed, "SIGABRT"),
    "vanish": (Crashed, "exited with code 0 and without a result"),
    "endless": (Infeasible, "timeout"),
    "hold_gil": (Infeasible, "timeout"),
    "allocate": (Infeasible, "oom"),
    "flood": (Done, ""),
}


def test_each_way_to_fail_costs_one_trial(tmp_path):
    """On two processes with limits on time and memory: every trial ends as what it was, none is lost or
    tried again, the best is a finite number, and the run says so when it is opened."""
    deeds = (*DEEDS, "good")
    search = Search(
        Deeds(),
        InOrder(deeds),
        Function("mocks:obey", builds=False),
        engine="processes",
        workers=2,
        timeout=4.0,
        memory=1 << 27,
    )
    result = search.run(tmp_path / "run")
    assert [t.architecture["do"] for t in result.trials] == list(deeds)
    for trial, row in zip(result.trials, result.rows):
        kind, says = EXPECTED[trial.architecture["do"]]
        assert isinstance(trial.outcome, kind), trial
        assert says in str(trial.outcome)
        assert row.attempt == 1
        assert trial.outcome.seconds < 9.0
    assert result.best == result.trials[0]
    assert math.isfinite(result.best.value)


@dataclasses.dataclass(frozen=True)
class Killing(Deeds):
    def program(self, pick):
        pick("do", ["killed", "good"])
        pick("copy", list(range(20)))


def test_a_trial_that_is_always_lost_ends_as_crashed(tmp_path):
    """Killed from outside in every attempt: given up after as many as the search allows."""
    search = Search(
        Killing(),
        InOrder(("killed", "good")),
        Function("mocks:obey", builds=False),
        engine="processes",
        workers=1,
        attempts=3,
    )
    lost, good = search.run(tmp_path / "run").rows
    assert lost.trial.outcome.error.startswith(
        "lost 3 times, the last time: its process was killed by SIGKILL"
    )
    assert lost.attempt == 3
    assert good.trial.value == 0.5


SEEN: list[np.ndarray] = []


@dataclasses.dataclass(frozen=True)
class Watching(Ridge):
    """Ridge regression that keeps what it is fitted on."""

    def fit_tokens(self, state, tokens, values):
        SEEN.append(values)
        return Ridge.fit_tokens(self, state, tokens, values)


@dataclasses.dataclass(frozen=True)
class Third:
    """A third of its values are no finite numbers, or none at all."""

    needs: ClassVar[tuple[type, ...]] = ()
    builds: ClassVar[bool] = False
    delivers: ClassVar[bool] = False

    def run(self, job):
        odd = [math.nan, math.inf, -math.inf, None, "good", 1 + 2j, 10**400]
        value = odd[job.number % 7] if job.number % 3 == 0 else np.float32(job.number % 11)
        yield from ()
        from cambrian.outcome import outcome_of

        return outcome_of(value)


def test_surrogates_and_the_best_see_finite_numbers():
    """NaN, infinities, None, text, complex and oversized numbers in a third of all trials."""
    SEEN.clear()
    strategy = {"name": "progressive", "arguments": {"keep": 20, "surrogate": "test_failures:Watching"}}
    result = Search({"name": "tiny-chain", "arguments": {"layers": 4}}, strategy, Third()).run()
    assert len(SEEN) == 3
    assert all(np.isfinite(values).all() for values in SEEN)
    failed = [t for t in result.trials if t.cached is None and t.value is None]
    assert len(failed) > len(result.trials) / 4
    assert result.best.value == max(t.value for t in result.trials if t.value is not None)
    assert math.isfinite(result.best.value)


MENDED: list[int] = []


def flawed(architecture, fidelity):
    if not MENDED:
        raise ValueError("matrices of shapes 3 and 4 do not fit")
    return 0.5


def test_a_search_that_only_fails_stops_with_one_traceback(tmp_path):
    """Not after the budget, but after ALIKE; resumed it tries as many more; once mended, it goes on."""
    MENDED.clear()

    def search():
        function = Function("test_failures:flawed", builds=False)
        return Search("tiny-chain", "random", function, budget=60)

    for times in (1, 2):
        with pytest.raises(RunError) as caught:
            search().run(tmp_path / "run")
        assert str(caught.value).count("Traceback (most recent call last)") == 1
        assert str(caught.value).endswith("ValueError: matrices of shapes 3 and 4 do not fit")
        ledger = Ledger.read(tmp_path / "run" / "ledger.sqlite")
        assert sum(r.state == "crashed" for r in ledger.rows()) == times * ALIKE
        ledger.close()
    MENDED.append(1)
    result = search().run(tmp_path / "run")
    assert len(result.trials) == 60
    assert result.best.value == 0.5


@dataclasses.dataclass(frozen=True)
class Unmeasured(Third):
    """Over a limit by a measure that is no finite number."""

    def run(self, job):
        yield from ()
        return Infeasible("limit", "too slow", metrics={"latency": math.inf, "params": 3.0})


def test_what_is_infeasible_keeps_its_finite_metrics():
    with pytest.raises(NothingSucceeded, match="too slow") as caught:
        Search(Deeds(), "random", Unmeasured(), budget=1).run()
    (trial,) = caught.value.result.trials
    assert trial.outcome.reason == "limit"
    assert trial.outcome.metrics == {"params": 3.0}


def test_kills_count_against_the_trials_that_were_begun_alone(tmp_path, monkeypatch):
    """Six workers leave six trials; of a search that goes on with one worker and is killed again and again,
    five of them wait each time, and none of these has ended it."""

    def fresh() -> Search:
        return Search(
            Deeds(), InOrder(("good",) * 8), Function("mocks:obey", builds=False), lag=8, attempts=3
        )

    talk = fresh()
    for _ in range(6):
        talk.ask(tmp_path)
    talk.close()

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Serial, "wait", die)
        patch.setattr(Attempts, "forgive", lambda *_: None)  # a kill leaves no note
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                fresh().run(tmp_path, quiet=True)
    ledger = Ledger.read(tmp_path / "ledger.sqlite")
    assert [row.attempt for row in ledger.rows()] == [3, 2, 1, 1, 1, 1]
    ledger.close()
    result = fresh().run(tmp_path, quiet=True)
    assert [trial.value is not None for trial in result.trials] == [False] + [True] * 7


def test_waiting_for_a_slot_is_no_interruption(tmp_path, monkeypatch):
    """A trial that waits while its search is stopped was not begun, and is begun no more often for that."""
    talk = Search(Deeds(), InOrder(("good",) * 4), Function("mocks:obey", builds=False), lag=4)
    for _ in range(3):
        talk.ask(tmp_path)
    talk.close()

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Serial, "wait", stop)
    with pytest.raises(KeyboardInterrupt):
        Search(Deeds(), InOrder(("good",) * 4), Function("mocks:obey", builds=False), lag=4).run(
            tmp_path, quiet=True
        )
    ledger = Ledger.read(tmp_path / "ledger.sqlite")
    assert [value["names"] for _, _, value in ledger.events("interrupted")] == [["0"]]
    ledger.close()
