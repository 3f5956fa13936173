"""Strategies that measure at lower fidelities: their ladders, their brackets, whom they promote."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

import mocks
from cambrian.architecture import sample
from cambrian.effort import Axis, read_axis
from cambrian.errors import UnknownName, UsageError
from cambrian.outcome import Crashed, Done, Fidelity, Outcome, Point, Trial
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.request import Evaluate, Stop, Wait, trial_of
from cambrian.strategies.multifidelity.asha import ASHA
from cambrian.strategies.multifidelity.dyhpo import DyHPO
from cambrian.strategies.multifidelity.freeze_thaw import FreezeThaw
from cambrian.strategies.multifidelity.hyperband import Hyperband, make_brackets
from cambrian.strategies.multifidelity.ladder import make_ladder
from cambrian.strategies.multifidelity.pasha import PASHA, estimate_noise
from cambrian.strategies.multifidelity.successive_halving import SuccessiveHalving
from cambrian.weights import Continue, Fresh

SPACE = mocks.Toy(questions=3)
EPOCHS = ("epochs",)
LOSSES = (0.5, 0.3, 0.4, 0.2, 0.1, 0.6)
"""A worked example of both forms of ASHA, eta = 3, one loss after the other."""


class Game:
    """A strategy played with one trial at a time, each with the outcome of `value`."""

    def __init__(self, strategy, fidelity: Fidelity, value: Callable[[Trial], Outcome]) -> None:
        self.strategy, self.value, self.fidelity = strategy, value, fidelity
        self.state = strategy.start(Problem(SPACE, fidelity=fidelity, seed=3))
        self.trials: list[Trial] = []

    def play(self, count: int) -> list[Trial]:
        while len(self.trials) < count:
            proposal = self.strategy.propose(self.state, [], stream(3, "proposal", len(self.trials)))
            if not isinstance(proposal, Evaluate):
                assert isinstance(proposal, Stop)
                break
            trial = trial_of(len(self.trials), proposal, self.fidelity)
            self.trials.append(msgspec.structs.replace(trial, outcome=self.value(trial)))
            self.state = self.strategy.learn(self.state, self.trials[-1])
        return self.trials


def by_number(trial: Trial) -> Done:
    """Later architectures are better, at every fidelity alike."""
    return Done(float(trial.number if trial.parent is None else -1000.0) + trial.fidelity.epochs)


def by_answers(trial: Trial) -> Done:
    letters = [str(answer) for answer in trial.architecture.values()]
    return Done(sum(ord(letter) / 7**n for n, letter in enumerate(letters)))


def ladder(epochs: int, eta: int = 3, values: Sequence[float] = ()):
    axes = (Axis("epochs", tuple(values)),) if values else ()
    return make_ladder(Problem(SPACE, fidelity=Fidelity(epochs), axes=axes), EPOCHS, eta)


@pytest.mark.parametrize(
    ("epochs", "eta", "levels"),
    [(81, 3, [1, 3, 9, 27, 81]), (16, 4, [1, 4, 16]), (243, 3, [1, 3, 9, 27, 81, 243]), (2, 3, [1, 2])],
)
def test_levels_are_counted_by_multiplication(epochs: int, eta: int, levels: list[int]) -> None:
    """Of 243 epochs there are six levels, although int(log(243) / log(3)) is 4."""
    assert [level.fidelity.epochs for level in ladder(epochs, eta)] == levels


@pytest.mark.parametrize(
    "strategy", [DyHPO(initial=9, candidates=5, first=5, refine=1), FreezeThaw(steps=4, fit=1)]
)
@pytest.mark.parametrize("questions", [0, 1])
@pytest.mark.parametrize("failing", [False, True])
def test_few_architectures_are_trained_to_the_end(strategy: Any, questions: int, failing: bool) -> None:
    """All there are, 1 or 4, though fewer than are begun at first; not one twice that has failed."""
    game = Game(strategy, Fidelity(epochs=4), (lambda trial: Crashed("made up")) if failing else by_answers)
    game.state = strategy.start(Problem(mocks.Toy(questions), fidelity=Fidelity(epochs=4)))
    trials = game.play(50)
    assert len(trials) == len({(t.architecture, t.fidelity.epochs) for t in trials})
    assert len(trials) == 4**questions * (1 if failing else 4)


@pytest.mark.parametrize("strategy", [DyHPO, FreezeThaw])
@pytest.mark.parametrize(
    ("values", "steps", "expected"),
    [
        ((4, 12, 36, 108), 10, [4, 12, 36, 108]),
        ((12, 108), 10, [12, 108]),
        ((4, 12, 36, 108, 200), 3, [36, 108]),
        ((1, 2, 4, 8, 16, 32, 64, 108), 4, [32, 64, 108]),
        (tuple(range(1, 109)), 4, [27, 54, 81, 108]),
        ((), 4, [27, 54, 81, 108]),
    ],
)
def test_steps_are_those_that_a_table_has(
    strategy: Any, values: Sequence[int], steps: int, expected: list[int]
) -> None:
    """All, or of many the nearest to even ones by their ratio: to 27 of 108 epochs 32, to 81 both 64 and
    108, of which 81 is 1.27 and 1.33 times as much. A free axis is stepped evenly."""
    axes = (Axis("epochs", tuple(map(float, values))),)
    problem = Problem(SPACE, fidelity=Fidelity(epochs=108), axes=axes)
    fidelities = strategy(steps=steps).list_fidelities(problem)
    assert [fidelity.epochs for fidelity in fidelities] == expected
    assert strategy(steps=steps).start(problem).epochs == tuple(expected)


def test_levels_that_a_table_lacks_are_skipped() -> None:
    """NAS-Bench-201 knows of 12 and 200 epochs: two levels, the lower one as deep as it is cheap."""
    assert [(level.fidelity.epochs, level.depth) for level in ladder(200, 3, (12, 200))] == [
        (12, 2),
        (200, 0),
    ]
    assert [(level.fidelity.epochs, level.depth) for level in ladder(200, 20, (12, 200))] == [
        (12, 1),
        (200, 0),
    ]
    assert [level.fidelity.epochs for level in ladder(108, 3, (4, 12, 36, 108))] == [4, 12, 36, 108]
    assert [level.fidelity.epochs for level in ladder(4, 3, (4, 12, 36, 108))] == [4]


@pytest.mark.parametrize(
    ("axes", "power"),
    [
        (("epochs",), {"epochs": 1}),
        (("fraction",), {"fraction": 1}),
        (("resolution",), {"resolution": 2}),
        (("filters",), {"filters": 2}),
        (("cells",), {"cells": 1}),
        (("epochs", "fraction"), {"epochs": 1, "fraction": 1}),
        (("epochs", "resolution", "filters"), {"epochs": 1, "resolution": 2, "filters": 2}),
    ],
)
def test_a_level_costs_eta_times_the_one_below(axes: tuple[str, ...], power: dict[str, int]) -> None:
    """Along any axis and any of them together, with the costs of the field: linear in epochs, images and
    cells, quadratic in pixels a side and in channels."""
    full = Fidelity(4096, 1.0, 1024, {"filters": 1024, "cells": 4096})
    levels = make_ladder(Problem(SPACE, fidelity=full), axes, 4)

    def cost(fidelity: Fidelity) -> float:
        return float(np.prod([(read_axis(fidelity, name) or 0.0) ** p for name, p in power.items()]))

    costs = [cost(level.fidelity) for level in levels]
    assert len(levels) >= 3
    assert levels[-1].fidelity == full
    # Whole numbers of epochs, pixels and channels are rounded, which tells where they are small.
    assert np.allclose(np.diff(np.log(costs[-5:])), np.log(4), rtol=0.05)
    untouched = {"epochs", "fraction", "resolution", "filters", "cells"} - set(axes)
    assert all(read_axis(level.fidelity, n) == read_axis(full, n) for level in levels for n in untouched)


def test_wrong_axes_are_said() -> None:
    """A full value that is not named, no axis, a bound of another axis, an unknown table or form."""
    with pytest.raises(UsageError, match="does not name its full resolution"):
        make_ladder(Problem(SPACE), ("resolution",), 3)
    with pytest.raises(UsageError, match="axes are one or more different ones"):
        Hyperband(axes=())
    with pytest.raises(UsageError, match="least is the lowest value, above 0, of one of its axes"):
        ASHA(least={"fraction": 0.1})
    with pytest.raises(UnknownName, match="journal"):
        Hyperband(table="journl")
    with pytest.raises(UnknownName, match="stopping"):
        ASHA(form="stoping")


@pytest.mark.parametrize(
    ("table", "sizes"),
    [
        ("journal", [81, 34, 15, 8, 5]),
        ("hpbandster", [81, 27, 9, 6, 5]),
        ("syne-tune", [81, 54, 18, 9, 5]),
    ],
)
def test_brackets_are_the_published_ones(table: str, sizes: list[int]) -> None:
    """The first rungs at R = 81, eta = 3 of the three published conventions."""
    assert [bracket.counts[0] for bracket in make_brackets(ladder(81), 3, table)] == sizes


@pytest.mark.parametrize(("epochs", "eta", "total"), [(81, 3, 1902), (27, 3, 423), (9, 3, 78), (16, 4, 136)])
def test_a_pass_costs_what_the_paper_says(epochs: int, eta: int, total: int) -> None:
    """Epochs of one pass over all brackets, each training from the start."""
    levels = ladder(epochs, eta)
    spent = sum(
        count * levels[level].fidelity.epochs
        for bracket in make_brackets(levels, eta)
        for level, count in zip(bracket.levels, bracket.counts)
    )
    assert spent == total
    trials = Game(Hyperband(eta=eta, passes=1), Fidelity(epochs), by_answers).play(1000)
    assert sum(trial.fidelity.epochs for trial in trials) == total


def test_halving_promotes_the_best_and_continues_them() -> None:
    """Of nine the three best go on from their own rows, of those the best; then the next pass begins."""
    game = Game(SuccessiveHalving(passes=1), Fidelity(9), by_number)
    trials = game.play(100)
    assert [trial.fidelity.epochs for trial in trials] == [1] * 9 + [3] * 3 + [9]
    assert [trial.weights for trial in trials[:9]] == [Fresh()] * 9
    assert [trial.weights for trial in trials[9:12]] == [Continue(8), Continue(7), Continue(6)]
    assert trials[12].weights == Continue(9)
    assert game.strategy.recommend(game.state)[0] == trials[12].architecture
    assert len(Game(SuccessiveHalving(passes=2), Fidelity(9), by_answers).play(100)) == 26


def test_nothing_is_continued_along_other_axes() -> None:
    """On other images a network is trained anew."""
    strategy = SuccessiveHalving(axes=("fraction",), least={"fraction": 0.1}, passes=1)
    trials = Game(strategy, Fidelity(), by_answers).play(100)
    assert {trial.weights for trial in trials} == {Fresh()}
    assert sorted({round(trial.fidelity.fraction, 3) for trial in trials}) == [0.111, 0.333, 1.0]


def test_a_rung_of_failures_ends_its_bracket() -> None:
    """Failed trials are not promoted; where all fail the next bracket begins."""
    game = Game(Hyperband(passes=1), Fidelity(9), lambda trial: Crashed("deliberate"))
    assert [trial.fidelity.epochs for trial in game.play(100)] == [1] * 9 + [3] * 5 + [9] * 3


def test_a_rung_waits_for_its_last_trial() -> None:
    """With the whole rung under way there is nothing to propose."""
    strategy = SuccessiveHalving(size=2)
    state = strategy.start(Problem(SPACE, fidelity=Fidelity(3)))
    first = trial_of(0, strategy.propose(state, [], stream(0, "a")), Fidelity())
    second = trial_of(1, strategy.propose(state, [first], stream(0, "b")), Fidelity())
    assert first.architecture != second.architecture
    assert isinstance(strategy.propose(state, [first, second], stream(0, "c")), Wait)


def arrive(strategy: ASHA, losses: Sequence[float]) -> list[str]:
    """The decision after each loss at the lowest rung. Promoted trials run on and on: an unfinished trial is
    never promoted."""
    state = strategy.start(Problem(SPACE, fidelity=Fidelity(3)))
    decisions, pending = [], list[Trial]()
    for number, loss in enumerate(losses):
        begun = Evaluate(sample(SPACE, stream(5, "arrive", number)), Fidelity(1), memory={"level": 0})
        trial = trial_of(number, begun, Fidelity())
        state = strategy.learn(state, msgspec.structs.replace(trial, outcome=Done(-loss)))
        decision = strategy.propose(state, pending, stream(0, "decide", number))
        assert isinstance(decision, Evaluate)
        decisions.append("new" if decision.parent is None else f"t{decision.parent}")
        if decision.parent is not None:
            pending.append(trial_of(1000 + decision.parent, decision, Fidelity()))
    return decisions


def test_asha_promotes_as_in_the_worked_example() -> None:
    """After each arrival: new, new, t1, t3, t4, new: three promotions out of six."""
    assert arrive(ASHA(), LOSSES) == ["new", "new", "t1", "t3", "t4", "new"]


def test_the_stopping_form_stops_as_in_the_worked_example() -> None:
    """Everybody goes on but the last, the first at a rung always."""
    assert arrive(ASHA(form="stopping"), LOSSES) == ["t0", "t1", "t2", "t3", "t4", "new"]


@pytest.mark.parametrize("form", ["promotion", "stopping"])
def test_asha_ends_when_nobody_is_to_go_on(form: str) -> None:
    """Of 27 architectures in rungs of 1, 3, 9 epochs at least a third are promoted, each from its own row."""
    trials = Game(ASHA(form=form, size=27), Fidelity(9), by_answers).play(1000)
    first = [trial for trial in trials if trial.memory["level"] == 0]
    higher = [trial for trial in trials if trial.memory["level"]]
    assert len(first) == 27
    assert all(trial.weights == Continue(trial.parent) for trial in higher)
    assert len({trial.parent for trial in higher}) == len(higher)
    assert sum(trial.memory["level"] == 1 for trial in trials) >= 9
    assert sum(trial.memory["level"] == 2 for trial in trials) >= 3


def rung_values(factor: float) -> Callable[[Trial], Outcome]:
    """From the second rung on `factor` times the value of the first: below 0 in the opposite order."""

    def value(trial: Trial) -> Done:
        return Done(by_answers(trial).value * (factor if trial.memory["level"] else 1.0))

    return value


def count_rungs(trials: Sequence[Trial]) -> int:
    return 1 + max(trial.memory["level"] for trial in trials)


def test_pasha_keeps_its_ceiling_while_the_order_holds() -> None:
    """With equal orders at all rungs nothing is trained beyond the second, which is where Algorithm 1 begins
    and the authors' program too, or beyond the rung that is named; ASHA trains to the end."""
    trials = Game(PASHA(size=60), Fidelity(81), by_answers).play(2000)
    assert count_rungs(trials) == 2
    assert count_rungs(Game(PASHA(first=3, size=60), Fidelity(81), by_answers).play(2000)) == 3
    assert count_rungs(Game(ASHA(size=60), Fidelity(81), by_answers).play(2000)) >= 4


def test_pasha_raises_its_ceiling_by_one_at_another_order() -> None:
    """Another order at the ceiling than below opens one rung more, in which the order is that of the last."""
    trials = Game(PASHA(size=27), Fidelity(81), rung_values(-3.0)).play(2000)
    assert count_rungs(trials) == 3


def test_noise_is_of_pairs_that_crossed_and_crossed_back() -> None:
    """The difference at the end of the pair that did; a pair that crossed once, or never, says nothing."""
    steady, once, twice = (0.1, 0.2, 0.3, 0.4), (0.0, 0.1, 0.35, 0.5), (0.05, 0.25, 0.28, 0.45)
    assert estimate_noise([steady, once], 0.7) == 0.7
    assert estimate_noise([steady, (0.05, 0.25, 0.28, 0.37), (0.0, 0.0, 0.0, 0.0)], 0.7) == pytest.approx(
        0.03
    )
    assert estimate_noise([steady, twice], 0.0) == pytest.approx(0.05)


def test_another_order_within_the_noise_is_none() -> None:
    """With curves that cross back and forth, and end further apart than they were below, the ceiling
    stays."""

    def value(trial: Trial) -> Done:
        done = rung(trial)
        wave = [0.0, *(done.value + 20.0 * trial.number * (-1) ** n for n in range(1, 8)), done.value]
        curve = tuple(Point(n + 1, {"value": v}) for n, v in enumerate(wave))
        return msgspec.structs.replace(done, curve=curve)

    rung = rung_values(-3.0)
    assert count_rungs(Game(PASHA(size=27), Fidelity(81), value).play(2000)) == 2
