"""Searches that derive an architecture from gates, with made-up outcomes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from torch import nn

import cambrian
from cambrian.architecture import Architecture
from cambrian.errors import Incompatible, UnknownName, UsageError
from cambrian.estimators.one_shot import OneShot
from cambrian.estimators.train import Train
from cambrian.networks.sharing.methods.darts_pt import Decisions
from cambrian.outcome import Crashed, Done, Fidelity, Outcome, Trial
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.request import TrainSupernet, Wait, identity_of, trial_of
from cambrian.search.search import Search
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.strategies import STRATEGIES
from cambrian.strategies.one_shot.darts import DARTS
from cambrian.strategies.one_shot.darts_ada import DARTSADA
from cambrian.strategies.one_shot.darts_pt import DARTSPT
from cambrian.strategies.one_shot.deriving import Deriving
from cambrian.strategies.one_shot.p_darts import PDARTS
from cambrian.strategies.one_shot.r_darts import RDARTS
from cambrian.strategies.one_shot.snas import SNAS
from cambrian.testing import toy_task
from cambrian.testing.play import Game, StrategyCase, smooth
from cambrian.weights import Continue, Fresh, Shared

SPACE = NASBench201()
GRADIENT = [name for name in STRATEGIES.names() if isinstance(STRATEGIES.make(name), Deriving)]
CONV, SKIP = [0.1, 0.1, 0.1, 0.6, 0.1], [0.1, 0.6, 0.1, 0.1, 0.1]


def outcome(trial: Trial, collapsed: bool = False) -> Outcome:
    """A supernet whose gates choose skips at its end, and 3x3 convolutions before."""
    if trial.kind != "supernet":
        return smooth(trial)
    sites = SPACE.cells.architecture((0,) * 6)
    epochs = trial.fidelity.epochs
    data: dict[str, Any] = {
        "gates": {path: SKIP for path in sites},
        "course": {"gates": {path: [CONV] * (epochs - 1) + [SKIP] for path in sites}},
    }
    if collapsed:
        data["collapse"] = {"epoch": epochs, "before": epochs - 1, "sign": "made up"}
    return Done(0.3, data=data)


def play(strategy: Deriving, measure: Any = outcome, trials: int = 40) -> Game:
    case = StrategyCase(strategy, SPACE, trials, fidelity=Fidelity(7))
    return Game(case, measure=measure).play(trials)


@cambrian.space
def layered(pick: Any, task: Any) -> nn.Module:
    """A function with a depth, and with a training of its own."""
    pick("train.learning_rate", [1e-9, 0.05, 1000.0])
    layers: list[nn.Module] = [nn.Conv2d(task.channels, 8, 3, padding=1)]
    for n in range(pick.depth("depth", 1, 5)):
        kinds = {"conv": lambda: nn.Conv2d(8, 8, 3, padding=1), "relu": nn.ReLU}
        layers.append(pick.inside("layer", n).module("op", kinds))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, task.classes))


@pytest.mark.parametrize("seed", range(4))
def test_a_supernet_is_made_for_the_deepest_networks_and_the_usual_training(seed: int) -> None:
    """All that is derived has the supernet's outer answers: drawn, they would bind it to a chance."""
    outer = DARTS().start(Problem(layered, seed=seed)).outer
    assert (outer["depth"], outer["train.learning_rate"]) == (5, 0.05)


def test_a_supernet_of_an_older_version_goes_on_as_it_is() -> None:
    """Its outer answers were drawn then: weights are continued in a network of the same ones."""
    strategy = DARTS(epochs=12, chunks=3)
    state = strategy.start(Problem(layered, fidelity=Fidelity(7)))
    first = strategy.propose(state, [], stream(0, "proposal", 0))
    assert isinstance(first, TrainSupernet)
    begun = Architecture({**first.outer, "depth": 2})
    older = trial_of(0, msgspec.structs.replace(first, outer=begun), Fidelity(7))
    state = strategy.learn(state, msgspec.structs.replace(older, outcome=Done(0.3, data={"gates": {}})))
    second = strategy.propose(state, [], stream(0, "proposal", 1))
    assert isinstance(second, TrainSupernet)
    assert (second.weights, second.outer) == (Continue(0), begun)


def test_a_search_is_chunks_then_a_shared_and_an_own_value() -> None:
    """Each chunk goes on from the last; the derived architecture's own row says its shared value."""
    game = play(DARTS(epochs=12, chunks=3))
    *chunks, shared, alone = game.trials
    assert [(t.kind, t.fidelity.epochs, t.weights) for t in chunks] == [
        ("supernet", 4, Fresh()),
        ("supernet", 8, Continue(0)),
        ("supernet", 12, Continue(1)),
    ]
    assert shared.weights == Shared(2)
    assert (alone.weights, alone.estimator, alone.fidelity) == (Fresh(), "final", Fidelity(7))
    assert alone.architecture == SPACE.architecture((1,) * 6)
    assert alone.reason == {"shared": shared_value(shared), "supernet": 2}
    assert game.stopped is not None
    assert game.stopped.reason == "1 derived architecture is trained alone"


def shared_value(trial: Trial) -> float | None:
    return smooth(trial).value if isinstance(smooth(trial), Done) else None  # type: ignore[union-attr]


def test_searches_are_replicates() -> None:
    """Four searches train four supernets, and measure what they agree on as replicates."""
    game = play(DARTS(epochs=5, chunks=1, searches=4))
    supernets = [t for t in game.trials if t.kind == "supernet"]
    own = [t for t in game.trials if t.estimator == "final"]
    assert [t.replicate for t in supernets] == [0, 1, 2, 3]
    assert [t.replicate for t in own] == [0, 1, 2, 3]


def test_searches_of_r_darts_differ_in_their_decay() -> None:
    """By its paper's factors in turn, and of all architectures the best alone is recommended; otherwise by
    one factor."""
    found = {}
    for factors in ((1.0, 3.0, 9.0, 27.0), ()):
        strategy = RDARTS(epochs=5, chunks=1, searches=4, factors=factors, stop_on_collapse=False)
        game = play(strategy)
        supernets = [t.method for t in game.trials if t.kind == "supernet"]
        found[factors] = [method["arguments"]["factor"] for method in supernets if method]
    assert found == {(1.0, 3.0, 9.0, 27.0): [1.0, 3.0, 9.0, 27.0], (): [9.0] * 4}
    assert RDARTS.paper().factors == (1.0, 3.0, 9.0, 27.0)


def test_r_darts_and_darts_ada_search_as_their_paper() -> None:
    """By the second order, as all of its searches. R-DARTS (L2) comes to its end whatever happens: to stop is
    DARTS-ES. By default neither asks for the second order."""
    papers = RDARTS.paper(), DARTSADA.paper()
    assert all(paper.method[1]["second_order"] for paper in papers)
    assert [paper.stop_on_collapse for paper in papers] == [False, True]
    assert not any("second_order" in plain.method[1] for plain in (RDARTS(), DARTSADA()))


def test_darts_pt_decides_after_as_many_epochs_as_its_released_code() -> None:
    """100 in the space of NAS-Bench-201; of its six edges the last is decided 25 later."""
    paper = DARTSPT.paper()
    assert paper.epochs is not None
    decisions = Decisions.plan(paper.epochs, paper.tuning, 6)
    assert (decisions.sites, decisions.rounds, decisions.first) == (1, 6, 100)
    assert [e for e in range(paper.epochs) if decisions.fall_on(e)] == [100, 105, 110, 115, 120, 125]


def collapse_at(epochs: int, before: int) -> Any:
    """Outcomes of supernets that collapse where they are so long, unless their weights decay 9 times."""

    def measure(trial: Trial) -> Outcome:
        rises = trial.method.get("arguments", {}).get("rises", [])
        found = outcome(trial)
        if trial.kind == "supernet" and trial.fidelity.epochs >= epochs and len(rises) < 2:
            assert isinstance(found, Done)
            seen = {"epoch": epochs, "before": before, "sign": "made up"}
            return msgspec.structs.replace(found, data={**found.data, "collapse": seen})
        return found

    return measure


def test_darts_ada_goes_back_and_decays_more() -> None:
    """Parts of one epoch; at each sign it goes on from the part before it, with one more rise, and then to
    its end: the requests by length, the row that each continues, and the rises."""
    game = play(DARTSADA(epochs=6), collapse_at(epochs=4, before=2))
    asked = [
        (t.fidelity.epochs, getattr(t.weights, "row", None), t.method["arguments"].get("rises", []))
        for t in game.trials
        if t.kind == "supernet"
    ]
    first = [(1, None, []), (2, 0, []), (3, 1, []), (4, 2, [])]
    again = [(3, 1, [2]), (4, 4, [2])]
    assert asked == [*first, *again, (3, 1, [2, 2]), (4, 6, [2, 2]), (5, 7, [2, 2]), (6, 8, [2, 2])]
    assert [t.kind for t in game.trials[-2:]] == ["trial", "trial"]
    assert game.stopped is not None


def test_darts_ada_begins_again_without_a_part_to_go_back_to() -> None:
    """A collapse from the start: the same training with a higher decay, and at the highest one to its end,
    whose architecture is that before the collapse."""
    game = play(DARTSADA(epochs=4, chunks=2, most_rises=1), collapse_at(epochs=2, before=0))
    asked = [
        (t.fidelity.epochs, getattr(t.weights, "row", None), t.method["arguments"].get("rises", []))
        for t in game.trials
        if t.kind == "supernet"
    ]
    assert asked == [(2, None, []), (2, None, [0]), (4, 1, [0])]
    assert game.trials[-1].architecture == SPACE.architecture((3,) * 6)


def test_darts_ada_keeps_the_parts_that_it_may_go_back_to() -> None:
    """Two collapses may yet come, each of which leads back by five epochs at most."""
    strategy = DARTSADA(epochs=20, most_rises=2)
    case = StrategyCase(strategy, SPACE, 40, fidelity=Fidelity(20))
    game = Game(case, measure=outcome)
    kept = []
    for trials in range(1, 17):
        game.play(trials)
        kept.append(strategy.keeps(game.state))
    assert kept[:4] == [[], [0], [0, 1], [0, 1, 2]]  # a part is learned when the next one is asked for
    assert kept[-1] == list(range(4, 15))


def list_parts(game: Game) -> list[tuple[Any, ...]]:
    """Of each part of a supernet's training its epochs, the row that it continues, its rises, its replicate
    and where it was taken back to."""
    return [
        (
            t.fidelity.epochs,
            getattr(t.weights, "row", None),
            t.method["arguments"].get("rises", []),
            t.replicate,
            t.reason.get("back"),
        )
        for t in game.trials
        if t.kind == "supernet"
    ]


def test_darts_ada_answers_no_collapse_beyond_as_many_epochs_as_it_has() -> None:
    """A collapse in each second epoch from the start: the training begins again while what was lost is no
    more than its four epochs, and comes to its end. Only the part that goes on from elsewhere says so."""

    def measure(trial: Trial) -> Outcome:
        found = outcome(trial)
        if trial.kind != "supernet" or trial.fidelity.epochs < 2:
            return found
        assert isinstance(found, Done)
        seen = {"epoch": 2, "before": 0, "sign": "made up"}
        return msgspec.structs.replace(found, data={**found.data, "collapse": seen})

    game = play(DARTSADA(epochs=4), measure)
    assert list_parts(game) == [
        (1, None, [], 0, None),
        (2, 0, [], 0, None),
        (1, None, [0], 0, 0),
        (2, 2, [0], 0, None),
        (1, None, [0, 0], 0, 0),
        (2, 4, [0, 0], 0, None),
        (3, 5, [0, 0], 0, None),
        (4, 6, [0, 0], 0, None),
    ]


def test_darts_ada_goes_back_within_the_replicate_that_could_be_trained() -> None:
    """A first part that failed was begun with other random numbers, and is not gone back to."""
    collapsed = collapse_at(epochs=4, before=2)

    def measure(trial: Trial) -> Outcome:
        failed = trial.kind == "supernet" and trial.replicate == 0
        return Crashed("made up") if failed else collapsed(trial)

    parts = list_parts(play(DARTSADA(epochs=4, most_rises=1), measure))
    assert parts == [
        (1, None, [], 0, None),
        (1, None, [], 1, None),
        (2, 1, [], 1, None),
        (3, 2, [], 1, None),
        (4, 3, [], 1, None),
        (3, 2, [2], 1, 2),
        (4, 5, [2], 1, None),
    ]


def test_a_rise_leaves_the_beginning_of_a_training_as_it_was() -> None:
    """Random numbers are those of the training that was taken back; the two are no repeats of each other."""
    methods = [{"name": "darts-ada", "arguments": {"factor": 1.0, **more}} for more in ({}, {"rises": [2]})]
    plain, risen = (TrainSupernet(SPACE.architecture((0,) * 6), method) for method in methods)
    assert identity_of(plain) == identity_of(risen)
    other = {"name": "darts-ada", "arguments": {"factor": 3.0}}
    assert identity_of(plain) != identity_of(TrainSupernet(SPACE.architecture((0,) * 6), other))


@pytest.mark.parametrize("factors", [(1.0, 3.0), (1.0, 3.0, 9.0, 0.0)])
def test_a_factor_for_each_search_is_asked_for(factors: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match="factors are numbers above 0, one for each of 4 searches, or none"):
        RDARTS(searches=4, factors=factors)


def test_papers_settings_of_losses_reach_the_method() -> None:
    """The clips of P-DARTS and SNAS, and SNAS's resource term; all are off by default, and not in the request
    then."""
    assert PDARTS.paper().method[1] == {"gate_clip": 5.0}
    priced = {"cost": "macs", "cost_weight": 0.0015, "gate_clip": 10.0}
    assert SNAS.paper().method[1] == {"first_temperature": 1.0, "last_temperature": 0.03} | priced
    assert not {"cost", "cost_weight", "gate_clip"} & {*SNAS().method[1], *PDARTS().method[1]}
    with pytest.raises(UnknownName, match="cost"):
        SNAS(cost="accuracy")


@pytest.mark.parametrize("stops", [True, False])
def test_a_collapse_stops_the_training_where_that_is_wanted(stops: bool) -> None:
    """Its architecture is then that of the epoch before; otherwise only the reason tells it."""
    collapse = lambda trial: outcome(trial, collapsed=trial.fidelity.epochs >= 10)  # noqa: E731
    game = play(DARTS(epochs=20, chunks=4, stop_on_collapse=stops), collapse)
    chunks = [t.fidelity.epochs for t in game.trials if t.kind == "supernet"]
    assert chunks == ([5, 10] if stops else [5, 10, 15, 20])
    alone = game.trials[-1]
    assert alone.architecture == SPACE.architecture(((3,) if stops else (1,)) * 6)
    assert alone.reason["collapse"] == "made up"


@pytest.mark.parametrize("name", [name for name in GRADIENT if name != "darts-ada"])  # which goes on
def test_each_method_stops_at_a_collapse(name: str) -> None:
    """In the part that shows it, and a method of stages in each; what is derived, and the options that are
    left for the next stage, are those of the epoch before."""
    strategy = STRATEGIES.make({"name": name, "arguments": {"stop_on_collapse": True, "epochs": 30}})
    game = play(strategy, lambda trial: outcome(trial, collapsed=True))
    supernets = [t for t in game.trials if t.kind == "supernet"]
    assert [t.reason["chunk"] for t in supernets] == [1] * len(strategy.stages)
    for later in supernets[1:]:
        assert all(3 in kept and kept != [0, 1, 2] for kept in later.method["arguments"]["kept"].values())
    assert game.trials[-1].architecture == SPACE.architecture((3,) * 6)
    assert game.trials[-1].reason["collapse"] == "made up"


def test_a_supernet_that_fails_ends_the_search_in_a_sentence() -> None:
    game = play(DARTS(), lambda trial: Crashed("no memory"))
    assert [t.replicate for t in game.trials] == [0, 1, 2]
    assert game.stopped is not None
    assert game.stopped.reason == "the supernet could not be trained: no memory"


def test_a_training_that_the_time_cut_short_is_the_last() -> None:
    """Its gates are derived from, and of the other searches none is begun."""

    def cut(trial: Trial) -> Outcome:
        done = outcome(trial)
        short = {"epochs": 2.5, "planned_epochs": 4.0}
        return msgspec.structs.replace(done, metrics=short) if trial.kind == "supernet" else done

    game = play(DARTS(epochs=12, chunks=3, searches=4), cut)
    assert [t.kind for t in game.trials] == ["supernet", "trial", "trial"]


def test_a_part_that_fails_leaves_the_gates_of_the_one_before() -> None:
    def fail_second(trial: Trial) -> Outcome:
        return Crashed("made up") if trial.number == 1 else outcome(trial)

    game = play(DARTS(epochs=12, chunks=3), fail_second)
    assert [t.kind for t in game.trials] == ["supernet", "supernet", "trial", "trial"]
    assert game.trials[2].weights == Shared(0)


def test_stages_leave_fewer_options() -> None:
    """P-DARTS: three supernets, each begun anew; of five options three are left, then two, and in the
    skeleton of a stage its derived architecture is scored. The gates' choice of skips is bounded in the
    end."""

    def measure(trial: Trial) -> Outcome:
        if trial.kind != "supernet":
            return smooth(trial)
        return Done(0.3, data={"gates": {p: [0.05, 0.4, 0.2, 0.3, 0.05] for p in sites}})

    sites = SPACE.cells.architecture((0,) * 6)
    strategy = PDARTS(epochs=6, chunks=3, keep=(3, 2), cells=(1, 2, 3), most_skips=2)
    one, two, three, shared, alone = play(strategy, measure).trials
    assert [t.weights for t in (one, two, three)] == [Fresh()] * 3
    assert [t.fidelity.epochs for t in (one, two, three)] == [2, 2, 2]
    assert [t.fidelity.skeleton["cells"] for t in (one, two, three)] == [1, 2, 3]
    kept = [t.method["arguments"].get("kept") for t in (one, two, three)]
    assert kept == [None, {p: [1, 2, 3] for p in sites}, {p: [1, 3] for p in sites}]
    assert [t.method["arguments"]["dropout"] for t in (one, two, three)] == [0.0, 0.4, 0.7]
    assert shared.fidelity.skeleton == {"cells": 3}
    assert alone.fidelity == Fidelity(7)
    answers = list(alone.architecture.values())
    assert (answers.count("skip_connect"), answers.count("nor_conv_3x3")) == (2, 4)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"keep": (0, 3)}, "keep are numbers from 1 on"),
        ({"dropout": (0.1,)}, "dropout is a number from 0 to below 1 for each of 3 stages"),
        ({"cells": (5, 11)}, "cells are numbers from 1 on for each of 3 stages"),
    ],
)
def test_stages_out_of_bounds_are_refused(settings: Any, words: str) -> None:
    with pytest.raises(UsageError, match=f"strategy 'p-darts': {words}"):
        PDARTS(**settings)


def test_own_values_decide_the_recommendation() -> None:
    """A shared value above all own ones does not."""
    strategy = DARTS(epochs=5)

    def measure(trial: Trial) -> Outcome:
        return Done(9.0) if isinstance(trial.weights, Shared) else outcome(trial)

    game = play(strategy, measure)
    while game.learned < len(game.trials):
        game.learn()
    assert strategy.recommend(game.state) == [game.trials[-1].architecture]


@pytest.mark.parametrize("name", GRADIENT)
def test_methods_have_their_papers_settings_by_name(name: str) -> None:
    """`NAME(paper)` is legal, of many epochs, and asks for the method of the same name."""
    paper = STRATEGIES.parse(f"{name}(paper)")
    assert paper.epochs >= 50
    assert paper.method[0] == name


@pytest.mark.parametrize("name", GRADIENT)
def test_each_method_takes_the_strategys_settings(name: str) -> None:
    """The spec that the strategy asks for is one of that method, over the epochs of the run's fidelity."""
    from cambrian.networks.sharing.methods import SUPERNET_METHODS

    strategy = STRATEGIES.make(name)
    game = play(strategy, trials=1)
    method = SUPERNET_METHODS.make(game.trials[0].method)
    # Stages share them.
    assert method.epochs == -(-7 // len(strategy.stages))


def test_what_cannot_be_mixed_is_refused() -> None:
    """Before anything runs, in a sentence."""
    with pytest.raises(
        Incompatible, match="darts needs a space whose candidates can be mixed by gates, and tiny"
    ):
        Search("tiny-chain", "darts", OneShot(), None, 10, estimators={"final": "train"})


def test_a_table_is_refused_in_plain_words() -> None:
    """It holds no networks that a supernet could be made of."""
    from cambrian.benchmarks import benchmark

    planted = benchmark("planted")
    with pytest.raises(Incompatible, match=r"darts trains a supernet, and .* cannot train one: let"):
        Search(NASBench201(), "darts", planted.estimator, None, 10)


def test_dropped_paths_are_refused_where_candidates_are_mixed() -> None:
    with pytest.raises(UsageError, match=r"drop_path is 0.2, and darts mixes .* Train\(drop_path=0.2\)"):
        Search("nasbench201", "darts", OneShot(drop_path=0.2), toy_task(), 10)


def test_a_search_has_the_estimator_of_own_values() -> None:
    """Training, unless another one of that name is given."""
    search = Search("nasbench201", "darts", OneShot(), toy_task(), 10)
    assert search.estimators["final"] == Train()
    longer = Search(
        "nasbench201", "darts", OneShot(), toy_task(), 10, estimators={"final": Train(momentum=0.8)}
    )
    assert longer.estimators["final"] == Train(momentum=0.8)


def test_settings_out_of_bounds_are_refused() -> None:
    with pytest.raises(UsageError, match="strategy 'darts': epochs is 1 to 10,000, got 0"):
        DARTS(epochs=0)


def test_nothing_is_proposed_beside_a_pending_row() -> None:
    """A second row would need the outcome of the first."""
    game = Game(StrategyCase(DARTS(), SPACE), lag=4, measure=outcome)
    assert isinstance(game.propose(), TrainSupernet)
    game.step()
    assert isinstance(game.propose(), Wait)
