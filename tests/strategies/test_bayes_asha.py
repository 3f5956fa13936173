"""ASHA by a model: what it learns of networks that stopped at different levels, and what it proposes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

import mocks
from cambrian.architecture import Architecture
from cambrian.benchmarks import benchmark, play
from cambrian.effort import Axis
from cambrian.outcome import Crashed, Done, Fidelity, Outcome, Trial
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.request import Evaluate, trial_of
from cambrian.search.parts.components import climbs_table
from cambrian.search.planning.budget import Budget
from cambrian.search.search import Search
from cambrian.strategies.bayesian.bayes import Bayes
from cambrian.strategies.multifidelity.asha import ASHA
from cambrian.strategies.multifidelity.bayes_asha import BayesASHA, carry_up, measure_gains
from cambrian.strategies.multifidelity.brackets import Entry
from cambrian.strategies.multifidelity.ladder import Level
from cambrian.strategies.multifidelity.pasha import PASHA
from cambrian.strategies.multifidelity.rungs import State
from cambrian.weights import Fresh
from published_tables import needs_tables

SPACE = mocks.Toy(questions=3)
Value = Callable[[Trial], Outcome]


def play_toy(
    strategy: Any, count: int, value: Value, epochs: int = 9, space: mocks.Toy = SPACE
) -> tuple[list[Trial], Any]:
    """So many trials, one at a time, and the state after them."""
    state = strategy.start(Problem(space, fidelity=Fidelity(epochs), seed=3))
    trials: list[Trial] = []
    while len(trials) < count:
        proposal = strategy.propose(state, [], stream(3, "proposal", len(trials)))
        assert isinstance(proposal, Evaluate)
        trial = trial_of(len(trials), proposal, Fidelity(epochs))
        trials.append(msgspec.structs.replace(trial, outcome=value(trial)))
        state = strategy.learn(state, trials[-1])
    return trials, state


def by_answers(trial: Trial) -> Done:
    """`a` is good, early answers count more, and longer trainings are better."""
    letters = [ord(str(answer)) for answer in trial.architecture.values()]
    return Done(-sum(letter / 7**n for n, letter in enumerate(letters)) + trial.fidelity.epochs)


def list_asked(trials: list[Trial]) -> list[tuple[Any, int]]:
    return [(trial.architecture, trial.fidelity.epochs) for trial in trials]


def test_before_it_has_a_model_it_is_asha() -> None:
    trials, _ = play_toy(BayesASHA(initial=1000), 40, by_answers)
    expected, _ = play_toy(ASHA(), 40, by_answers)
    assert list_asked(trials) == list_asked(expected)


def test_with_one_level_it_is_bayes() -> None:
    """Nothing below one epoch can be measured."""
    trials, _ = play_toy(BayesASHA(initial=4), 30, by_answers, epochs=1)
    expected, _ = play_toy(Bayes(initial=4), 30, by_answers, epochs=1)
    assert list_asked(trials) == list_asked(expected)


@pytest.mark.parametrize("minimize", [False, True])
def test_scores_are_carried_up_by_what_others_gained(minimize: bool) -> None:
    """From 1 to 3 epochs everybody gains 2, from 3 to 9 another 4: whoever stays behind is learned as what
    it would have at the top, and whoever fails as failed."""
    gained = {1: 0.0, 3: 2.0, 9: 6.0}

    def own(trial: Trial) -> float:
        return float(sum(ord(str(answer)) for answer in trial.architecture.values()))

    def value(trial: Trial) -> Outcome:
        if trial.number == 7:
            return Crashed("made up")
        score = own(trial) + gained[trial.fidelity.epochs]
        return Done(-score if minimize else score, minimize=minimize)

    trials, state = play_toy(BayesASHA(initial=5), 30, value)
    assert {trial.fidelity.epochs for trial in trials} == set(gained)
    assert measure_gains(state.rungs) == pytest.approx([2.0, 4.0])
    carried = {trial.architecture: trial.value for trial in carry_up(state)}
    failed = trials[7].architecture
    assert carried.pop(failed) is None
    measured = {trial.architecture: own(trial) + 6.0 for trial in trials if trial.architecture != failed}
    assert carried == pytest.approx(measured)


def test_who_exploded_on_the_way_up_says_nothing_of_the_others() -> None:
    """By its loss whoever stayed below would be learned as worse than all that went on."""
    entries = [Entry(n, Architecture({"n": n}), float(n)) for n in range(8)]
    above = [Entry(n + 8, e.architecture, n + 2.0 + n / 10) for n, e in enumerate(entries)]
    above[3] = Entry(11, entries[3].architecture, -1e9)
    ladder = (Level(Fidelity(1), 1), Level(Fidelity(3), 0))
    state = State(Problem(mocks.Toy()), ladder, (tuple(entries), tuple(above)), 1)
    gains = [2.0 + n / 10 for n in (0, 1, 2, 0, 4, 5, 6, 7)]  # the third as the worst of the others
    assert measure_gains(state) == pytest.approx([sum(gains) / 8])


def test_an_accuracy_that_fell_counts_as_it_is() -> None:
    """It is no explosion: far below the other gains it counted as the least of these."""
    falls, ladder = [0.1, *(0.8 + n / 1000 for n in range(7))], (Level(Fidelity(1), 1), Level(Fidelity(3), 0))
    entries = [Entry(n, Architecture({"n": n}), 0.7) for n in range(8)]
    above = [Entry(n + 8, e.architecture, falls[n]) for n, e in enumerate(entries)]
    state = State(Problem(mocks.Toy()), ladder, (tuple(entries), tuple(above)), 1)
    assert measure_gains(state) == pytest.approx([sum(falls) / 8 - 0.7])


def test_a_repeat_at_the_bottom_is_not_the_latest_word() -> None:
    """Of four architectures all are drawn again and again."""
    space, strategy = mocks.Toy(questions=1), BayesASHA(initial=2)
    state = strategy.start(Problem(space, fidelity=Fidelity(9), seed=3))
    highest: dict[Any, int] = {}
    for number in range(20):
        proposal = strategy.propose(state, [], stream(3, "proposal", number))
        assert isinstance(proposal, Evaluate)
        trial = trial_of(number, proposal, Fidelity(9))
        state = strategy.learn(state, msgspec.structs.replace(trial, outcome=by_answers(trial)))
        highest[trial.architecture] = max(highest.get(trial.architecture, 0), trial.fidelity.epochs)
    assert {t.architecture: t.fidelity.epochs for _, t in state.latest.values()} == highest
    assert max(highest.values()) == 9


def test_nothing_is_carried_where_nobody_went_on() -> None:
    _, state = play_toy(BayesASHA(), 2, by_answers)
    assert measure_gains(state.rungs) == [0.0, 0.0]


def test_networks_on_their_way_up_are_not_new_ones() -> None:
    """A pending promotion is among the learned already: believed in once more, it would count twice."""
    strategy = BayesASHA(initial=4)
    trials, state = play_toy(strategy, 20, by_answers)
    asked = strategy.propose(state, [], stream(3, "proposal", 20))
    assert isinstance(asked, Evaluate)
    again = trial_of(20, Evaluate(trials[-1].architecture, Fidelity(9), memory={"level": 2}), Fidelity(9))
    pending = strategy.propose(state, [again], stream(3, "proposal", 20))
    assert isinstance(pending, Evaluate)
    assert (pending.architecture, pending.fidelity) == (asked.architecture, asked.fidelity)


def test_it_is_the_usual_strategy_of_epochs_on_a_table_with_shorter_trainings() -> None:
    class Looked(mocks.Mock):
        axes = (Axis("epochs", (1.0, 3.0, 9.0)),)

    epochs, both, trials = Budget.parse("90epochs"), Budget.parse("90epochs,30"), Budget.parse("30")
    assert climbs_table(epochs, Looked(), Fidelity(9))
    assert not climbs_table(epochs, Looked(), Fidelity(1))
    assert not climbs_table(both, Looked(), Fidelity(9))
    assert not climbs_table(trials, Looked(), Fidelity(9))
    assert not climbs_table(epochs, mocks.Mock(), Fidelity(9))


def test_it_is_not_usual_where_no_training_can_go_on() -> None:
    class Anew(mocks.Mock):
        axes = (Axis("epochs", (1.0, 3.0, 9.0)),)
        serves = (Evaluate, Fresh)

    search = Search(SPACE, None, Anew(), budget="90epochs", fidelity=Fidelity(9))
    assert type(search.strategy) is Bayes


@pytest.mark.parametrize("strategy", [ASHA(), BayesASHA(initial=2), PASHA()])
@pytest.mark.parametrize("questions", [0, 1])
def test_all_of_a_small_space_reach_the_top(strategy: Any, questions: int) -> None:
    """One or four architectures fill no rung of which a third could go on twice: with nothing new to begin,
    those that wait do, beyond the ceiling of PASHA too."""
    budget = 20 * 4**questions
    trials, _ = play_toy(strategy, budget, by_answers, epochs=81, space=mocks.Toy(questions=questions))
    assert len({t.architecture for t in trials if t.fidelity.epochs == 81}) == 4**questions


def test_what_the_stopping_form_has_stopped_stays_so() -> None:
    trials, _ = play_toy(ASHA(form="stopping"), 60, by_answers, space=mocks.Toy(questions=1))
    stopped = {t.architecture for t in trials} - {t.architecture for t in trials if t.fidelity.epochs == 9}
    assert stopped


@needs_tables
def test_a_search_of_epochs_takes_it() -> None:
    bench = benchmark("spikenas")
    for budget, expected in (("500epochs", "BayesASHA"), ("20", "Bayes")):
        search = Search(bench.space, None, bench.estimator, budget=budget, fidelity=bench.fidelity)
        assert type(search.strategy).__name__ == expected


@needs_tables
def test_it_finds_the_best_cells_of_a_table() -> None:
    """On NAS-Bench-201 after 6,000 epochs, those of 30 full trainings: test accuracy on CIFAR-10, of which
    94.37 is the highest. Of eight seeds all had that, and `asha` 93.64 to 94.21."""
    bench = benchmark("nb201-cifar10")
    found = [play(bench, "bayes-asha", "6000 epochs", seed).test[-1] for seed in range(2)]
    assert min(found) > 94.3
