"""Which network a search recommends where its strategy trains unlike ones, was not told of some, or is within
another; and how many trials such a strategy counts on."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

import mocks
from cambrian.architecture import Architecture
from cambrian.effort import FREE, count_epochs
from cambrian.errors import UsageError
from cambrian.estimators.estimator import Estimate, Job
from cambrian.estimators.function import Function
from cambrian.outcome import Done, Fidelity, Trial
from cambrian.problem import Problem
from cambrian.request import Evaluate
from cambrian.search.delivery.front_choice import name_begun
from cambrian.search.result import Result
from cambrian.search.search import Search
from cambrian.spaces import SPACES
from cambrian.spaces.space import Space
from cambrian.strategies import STRATEGIES
from cambrian.strategies.audited import AUDIT, Audited
from cambrian.strategies.evolution.tournament import trivial
from cambrian.strategies.morphing.eas import EAS
from cambrian.strategies.morphing.nash import NASH
from cambrian.strategies.morphing.path_level import PathLevel
from cambrian.strategies.multifidelity.successive_halving import SuccessiveHalving
from cambrian.strategies.progressive import Progressive
from cambrian.strategies.promise import FEWER, LONGER, PLANNED, SHORTER
from cambrian.strategies.reinforcement.ppo import PPO
from cambrian.strategies.remeasured import Remeasured
from cambrian.weights import Continue, Fresh, Inherit

CELLS = SPACES.make("nasbench201")
Value = Callable[[Job], float]


@dataclass(frozen=True)
class Made:
    """Values that are made up for each job, of trainings with any first weights and at any fidelity."""

    value: Value
    needs: ClassVar[tuple[type, ...]] = ()
    builds: ClassVar[bool] = False
    delivers: ClassVar[bool] = False
    serves: ClassVar[tuple[type, ...]] = (Evaluate, Fresh, Inherit, Continue)
    axes: ClassVar[Any] = FREE

    def run(self, job: Job) -> Estimate:
        return Done(self.value(job))
        yield


def run(space: Space, strategy: Any, budget: int, value: Value, epochs: int = 8, **more: Any) -> Result:
    search = Search(space, strategy, Made(value), budget=budget, fidelity=Fidelity(epochs), **more)
    return search.run(quiet=True)


def tell_apart(architecture: Architecture) -> float:
    """A little that no two architectures have in common."""
    return zlib.crc32(architecture.key.encode()) / 2**32 / 100


def count(architecture: Architecture) -> float:
    """The convolutions of a cell, and a little that tells cells apart."""
    return sum("conv" in str(answer) for answer in architecture.values()) + tell_apart(architecture)


def best_value(result: Result) -> float:
    assert result.best is not None
    assert result.best.value is not None
    return result.best.value


# -- a first network with more epochs than its children -----------------------------------------------


@pytest.mark.parametrize(
    ("space", "strategy"),
    [
        ("network-morphism", NASH(neighbours=3, epochs=3, first_epochs=5)),
        ("network-morphism", EAS(networks=3, hidden=4, embedding=4, epochs=3, first_epochs=5)),
        ("tree-cells(depth=1)", PathLevel(networks=3, hidden=4, embedding=4, epochs=3, first_epochs=5)),
    ],
    ids=["nash", "eas", "path-level"],
)
def test_a_first_network_of_more_epochs_does_not_stand_before_its_children(space: str, strategy: Any) -> None:
    """Values grow with what a network has that the first one has not: the best is recommended, and the first
    not even third. Where they fall, no child is better than the first."""
    made = SPACES.parse(space)
    result = run(made, strategy, 13, lambda job: grow(made, job))
    assert best_value(result) == max(t.value or 0.0 for t in result.trials)
    assert 0 not in [t.number for t in result.recommended[:3]]
    shrunk = run(made, strategy, 13, lambda job: -grow(made, job))
    assert shrunk.best is not None
    assert shrunk.best.architecture == shrunk.trials[0].architecture


def grow(space: Space, job: Job) -> float:
    """A value by the answers that the smallest network of the space does not have."""
    first = trivial(space, 0)
    return sum(first.get(p) != a for p, a in job.architecture.items()) + tell_apart(job.architecture)


def test_nash_recommends_by_its_last_step() -> None:
    """The best of a step that is not complete, against an older leader of a higher value: it has learned for
    longer, and goes on. Then the others of that step and of the one before, by their values."""

    def fall(job: Job) -> float:
        return tell_apart(job.architecture) - job.number // 3

    result = run(SPACES.make("network-morphism"), NASH(neighbours=3, epochs=3, first_epochs=5), 9, fall)
    steps = [[t for t in result.trials if t.memory["step"] == n] for n in (2, 3)]
    former, last = (sorted(step, key=lambda t: -(t.value or 0.0)) for step in steps)
    assert [len(former), len(last)] == [3, 2]
    assert {t.parent for t in last} == {former[0].number}
    assert [t.number for t in result.recommended[:4]] == [t.number for t in (*last, *former[1:])]


# -- networks that a space begins with ----------------------------------------------------------------


@dataclass(frozen=True)
class Begun(mocks.Toy):
    """A space that begins with an architecture, as that of a user's own network does."""

    @property
    def begins(self) -> dict[str, Architecture]:
        return {"your network": Architecture({f"q{n}": "d" for n in range(self.questions)})}


OWN = Begun(questions=4)
MINE = OWN.begins["your network"]


def place_mine(share: float) -> Value:
    """Values that fall with every epoch less. Of other networks they are between 0 and 1 before that, and
    `share` for the user's."""

    def value(job: Job) -> float:
        own = share if job.architecture == MINE else 100 * tell_apart(job.architecture)
        return own - 1 / (1 + count_epochs(job.fidelity))

    return value


@pytest.mark.parametrize(
    "strategy",
    [
        "asha",
        "pasha",
        "bayes-asha(initial=3)",
        "successive-halving",
        "hyperband",
        "remeasured",
        "remeasured(strategy=asha)",
        "audited",
        'audited(strategy="ppo(hidden=4)")',
        "remeasured(strategy=audited)",
    ],
)
def test_a_users_own_network_is_recommended_where_it_is_best(strategy: str) -> None:
    """Though the strategy learns its own trials alone; and only there. It is measured first, named once."""
    for share, mine in ((1.0, True), (0.3, False)):
        result = run(OWN, STRATEGIES.parse(strategy), 40, place_mine(share), epochs=9)
        assert result.best is not None
        assert (result.best.architecture == MINE) == mine
        assert [t.number for t in result.trials if name_begun(t)] == [0]


def test_a_users_own_network_stands_in_its_place() -> None:
    """Among those that the strategy prefers: second, where its value is between those of the best two."""
    search = SuccessiveHalving(size=27)
    result = run(OWN, search, 45, place_mine(0.0), epochs=9)
    full = sorted((t.value or 0.0 for t in result.trials[1:] if t.fidelity.epochs == 9), reverse=True)
    between = (full[0] + full[1]) / 2 + 1 / 10
    again = run(OWN, search, 45, place_mine(between), epochs=9)
    assert [t.value for t in again.recommended[:3]] == [full[0], pytest.approx(between - 1 / 10), full[1]]


@pytest.mark.parametrize("inner", ["random", "ppo(hidden=4)", "remeasured"])
def test_a_users_own_network_is_compared_at_the_chosen_fidelity(inner: str) -> None:
    """It is one of the audit's, whose longer trainings have higher values. Here half the training is chosen,
    as it ranks alike: by its value there it is recommended, or another one."""
    for share, mine in ((1.0, True), (0.3, False)):
        result = run(OWN, Audited(inner, sample=4, networks=5), 40, place_mine(share))
        audited = [t.reason["audit"] for t in result.trials if t.architecture == MINE and is_audit(t)]
        assert audited == [PLANNED, SHORTER, FEWER, LONGER]
        assert result.best is not None
        assert (result.best.architecture == MINE) == mine
        assert count_epochs(result.best.fidelity) == 4


def test_an_estimator_of_one_fidelity_measures_a_users_network_once() -> None:
    """There is nothing to audit: it is the first trial of the search that goes on, which learns it."""
    own = Function(lambda architecture: float(architecture == MINE), builds=False)
    result = Search(OWN, Audited("evolution(population=5)"), own, budget=20).run(quiet=True)
    assert [t.architecture == MINE for t in result.trials[:2]] == [True, False]
    assert [t.number for t in result.trials if is_audit(t)] == [0]
    assert best_value(result) == 1.0


def is_audit(trial: Trial) -> bool:
    return bool(trial.memory.get("phase") == AUDIT)


# -- strategies within others -------------------------------------------------------------------------


def test_an_audit_ranks_no_proxies() -> None:
    """Of a filter within it, whose proxy is higher and ranks in reverse: the most convolutions of what was
    measured are recommended."""
    strategy = {"name": "filtered", "arguments": {"measures": ["m"], "draws": 8, "keep": 3}}
    proxy = Function(lambda architecture: 5000.0 - count(architecture), builds=False)
    result = run(
        CELLS, Audited(strategy, sample=4), 34, lambda job: count(job.architecture), estimators={"m": proxy}
    )
    assert result.best is not None
    assert result.best.estimator == ""
    full = [t for t in result.trials if t.fidelity == result.trials[-1].fidelity and not t.estimator]
    assert count(result.best.architecture) == max(count(t.architecture) for t in full)


def test_second_measurements_are_of_what_the_inner_strategy_recommends() -> None:
    """Around an audit: of the best at the fidelity that it chose, at that one, though the audit's longer
    trainings are fuller and their values higher."""

    def value(job: Job) -> float:
        return count(job.architecture) + count_epochs(job.fidelity)

    result = run(CELLS, Remeasured(Audited("random", 6, networks=5), best=3), 60, value)
    first, again = result.trials[:-3], result.trials[-3:]
    assert all("again" in t.reason for t in again)
    chosen = first[-1].fidelity
    assert chosen != Fidelity(8)
    ranked = dict.fromkeys(sorted((t.architecture for t in first if t.fidelity == chosen), key=count)[::-1])
    assert [t.architecture for t in again] == list(ranked)[:3]
    assert {t.fidelity for t in again} == {chosen}
    assert best_value(result) == max(t.value or 0.0 for t in again)


def test_what_the_inner_strategy_recommends_stands_where_nothing_is_measured_twice() -> None:
    """Before the end, as of NASH, whose first network has more epochs than all others."""
    space = SPACES.make("network-morphism")
    strategy = Remeasured(NASH(neighbours=3, epochs=3, first_epochs=5))
    state = strategy.start(Problem(space, trials=30, fidelity=Fidelity(8)))
    result = run(space, strategy, 13, lambda job: grow(space, job))
    assert strategy.recommend(state) == []
    assert 0 not in [t.number for t in result.recommended[:3]]
    assert [t.fidelity.epochs for t in result.trials if "again" in t.reason] == [3, 3]


@pytest.mark.parametrize("budget", [40, 60])
def test_an_audited_search_reaches_its_last_level(budget: int) -> None:
    """It counts on the trials that are left, and not on those of the audit."""
    audited = Audited(Progressive(surrogate="ridge"))
    result = run(CELLS, audited, budget, lambda job: count(job.architecture))
    levels = [t.reason["level"] for t in result.trials if "level" in t.reason]
    assert set(levels) == {1, 2, 3}
    assert levels.count(3) >= levels.count(2) - 1


@pytest.mark.parametrize("space", [CELLS, OWN], ids=["cells", "begins"])
@pytest.mark.parametrize("around", [lambda inner: inner, Audited], ids=["alone", "audited"])
@pytest.mark.parametrize(
    ("inner", "reason"), [(PPO(hidden=4, rerank=3), "rerank"), (Remeasured(best=3), "again")]
)
def test_the_last_trials_are_those_that_a_strategy_keeps_for_its_end(
    inner: Any, reason: str, around: Callable[[Any], Any], space: Space
) -> None:
    """Within an audit too, and where the space begins with a network that the strategy is not told of."""
    result = run(space, around(inner), 40, lambda job: tell_apart(job.architecture))
    assert [n for n, t in enumerate(result.trials) if reason in t.reason] == [37, 38, 39]


@pytest.mark.parametrize("strategy", ["audited(strategy=remeasured)", "scalarised"])
def test_a_budget_of_time_is_refused_for_a_strategy_within_another(strategy: str) -> None:
    """Where that has to know the number of trials; a strategy that does not is not refused."""
    made = STRATEGIES.parse(strategy)
    if strategy == "scalarised":
        assert Search(CELLS, made, Made(lambda job: 0.0), budget="9s")
        return
    with pytest.raises(UsageError, match="'audited' has to know the number of trials, and the budget is 9"):
        Search(CELLS, made, Made(lambda job: 0.0), budget="9s")


# -- second measurements ------------------------------------------------------------------------------


def noisy(job: Job) -> float:
    """Another value for each replicate and each kind of first weights."""
    facts = f"{job.architecture.key} {job.request.replicate} {type(job.request.weights).__name__}"
    return zlib.crc32(facts.encode()) / 2**32


@pytest.mark.parametrize(
    ("space", "inner"),
    [
        ("network-morphism", NASH(neighbours=3)),
        ("nasbench201", PPO(hidden=4, batch=5, rerank=4)),
        ("nasbench201", SuccessiveHalving(size=9)),
        ("nasbench201", STRATEGIES.parse("tournament(population=4,inherits=true)")),
    ],
    ids=["nash", "ppo", "successive-halving", "tournament"],
)
def test_a_second_measurement_is_one_of_the_same_thing(space: str, inner: Any) -> None:
    """With the same first weights, those of another network or random ones, but for a training that went on
    from its own; and as a replicate that there has not been: nothing is looked up."""
    result = run(SPACES.make(space), Remeasured(inner), 24, noisy)
    trials, again = result.trials[:-2], result.trials[-2:]
    for second in again:
        first = trials[second.reason["again"]]
        expected = Fresh() if isinstance(first.weights, Continue) else first.weights
        assert (second.weights, second.fidelity) == (expected, first.fidelity)
        assert second.cached is None
        assert second.replicate == 1 + max(
            t.replicate for t in trials if t.architecture == second.architecture
        )
    inherits = Inherit in getattr(inner, "requests", ())
    assert any(isinstance(t.weights, Inherit) for t in again) == inherits


def test_scores_of_a_supernet_are_not_measured_twice() -> None:
    """A second one would be the same; a strategy that trains what it derives is not refused."""
    with pytest.raises(UsageError, match="spos scores networks with the weights of a supernet"):
        STRATEGIES.parse("remeasured(strategy=spos)")
    assert STRATEGIES.parse("remeasured(strategy=darts)").inner
