"""A quick audit against planted rankings and closed forms, and the search that goes on from it."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from cambrian.architecture import Architecture, sample
from cambrian.effort import FREE, count_epochs
from cambrian.errors import UsageError
from cambrian.estimators.function import Function
from cambrian.outcome import Done, Fidelity, Trial
from cambrian.problem import Problem
from cambrian.search.result import Result
from cambrian.search.search import Search
from cambrian.spaces import SPACES
from cambrian.strategies import STRATEGIES
from cambrian.strategies.audited import AUDIT, Audited
from cambrian.strategies.progressive import Progressive
from cambrian.strategies.promise import (
    AGAIN,
    FEWER,
    LONGER,
    PLANNED,
    POWER,
    SHORTER,
    WEIGHT,
    Choice,
    choose_fidelity,
    correlate,
    draw_stratified,
    expect_maximum,
    list_candidates,
)
from cambrian.testing.play import Game, StrategyCase
from published_tables import needs_tables

SPACE = SPACES.make("nasbench201")
FULL = Fidelity(8)


def count(architecture: Architecture) -> float:
    """The worth of a cell: its convolutions, and a little that tells cells apart."""
    apart = zlib.crc32(architecture.key.encode()) % 1000 / 10_000
    return sum("conv" in str(answer) for answer in architecture.values()) + apart


def measure_plainly(architecture: Architecture, fidelity: Fidelity) -> float:
    """Ranks alike at every fidelity; longer trainings have higher values."""
    return count(architecture) + fidelity.epochs


def measure_blindly(architecture: Architecture, fidelity: Fidelity) -> float:
    """A coin, except after twice the epochs."""
    if fidelity.epochs > FULL.epochs:
        return count(architecture) + 10
    return float(zlib.crc32(f"{architecture.key} {fidelity}".encode()) % 1000)


def play(strategy: Audited, measure: Callable[[Architecture, Fidelity], float], trials: int) -> Game:
    """Trainings of a second for each epoch."""

    def train(trial: Trial) -> Done:
        return Done(measure(trial.architecture, trial.fidelity), seconds=count_epochs(trial.fidelity))

    game = Game(StrategyCase(strategy, SPACE, trials=trials), measure=train)
    game._order.problem = Problem(SPACE, fidelity=FULL, axes=FREE, seed=7)
    game._order.state = strategy.start(game._order.problem)
    return game.play(trials)


@pytest.mark.parametrize(("measure", "chosen"), [(measure_plainly, SHORTER), (measure_blindly, LONGER)])
def test_the_search_goes_on_at_the_fidelity_that_promises_most(
    measure: Callable[[Architecture, Fidelity], float], chosen: str
) -> None:
    """Where a half ranks as the whole does it is enough; where only the longest ranks, that is taken. All
    measurements of the audit are trials, and the later ones say what was chosen."""
    trials = play(Audited("random", sample=12, networks=200), measure, 64).trials
    audit, rest = trials[:48], trials[48:]
    names = [PLANNED, SHORTER, FEWER, LONGER] * 12
    assert [t.memory["fidelity"] for t in audit] == names
    assert len({t.architecture for t in audit}) == 12
    expected = list_candidates(Problem(SPACE, fidelity=FULL, axes=FREE))[chosen]
    # Of two fidelities of the same cost and promise either will do.
    if measure is measure_plainly:
        assert all(t.fidelity.epochs * t.fidelity.fraction == 4 for t in rest)
    else:
        assert all(t.fidelity == expected for t in rest)
    assert len({t.reason["fidelity"] for t in rest}) == 1


def search_plainly() -> Result:
    """Random search after an audit of six networks."""
    audited, measure = Audited("random", 6, 200), Function(measure_plainly, builds=False)
    return Search(SPACE, audited, measure, budget=80, fidelity=FULL).run(quiet=True)


def test_what_is_recommended_was_measured_at_the_chosen_fidelity() -> None:
    """The audit's longer trainings have higher values; they do not stand before the search's own."""
    result = search_plainly()
    rest = [t for t in result.trials if t.memory.get("phase") != AUDIT]
    best = max(rest, key=lambda t: t.value or 0.0)
    assert count(result.recommended[0].architecture) >= count(best.architecture)


def test_conditions_choose_among_what_was_measured_at_the_chosen_fidelity() -> None:
    """Not among the audit's longer trainings, which are the fullest: the best value there is that keeps the
    condition, by brute force. Several objectives are refused in a sentence, also within another strategy."""
    result = search_plainly()
    fidelity = result.trials[-1].fidelity
    values = sorted(float(t.value or 0.0) for t in result.trials if t.fidelity == fidelity)
    chosen = result.choose(f"value<{values[-1]}")
    assert (chosen.fidelity, chosen.value) == (fidelity, values[-2])
    measure = Function(measure_plainly, builds=False)
    for strategy in ("audited", "remeasured(strategy=audited)"):
        with pytest.raises(UsageError, match="d' is for a single objective, and the search has 2"):
            Search(SPACE, STRATEGIES.parse(strategy), measure, objectives=("-ms",), budget=99)


def test_the_strategy_has_learned_what_the_audit_measured() -> None:
    """Of the trials at its fidelity: a search of 24 audited and 6 further trials knows 12."""
    strategy = Audited("evolution(population=50)", 6, 200)
    state = play(strategy, measure_blindly, 31).state
    assert len(state.known) == 12
    assert state.choice is not None
    assert state.choice.name == LONGER


def test_an_audit_that_is_late_ends_with_what_it_has() -> None:
    """Planned, half, half and twice of 8 epochs are 32 seconds for a network: within 70 there are two whole
    ones and the beginning of a third; within 10 there is none, and the search goes on as planned."""
    late = play(Audited("random", 6, 200, seconds=70.0), measure_plainly, 14)
    assert [("audit" in t.reason) for t in late.trials] == [True] * 9 + [False] * 5
    early = play(Audited("random", 6, 200, seconds=10.0), measure_plainly, 8)
    assert {t.reason.get("fidelity") for t in early.trials[2:]} == {PLANNED}


def test_a_promise_is_its_closed_form() -> None:
    """Four architectures that half the epochs rank in reverse; costs 1, 2 and 4, 50 networks as planned."""
    truth = np.array([1.0, 2.0, 3.0, 4.0])
    values = {PLANNED: truth, SHORTER: -truth, LONGER: truth}
    choice = choose_fidelity(values, {PLANNED: 2.0, SHORTER: 1.0, LONGER: 4.0}, 50, costly=True)
    ranks = {
        PLANNED: (4 + WEIGHT * 0.5**POWER) / (4 + WEIGHT),
        SHORTER: (-4 + WEIGHT * 0.25**POWER) / (4 + WEIGHT),
        LONGER: AGAIN,
    }
    networks = {PLANNED: 50, SHORTER: 100, LONGER: 25}
    expected = {name: ranks[name] * expect_maximum(networks[name]) for name in ranks}
    assert choice.promises == pytest.approx(expected)
    assert choice.name == PLANNED
    assert choice.correlations == {PLANNED: 1.0, SHORTER: -1.0}
    free = choose_fidelity(values, {PLANNED: 2.0, SHORTER: 1.0, LONGER: 4.0}, 50, costly=False)
    assert free.promises[PLANNED] == pytest.approx(ranks[PLANNED] * expect_maximum(50))


def test_statistics_are_those_of_scipy_and_of_a_simulation() -> None:
    """Spearman with ties against SciPy; the expected maximum of n normals within .02 of 20,000 draws, whose
    standard error is below .005: wrong once in ten thousand seeds."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(5, size=20).astype(float), rng.normal(size=20)
    assert correlate(x, y)[0] == pytest.approx(spearmanr(x, y)[0])
    assert correlate(np.ones(5), np.arange(5.0)) == (0.0, 5)
    for n in (2, 10, 100):
        assert expect_maximum(n) == pytest.approx(rng.normal(size=(20_000, n)).max(1).mean(), abs=0.03)


def test_the_sample_is_of_all_levels() -> None:
    """PNAS: of 20 architectures each level has its share, to one, of a pool of 160."""
    space = SPACES.make("pnas")
    drawn = draw_stratified(Problem(space, seed=3), 20)
    assert len(set(drawn)) == 20
    levels = [space.level(a) for a in drawn]
    assert levels == sorted(levels)


def test_a_progressive_search_keeps_as_many_more_as_they_are_cheaper() -> None:
    """Twice as many where a training costs half, half as many where it costs twice."""
    strategy = Audited(Progressive(keep=8, first=20, surrogate="ridge"))
    assert strategy._fit(Choice(SHORTER, saves=2.0)) == replace(strategy.inner, keep=16, first=40)
    assert strategy._fit(Choice(LONGER, saves=0.5)) == replace(strategy.inner, keep=4, first=10)


def test_a_strategy_of_several_fidelities_is_refused() -> None:
    """Hyperband chooses by itself."""
    with pytest.raises(UsageError, match="hyperband measures at several: name a strategy of one fidelity"):
        STRATEGIES.parse("audited(strategy=hyperband)")


@needs_tables
def test_the_law_of_shorter_trainings_is_that_of_a_table() -> None:
    """SpikeNAS-Bench: Spearman of 5, 10, 25 and 50 epochs with 100 is within .1 of the share's power."""
    from cambrian.benchmarks import benchmark

    table = benchmark("spikenas")
    rng = np.random.default_rng(0)
    drawn = [sample(table.space, rng) for _ in range(200)]
    values = {e: np.array([look_up(table, a, e) for a in drawn]) for e in (5, 10, 25, 50, 100)}
    for epochs in (5, 10, 25, 50):
        rank = correlate(values[epochs], values[100])[0]
        assert rank == pytest.approx((epochs / 100) ** POWER, abs=0.1)


def look_up(table, architecture: Architecture, epochs: int) -> float:  # type: ignore[no-untyped-def]
    from cambrian.estimators.job import Job

    steps = table.estimator.run(Job.of(table.space, architecture, Fidelity(epochs)))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return float(end.value.value)
