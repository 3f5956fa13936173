"""What a proposal knows: a function of the lag and of the strategy's waiting, and of nothing else."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mock_search
import mocks
from cambrian.architecture import Architecture, sample
from cambrian.errors import CambrianError
from cambrian.estimators.function import Function
from cambrian.outcome import Crashed, Done
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.loop.breaker import ALIKE
from cambrian.search.loop.coordinator import EXHAUSTED, Coordinator, Means
from cambrian.search.search import Search
from cambrian.strategies.strategy import Evaluate, Stop, TrainSupernet, Wait

SPACE = mocks.Toy(questions=8)


@dataclass(frozen=True)
class Witness:
    """Notes which trials it had learned, with their values, and which it was told are pending. Before
    proposals named in `barriers` it waits until everything before them is learned."""

    barriers: tuple[int, ...] = ()
    stop: int = 40
    needs: ClassVar[tuple[type, ...]] = ()

    def start(self, problem: Problem) -> tuple[Any, ...]:
        return (problem.space,)

    def propose(self, state, pending, rng):
        space, *learned = state
        number = len(learned) + len(pending)
        if number >= self.stop:
            return Stop("enough")
        if number in self.barriers and pending:
            return Wait()
        assert all(t.outcome is None for t in pending)
        note = {"learned": learned, "pending": [t.number for t in pending], "draw": float(rng.random())}
        return Evaluate(sample(space, rng), reason=note)

    def learn(self, state, trial):
        return (*state, [trial.number, trial.value])


def coordinator(strategy, ledger=None, lag=1, **more):
    return Coordinator(
        Problem(SPACE),
        strategy,
        ledger or Ledger.create(None),
        lag=lag,
        means={"": Means("")},
        **more,
    )


def value(number):
    return number * 0.5 - 3


def played(strategy, lag, slots, rng):
    """Trials in the order proposed, `slots` at a time, ending in an order of chance."""
    told = coordinator(strategy, lag=lag)
    running: list[int] = []
    while True:
        row = told.next() if len(running) < slots else Wait()
        if isinstance(row, Stop) and not running:
            return told.trials
        if isinstance(row, Stop | Wait):
            number = running.pop(rng.randrange(len(running)))
            told.finish(number, Done(value(number)))
            continue
        told.claim(row)
        assert row.knew == len(row.trial.reason["learned"])
        running.append(row.trial.number)


@given(
    st.integers(1, 9),
    st.integers(1, 6),
    st.sets(st.integers(0, 39), max_size=6),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60, deadline=None)
def test_a_proposal_knows_exactly_what_it_should(lag, slots, barriers, rng):
    """Proposal n knows trials 0..n-L, or all before it where it waited for them, or what its predecessor
    knew if that is more; whatever the slots and the order in which trials end."""
    trials = played(Witness(tuple(sorted(barriers))), lag, slots, rng)
    assert [t.number for t in trials] == list(range(40))
    knew = 0
    for n, trial in enumerate(trials):
        knew = n if n in barriers else max(knew, n - lag + 1, 0)
        assert trial.reason["learned"] == [[k, value(k)] for k in range(knew)]
        assert trial.reason["pending"] == list(range(knew, n))
        assert trial.reason["draw"] == stream(0, "propose", n).random()


def test_searches_agree_whatever_the_workers(tmp_path):
    """The ledgers of one search in memory, on disk, and on two processes are equal."""
    ledgers = []
    for engine, place in (("serial", "serial"), ("processes", "processes")):
        mock_search.search(engine=engine, trials=60, delay=0.0).run(tmp_path / place)
        ledgers.append(mock_search.contents(tmp_path / place))
    in_memory = mock_search.search(trials=60, delay=0.0).run()
    assert ledgers[0] == ledgers[1]
    assert [row[5] for row in ledgers[0]] == [_bare(r) for r in in_memory.rows]


def _bare(row):
    import msgspec

    from cambrian.codec import encode

    return encode(msgspec.structs.replace(row.trial, outcome=None))


def test_another_lag_is_another_search(tmp_path):
    """The lag is part of what a proposal knows, so progressive search notes it in `knew`."""
    knew = []
    for lag in (1, 4):
        result = mock_search.search("progressive", trials=60, delay=0.0, lag=lag).run()
        knew.append([row.knew for row in result.rows])
    assert knew[0] == list(range(60))
    assert knew[1] != knew[0]
    assert all(0 <= n - k < 4 for n, k in enumerate(knew[1]))


@dataclass(frozen=True)
class Stubborn(Witness):
    """Proposes one architecture for ever; with `wait`, waits for ever; with `job`, wants a supernet."""

    does: str = "repeat"

    def propose(self, state, pending, rng):
        if self.does == "repeat":
            return Evaluate(Architecture({f"q{i}": "a" for i in range(8)}))
        return Wait() if self.does == "wait" else TrainSupernet(Architecture({}))


def test_repeats_count_as_trials_and_cost_nothing():
    """An architecture is evaluated once; its repeats refer to the first and share its outcome."""
    calls = []
    search = Search(SPACE, Stubborn(), lambda a, f: calls.append(a) or 0.5, budget=20)
    search.estimators[""] = Function(search.estimator.function, builds=False)
    result = search.run()
    assert len(calls) == 1
    assert len(result.trials) == 20
    assert [t.cached for t in result.trials] == [None] + [0] * 19
    assert {t.value for t in result.trials} == {0.5}
    assert result.seconds()["search"] == pytest.approx(result.trials[0].outcome.seconds)


def test_nothing_but_repeats_ends_the_search():
    """Exhausted, after so many in a row."""
    search = Search(SPACE, Stubborn(), mocks.Mock())
    result = search.run()
    assert len(result.trials) == EXHAUSTED + 1
    assert "exhausted" in result.events[-1][2]["reason"]


@pytest.mark.parametrize(
    ("does", "says"),
    [("wait", "waits though nothing is pending"), ("job", "TrainSupernet, which no estimator here can do")],
)
def test_misuse_is_told(does, says):
    """A strategy that waits for nothing, or wants what no estimator here can do."""
    with pytest.raises(CambrianError, match=says):
        coordinator(Stubborn(does=does)).next()


def test_resuming_proposes_nothing_anew():
    """Recorded proposals are read: a strategy that would propose otherwise now changes none of them."""
    ledger = Ledger.create(None)
    first = coordinator(Witness(), ledger, lag=2)
    for n in range(6):
        row = first.next()
        ledger.record(claimed=[row])
        first.claim(row)
        ledger.record([(n, 1, Done(value(n)), 0.0)])
        first.finish(n, Done(value(n)))
    assert coordinator(Stubborn(), ledger, lag=2).trials == [row.trial for row in ledger.rows()]
    second = coordinator(Witness(), ledger, lag=2)
    assert second.learned == 4
    assert second.next().trial == first.next().trial
    ledger.close()


def crashed(n, error="ValueError: bad shape (3, 4)"):
    return Crashed(error, f"the traceback of trial {n}")


@pytest.mark.parametrize("lag", [1, 4])
def test_a_search_that_only_crashes_stops(lag):
    """After ALIKE errors that differ in their numbers only: at the same trial for every order of ends."""
    told = coordinator(Witness(), lag=lag)
    while not isinstance(row := told.next(), Stop):
        told.claim(row)
        n = row.trial.number
        told.finish(n, crashed(n, f"ValueError: bad shape ({n}, 4)"))
    assert len(told.trials) == ALIKE + lag - 1
    assert f"{ALIKE} trials in a row crashed alike" in row.reason
    assert told.breaker.last.traceback == f"the traceback of trial {ALIKE - 1}"


@pytest.mark.parametrize(
    "outcome",
    [
        lambda n: Done(0.5) if n == ALIKE - 1 else crashed(n),
        lambda n: crashed(n, "ValueError: " + "ab"[n % 2]),
        lambda n: crashed(n) if n % ALIKE else crashed(n, "another"),
    ],
    ids=["one success", "two errors in turn", "another error now and then"],
)
def test_a_search_that_may_yet_succeed_goes_on(outcome):
    """Whatever fails otherwise than alike and from the beginning."""
    told = coordinator(Witness())
    while not isinstance(row := told.next(), Stop):
        told.claim(row)
        told.finish(row.trial.number, outcome(row.trial.number))
    assert row.reason == "enough"


def test_a_proposal_late_in_a_search_costs_what_an_early_one_does():
    """Over 4,000 trials of random search, with repeats: at most twice the time per trial, and the in-memory
    ledger's share too."""
    ledger = Ledger.create(None)
    told = coordinator(mock_random(), ledger, lag=4)
    times = []
    for n in range(4000):
        started = time.process_time()
        row = told.next()
        ledger.record([(n - 1, 1, Done(0.5), 0.0)] if n and told.trials[-1].cached is None else [], [row])
        told.claim(row)
        if row.trial.cached is None:
            told.finish(n, Done(0.5))
        times.append(time.process_time() - started)
    early, late = sorted(times[100:600]), sorted(times[3500:])
    assert late[250] <= 2 * early[250], (early[250], late[250])
    ledger.close()


def mock_random():
    from cambrian.strategies.random import Random

    return Random()


def test_an_estimator_reads_what_the_proposal_knew():
    """Whatever was learned since, and in a session that resumes the run too."""
    ledger = Ledger.create(None)
    reading = {"means": {"": Means("", reads_history=True)}}
    told = Coordinator(Problem(SPACE), Witness(), ledger, lag=2, **reading)
    for number in range(6):
        row = told.next()
        ledger.record(claimed=[row])
        told.claim(row)
        told.finish(number, Done(value(number)))
        ledger.record([(number, 1, Done(value(number)), 0.0)])
    again = Coordinator(Problem(SPACE), Witness(), ledger, lag=2, **reading)
    for each in (told, again):
        assert [[t.number for t in each.history(trial)] for trial in each.trials] == [
            list(range(max(0, n - 1))) for n in range(6)
        ]


@dataclass(frozen=True)
class Begun(mocks.Toy):
    """A space that begins with two architectures."""

    @property
    def begins(self) -> dict[str, Architecture]:
        return {f"number {n}": sample(SPACE, stream(9, "begins", n)) for n in range(2)}


@dataclass(frozen=True)
class Alone(Witness):
    """A strategy that learns its own trials alone."""

    own_trials: ClassVar[bool] = True


@pytest.mark.parametrize("kind", [Witness, Alone])
@pytest.mark.parametrize("lag", [1, 3])
def test_a_space_says_what_a_search_begins_with(kind: type[Witness], lag: int) -> None:
    """Its architectures are the first trials, in their order and with their names; the strategy's own follow.
    One that learns its own trials alone is never told of them, neither before nor afterwards."""
    space = Begun(questions=8)
    search = Search(space, kind(stop=6), Function(lambda a: 1.0, builds=False), budget=7, lag=lag)
    trials = search.run(quiet=True).trials
    assert [t.architecture for t in trials[:2]] == list(space.begins.values())
    assert [t.reason.get("begins") for t in trials] == ["number 0", "number 1", *[None] * (len(trials) - 2)]
    told = {n for t in trials[2:] for n in (*dict(t.reason["learned"]), *t.reason["pending"])}
    assert bool(told & {0, 1}) == (kind is Witness)
