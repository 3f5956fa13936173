"""Several objectives: a strategy gets the vectors, what is recommended is the front."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

import living
import mocks
from cambrian.architecture import Architecture, sample
from cambrian.errors import UsageError
from cambrian.outcome import Done, Fidelity, Infeasible, Trial
from cambrian.problem import Objective, Problem
from cambrian.recommendation import dominates, find_front, front_numbers, rank_trials
from cambrian.request import Evaluate
from cambrian.search.delivery.recommended import read_recommendation
from cambrian.search.result import Result
from cambrian.search.search import Search

VECTORS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 2)), max_size=14)


@dataclass(frozen=True)
class TwoNumbers:
    """A value by the architecture, and a cost that is another hash of it; some cannot be had."""

    needs: ClassVar[tuple[type, ...]] = ()
    builds: ClassVar[bool] = False
    delivers: ClassVar[bool] = False

    def run(self, job: Any) -> Any:
        yield from ()
        cost = round(10 * mocks.truth(job.architecture, 1))
        if cost == 7:
            return Infeasible("limit", "made up", metrics={"cost": float(cost)})
        return Done(round(10 * mocks.truth(job.architecture, 0)) / 10, {"cost": float(cost)})


@dataclass(frozen=True)
class Witness(living.Base):
    """Notes the vectors it is told."""

    told: list[tuple[float, ...]] = field(default_factory=list)
    objectives: list[Objective] = field(default_factory=list)

    def start(self, problem: Problem) -> Any:
        self.objectives[:] = problem.objectives
        self.told.clear()
        return living.Trials(problem.space)

    def propose(self, state: Any, pending: Any, rng: Any) -> Any:
        return Evaluate(sample(state.space, rng))

    def learn(self, state: Any, trial: Trial) -> Any:
        if trial.value is not None:
            self.told.append(trial.scores(self.objectives))
        return super().learn(state, trial)


def search(strategy: Any) -> Search:
    return Search(mocks.Toy(4), strategy, TwoNumbers(), budget=60, objectives=("-cost",))


def test_a_strategy_gets_the_vectors_and_the_front_is_recommended(tmp_path: Path) -> None:
    """All but the last trial are learned, by the loop's lag; the front is that of brute force, and what is
    recommended begins with it. Metrics of what could not be had are in the ledger."""
    witness = Witness()
    result = search(witness).run(tmp_path / "run")
    vectors = {t.number: (t.value, -t.outcome.metrics["cost"]) for t in result.trials if t.value is not None}
    learned = [vectors[n] for n in sorted(vectors) if n < 60]
    assert witness.told == learned[: len(witness.told)]
    assert len(witness.told) >= len(learned) - 1
    assert [str(o) for o in witness.objectives] == ["value, higher is better", "cost, lower is better"]
    front = {n for n in vectors if not any(dominates(vectors[m], vectors[n]) for m in vectors)}
    assert {vectors[t.number] for t in result.front} == {vectors[n] for n in front}
    size = len(front)
    assert {t.number for t in result.recommended[:size]} == front
    refused = [t for t in Result.open(tmp_path / "run").trials if isinstance(t.outcome, Infeasible)]
    assert refused
    assert all(t.outcome.metrics == {"cost": 7.0} for t in refused)


def test_a_direction_that_nobody_knows_is_asked_for() -> None:
    with pytest.raises(UsageError, match="objective 'sparkle': say whether lower is better: '-sparkle'"):
        Search(mocks.Toy(), "random", TwoNumbers(), objectives=("sparkle",))


@given(VECTORS)
def test_fronts_are_those_of_brute_force(vectors: list[tuple[int, ...]]) -> None:
    """Front n are those that nobody outside of the fronts before it dominates."""
    numbers, left, n = front_numbers(vectors), set(range(len(vectors))), 0
    while left:
        front = {i for i in left if not any(dominates(vectors[j], vectors[i]) for j in left)}
        assert {i for i in left if numbers[i] == n} == front
        left, n = left - front, n + 1


@given(VECTORS)
def test_the_ranking_is_front_by_front(vectors: list[tuple[int, ...]]) -> None:
    """Within a front by the first objective, of equals the earlier; and the front has each vector once."""
    objectives = (Objective(), Objective("b"), Objective("c", minimize=True))
    trials = [
        Trial(n, Architecture({"n": n}), Fidelity(), outcome=Done(float(a), {"b": float(b), "c": -float(c)}))
        for n, (a, b, c) in enumerate(vectors)
    ]
    ranked = rank_trials(trials, objectives)
    numbers = front_numbers([t.scores(objectives) for t in trials])
    keys = [(numbers[t.number], -t.value, t.number) for t in ranked]
    assert keys == sorted(keys)
    front = find_front(trials, objectives)
    assert {t.scores(objectives) for t in front} == {
        trials[n].scores(objectives) for n in range(len(trials)) if numbers[n] == 0
    }
    assert len({t.scores(objectives) for t in front}) == len(front)


def test_fronts_compare_trials_of_equal_epochs() -> None:
    """A trial of one epoch neither pushes one of 27 epochs off the front nor stands on it."""
    known = [(1, 0.9, 1.0), (27, 0.8, 2.0), (27, 0.7, 1.5), (27, 0.6, 3.0), (1, 0.95, 9.0)]
    trials = [
        Trial(n, Architecture({"n": n}), Fidelity(epochs), outcome=Done(value, {"cost": cost}))
        for n, (epochs, value, cost) in enumerate(known)
    ]
    objectives = (Objective("accuracy"), Objective("cost", minimize=True))
    assert [t.number for t in find_front(trials, objectives)] == [1, 2]
    assert [t.number for t in rank_trials(trials, objectives)] == [1, 2, 3, 4, 0]


@dataclass(frozen=True)
class Improving(TwoNumbers):
    """Each trial dominates all before it."""

    def run(self, job: Any) -> Any:
        yield from ()
        return Done(float(job.number), {"cost": -float(job.number)})


def test_the_last_trial_is_recommended_too(tmp_path: Path) -> None:
    """The strategy is asked for no proposal after it, and so learns of it at the end."""
    witness = Witness()
    result = Search(mocks.Toy(6), witness, Improving(), budget=10, objectives=("-cost",)).run(tmp_path)
    assert len(witness.told) == 10
    assert [t.number for t in result.recommended] == list(reversed(range(10)))


def test_a_search_that_went_on_recommends_what_dominates() -> None:
    """Of several objectives too, a ranking of the strategy's counts only as long as nothing better came."""
    objectives = (Objective(), Objective("cost", minimize=True))
    events = [(0.0, "recommend", {"numbers": [1, 0]})]
    trials = [
        Trial(n, Architecture({"n": n}), Fidelity(), outcome=Done(value, {"cost": cost}))
        for n, (value, cost) in enumerate([(3.0, 3.0), (1.0, 1.0), (9.0, 9.0)])
    ]
    assert [t.number for t in read_recommendation(trials, objectives, events)] == [1, 0, 2]
    trials.append(Trial(3, Architecture({"n": 3}), Fidelity(), outcome=Done(1.0, {"cost": 0.5})))
    assert [t.number for t in read_recommendation(trials, objectives, events)] == [2, 0, 3, 1]
