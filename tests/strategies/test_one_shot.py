"""Strategies that train a supernet and score its children with shared weights."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cambrian.errors import UnknownName
from cambrian.outcome import Crashed, Done, Fidelity, Infeasible, Outcome, Trial
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.request import Stop, TrainSupernet, trial_of
from cambrian.spaces import SPACES
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.strategies.one_shot.children import choose_supernet, find_outer, name_function
from cambrian.strategies.one_shot.enas import ENAS
from cambrian.strategies.one_shot.fairnas import FairNAS
from cambrian.strategies.one_shot.random_shared import RandomShared
from cambrian.strategies.one_shot.spos import SPOS
from cambrian.testing import StrategyCase
from cambrian.testing.play import Game, smooth
from cambrian.weights import Continue, Fresh, Shared

SPACE = NASBench201()


def play(strategy: Any, until: int, measure: Any = smooth, lag: int = 1, epochs: int = 1) -> Game:
    case = StrategyCase(strategy, SPACE, fidelity=Fidelity(epochs))
    return Game(case, lag=lag, measure=measure).play(until)


def count_conv(trial: Trial) -> int:
    return sum(answer == "nor_conv_3x3" for answer in trial.architecture.values())


def over_two(trial: Trial) -> Outcome:
    """A limit that a child with more than two convolutions of 3x3 exceeds; the rest are the better the more
    they have."""
    if trial.kind == "supernet":
        return Done(0.5)
    if count_conv(trial) > 2:
        return Infeasible("limit", "too large")
    return Done(count_conv(trial) / 6)


@pytest.mark.parametrize("strategy", [RandomShared(children=60), SPOS(children=60), FairNAS(children=60)])
def test_children_are_different_functions(strategy: Any) -> None:
    """And as many as were asked for; all are scored with the supernet's weights."""
    supernet, *children = play(strategy, 100, lag=4).trials
    assert supernet.kind == "supernet"
    assert len(children) == 60
    assert len({name_function(SPACE, t.architecture) for t in children}) == 60
    assert {t.weights for t in children} == {Shared(0)}


def test_a_generation_is_filled_up_under_a_limit() -> None:
    """Children over it have no part in the population: twenty others are scored before evolution begins."""
    trials = play(SPOS(children=150, population=20, parents=5), 200, over_two).trials[1:]
    feasible = [t for t in trials if t.value is not None]
    assert all(count_conv(t) <= 2 for t in feasible)
    assert len(feasible) >= 60
    # From the best: nearly all later children have two of them, random ones 1.2 on average.
    assert sum(count_conv(t) == 2 for t in feasible[-20:]) >= 12


def test_evolution_beats_random_children() -> None:
    """On a score that adds up over the answers, at equal numbers of children, with a fixed seed."""
    best = {}
    for strategy in (SPOS(children=200), RandomShared(children=200)):
        trials = play(strategy, 300).trials[1:]
        best[type(strategy)] = max(t.value or 0.0 for t in trials)
    assert best[SPOS] > best[RandomShared]


def test_chunks_go_on_from_one_another() -> None:
    """Seven epochs in three chunks, the last of which ends with all of them; children then use the last."""
    trials = play(RandomShared(chunks=3, children=2), 9, epochs=7).trials
    chunks = [t for t in trials if t.kind == "supernet"]
    assert [t.fidelity.epochs for t in chunks] == [3, 5, 7]
    assert [t.weights for t in chunks] == [Fresh(), Continue(0), Continue(1)]
    assert [t.weights for t in trials[3:]] == [Shared(2)] * 2
    assert len({t.architecture for t in chunks}) == 1


def test_there_are_no_more_chunks_than_epochs() -> None:
    trials = play(RandomShared(chunks=8, children=1), 9, epochs=2).trials
    assert [t.fidelity.epochs for t in trials if t.kind == "supernet"] == [1, 2]


def test_a_chunk_that_the_time_cut_short_is_the_last() -> None:
    """Of eight, the third had fewer epochs than it was to have: its weights score the children."""

    def cut_third(trial: Trial) -> Outcome:
        late = trial.number == 2
        return Done(0.5, {"epochs": 2.5, "planned_epochs": 3.0}) if late else smooth(trial)

    trials = play(RandomShared(chunks=8, children=2), 20, cut_third, epochs=8).trials
    assert [t.kind for t in trials] == ["supernet"] * 3 + ["trial"] * 2
    assert {t.weights for t in trials[3:]} == {Shared(2)}


def test_a_chunk_that_was_interrupted_is_not_the_last() -> None:
    """Its seconds count those of the attempts before it: only the run's clock ends a training."""
    slow = lambda trial: Done(0.5, seconds=1e6)  # noqa: E731
    trials = play(RandomShared(chunks=2, children=2), 9, slow, epochs=2).trials
    assert [t.kind for t in trials] == ["supernet", "supernet", "trial", "trial"]


def test_a_chunk_that_fails_leaves_the_one_before() -> None:
    def fail_second(trial: Trial) -> Outcome:
        return Crashed("made up") if trial.number == 1 else smooth(trial)

    trials = play(RandomShared(chunks=4, children=2), 9, fail_second, epochs=4).trials
    assert [t.kind for t in trials] == ["supernet", "supernet", "trial", "trial"]
    assert trials[2].weights == Shared(0)


def test_a_supernet_that_fails_is_begun_again() -> None:
    """With other random numbers, three times; then the search stops, and says why."""
    game = play(SPOS(children=5), 9, lambda trial: Infeasible("nan"))
    assert [t.replicate for t in game.trials] == [0, 1, 2]
    assert game.stopped == Stop("the supernet could not be trained: nan")


def test_a_supernet_keeps_its_weights_alone() -> None:
    """Of all rows only the last chunk's files may still be named."""
    strategy = RandomShared(chunks=2, children=3)
    game = play(strategy, 5, epochs=2)
    assert list(strategy.keeps(game.state)) == [1]


def test_children_have_the_supernets_outer_answers() -> None:
    """On a space with an outer question, where a supernet is made for one answer."""
    import living

    problem = Problem(living.forked, seed=5)
    outer = find_outer(problem, choose_supernet(problem))
    assert set(outer) == {"widen"}
    game = Game(StrategyCase(SPOS(children=9, population=4), living.forked), lag=2).play(12)
    widths = {t.architecture["widen"] for t in game.trials}
    assert len(widths) == 1
    # Two forks of three ways each: nine children, of which each is scored once.
    assert len({t.architecture for t in game.trials[1:]}) == 9


def test_trainings_are_no_matter_of_the_seed() -> None:
    """A supernet of tables does not train by their answers, which are the middle ones for every seed; the
    other outer answers are drawn."""
    space = SPACES.make("tabular")
    chosen = [choose_supernet(Problem(space, seed=seed)) for seed in range(8)]
    trainings = [{p: a for p, a in each.items() if p.startswith("train.")} for each in chosen]
    middle = {"train.learning_rate": 3e-3, "train.weight_decay": 1.0, "train.length": 0.5}
    assert trainings == [middle] * 8
    assert len({each["width"] for each in chosen}) > 1


def test_papers_settings_are_a_name_away() -> None:
    assert (SPOS.paper().population, SPOS.paper().parents, SPOS.paper().children) == (50, 10, 1000)
    assert RandomShared.paper().children == 1000
    # Adam as the released code of ENAS has it, and in no request that does not ask for it.
    adam = {"momentum": 0.0, "epsilon": 1e-3}
    assert adam.items() <= ENAS.paper().method["arguments"].items()
    assert not adam.keys() & ENAS().method["arguments"].keys()


def test_a_favoured_option_is_one_of_the_space() -> None:
    """Of the usual names of separable convolutions, none of which is NAS-Bench-201's."""
    play(ENAS(favoured=("nor_conv_3x3",)), 1)
    with pytest.raises(UnknownName, match="option among favoured 'nor_conv_3x'; did you mean 'nor_conv_3x3'"):
        play(ENAS(favoured=("nor_conv_3x",)), 1)


def test_an_outcome_is_repeated_by_number() -> None:
    """A chunk that repeats an earlier row's measurement is continued from that row."""
    strategy = RandomShared(chunks=2, children=1)
    state = strategy.start(Problem(SPACE, fidelity=Fidelity(2)))
    request = strategy.propose(state, [], stream(0))
    assert isinstance(request, TrainSupernet)
    trial = msgspec.structs.replace(trial_of(3, request, Fidelity(2)), outcome=Done(0.5), cached=1)
    assert strategy.propose(strategy.learn(state, trial), [], stream(0)).weights == Continue(1)  # type: ignore[union-attr]
