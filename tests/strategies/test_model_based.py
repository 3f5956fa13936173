"""The loop of model-based search with a model whose every hope is known."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from landscapes import everything, planted, play, rugged

from cambrian.architecture import Architecture, completions, sample
from cambrian.errors import UsageError
from cambrian.outcome import Crashed, Done, Fidelity, Infeasible, Trial
from cambrian.problem import Problem
from cambrian.spaces.cells.pnas import PNAS
from cambrian.strategies.bayesian.candidates import Climb
from cambrian.strategies.bayesian.model_based import Known, ModelBased
from mocks import Toy
from reseeding import stream

TOY = Toy(questions=6)
EVERY = list(completions(TOY, {}))


@dataclass(frozen=True)
class Oracle(ModelBased):
    """Knows the landscape, and remembers what it was fitted on."""

    climb: ClassVar[Climb] = Climb(rounds=20, beam=8)
    starts: ClassVar[int] = 10

    def fit(self, state):
        return self.lessons(state.trials)

    def acquisition(self, state, pending, rng):
        return lambda architectures: np.array([rugged(a) for a in architectures])


@dataclass(frozen=True)
class Thorough(Oracle):
    """Climbs from everywhere to everywhere: as many steps as there are questions, and nothing is left
    behind."""

    climb: ClassVar[Climb] = Climb(rounds=4, beam=256)


@pytest.mark.statistical
def test_the_first_are_random_then_the_most_hoped_for():
    """After the initial ones, proposals run down the list of what the acquisition likes best, where its climb
    leaves nothing out."""
    space = Toy(questions=4)
    values = everything(space, rugged)
    trials, _, _ = play(Thorough(initial=5), space, rugged, 12)
    tried = {t.architecture for t in trials[:5]}
    assert len(tried) == 5
    for trial in trials[5:]:
        assert trial.reason["acquisition"] == max(v for a, v in values.items() if a not in tried)
        tried.add(trial.architecture)


def test_what_is_pending_is_not_proposed_again():
    """Eight at a time, fifteen trials of 4,096 architectures are fifteen architectures."""
    trials, _, _ = play(Oracle(initial=5), TOY, rugged, 15, lag=8)
    assert len({t.architecture for t in trials}) == 15


def test_a_space_it_knows_by_heart_is_no_mistake():
    """When all sixteen have been tried, known ones are proposed, and the search may call it exhausted."""
    small = Toy(questions=2)
    trials, _, _ = play(Oracle(initial=3), small, rugged, 20)
    assert len({t.architecture for t in trials[:16]}) == 16
    assert len(trials) == 20


def test_fits_become_rarer():
    """Every `refit` trials at first, then each time there are a tenth more."""
    strategy, state, fits = Oracle(initial=4, refit=3), Oracle().start(Problem(TOY)), []
    for n in range(100):
        before = state.fitted
        state = strategy.learn(state, measured(n, float(n % 7)))
        fits += [n + 1] if state.fitted != before else []
    steps = [b - a for a, b in pairwise(fits)]
    assert fits[0] == 4
    assert steps[:8] == [3] * 8
    assert all(step == max(3, known // 10) for step, known in zip(steps, fits, strict=False))


def test_failures_are_as_bad_as_the_worst():
    """Whatever the failure; and nothing is fitted before two values differ."""
    strategy, state = Oracle(initial=2), Oracle().start(Problem(TOY))
    outcomes = [Crashed("x"), Infeasible("nan"), Done(0.5), Done(0.5), Crashed("x"), Done(0.2)]
    for n, outcome in enumerate(outcomes):
        assert state.model is None
        state = strategy.learn(state, measured(n, outcome))
    _, values = state.model
    assert values.tolist() == [0.2, 0.2, 0.5, 0.5, 0.2, 0.2]


def test_it_remembers_the_best_and_the_newest():
    """Of a hundred falling values, with memory for ten: the first five and the last five."""
    trials = [measured(n, -float(n)) for n in range(100)]
    architectures, values = Oracle(memory=10).lessons(trials)
    assert sorted(-values) == [0, 1, 2, 3, 4, 95, 96, 97, 98, 99]
    assert len(set(architectures)) == 10


def test_what_the_search_answered_from_memory_is_known_by_its_function():
    """Two names of one cell are two proposals, until a search says that it counts functions."""
    space = PNAS(blocks=1)
    one, twin = (
        Architecture(
            {"blocks": 1, "block1/input1": a, "block1/operation1": "sep3x3", "block1/input2": b}
            | {"block1/operation2": "sep3x3"}
        )
        for a, b in (("previous", "previous-previous"), ("previous-previous", "previous"))
    )
    assert space.canonical(one) == space.canonical(twin)
    fresh = Trial(0, one, Fidelity(), outcome=Done(0.5))
    assert twin not in Known(space, [fresh])
    assert twin in Known(space, [fresh, Trial(1, one, Fidelity(), outcome=Done(0.5), cached=0)])


@pytest.mark.statistical
def test_climbing_finds_the_top_of_a_large_space():
    """Of 4^20 architectures, the one planted, though a random draw gets a quarter of the way."""
    large, met = Toy(questions=20), []

    def hope(architectures):
        met.extend(architectures)
        return np.array([planted(a) for a in architectures])

    start = sample(large, stream(0, "start"))
    found, score = Climb(rounds=20).maximise(large, hope, [start], set(), stream(0, "climb"))
    assert score == planted(found) == 1.0
    assert len(met) == len(set(met)) < 20_000
    again = Climb(rounds=20).maximise(large, hope, [start], set(), stream(0, "climb"))
    assert again == (found, score)


@pytest.mark.parametrize("setting", [{"initial": 1}, {"refit": 0}, {"memory": 1}, {"candidates": 0}])
def test_settings_that_make_no_sense_are_refused(setting):
    """In a sentence that names the setting."""
    with pytest.raises(UsageError, match=f"Oracle': {next(iter(setting))} is "):
        Oracle(**setting)


def measured(number, value):
    """A trial of an architecture of its own."""
    outcome = Done(value) if isinstance(value, float) else value
    architecture = EVERY[37 * number]
    return Trial(number, architecture, Fidelity(), outcome=outcome)
