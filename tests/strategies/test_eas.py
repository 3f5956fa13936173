"""EAS against made-up outcomes: whom it transforms, the places it decides on, and how its controller
learns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from cambrian.architecture import Architecture, sample
from cambrian.networks.morphisms.morphism import inherit_function
from cambrian.outcome import Done, Fidelity, Infeasible, Outcome, Trial
from cambrian.problem import Problem
from cambrian.spaces import SPACES
from cambrian.spaces.space import Signature, Space
from cambrian.strategies.evolution.population import Member
from cambrian.strategies.evolution.tournament import trivial
from cambrian.strategies.morphing.children import morphs_of
from cambrian.strategies.morphing.decided import Decided, repeat
from cambrian.strategies.morphing.eas import EAS, list_kinds
from cambrian.strategies.morphing.eas_actors import Offer, Sizes, Step, act
from cambrian.strategies.morphing.episodes import State, end_episode, learn_trial, move_baseline, shape_reward
from cambrian.strategies.morphing.named_weights import (
    NamedWeights,
    Reader,
    ascend,
    blank_memory,
    step_lstm,
)
from cambrian.strategies.morphing.sites import apply_edits, list_sites
from cambrian.testing import toy_task
from cambrian.testing.play import Game, Measure, StrategyCase
from cambrian.weights import MORPHISM, Fresh, Inherit

SPACE = SPACES.make("network-morphism")
SMALL = Sizes(4, 5)


def by_first_width(trial: Trial) -> Done:
    """An accuracy that only the width of the first layer raises."""
    return Done(0.2 + 0.08 * int(str(trial.architecture["layer1/width"])))


def play(strategy: EAS, trials: int, measure: Measure = by_first_width) -> Game:
    return Game(StrategyCase(strategy, SPACE, trials=trials), measure=measure).play(trials)


def test_eas_transforms_one_network_until_a_better_one_leads() -> None:
    """The smallest network first, afresh; then episodes of children that begin with the leader's function,
    and after every stage the best so far leads."""
    game = play(EAS(networks=3, stage=2, hidden=4), 19)
    first, *rest = game.trials
    assert (first.architecture, first.weights) == (trivial(SPACE, 7), Fresh())
    leader = 0
    for begin in range(0, 18, 6):
        children = rest[begin : begin + 6]
        assert all(t.weights == Inherit(leader, MORPHISM) for t in children)
        assert all(len({t.architecture for t in half}) == 3 for half in (children[:3], children[3:]))
        known = [*game.trials[: children[-1].number + 1]]
        leader = max(known, key=lambda t: (by_first_width(t).value or 0.0, -t.number)).number
    assert leader > 0


def test_eas_outlives_failures() -> None:
    """A first network that fails is followed by a random one; a child that fails has the worst reward
    known."""

    def fail(trial: Trial) -> Outcome:
        return by_first_width(trial) if trial.number in (1, 3) else Infeasible("nan")

    game = play(EAS(networks=2, hidden=4), 8, fail)
    assert game.trials[1].weights == Fresh()
    assert game.trials[2].weights == Inherit(1, MORPHISM)
    assert game.state.rewards.values
    assert set(EAS().keeps(game.state)) <= {1, 3}


def test_eas_has_the_settings_of_its_paper() -> None:
    """10 networks by 4 wider and 5 deeper steps, 20 epochs, a new start after 300; LSTMs of 50, embeddings of
    16, Adam at 0.002."""
    paper = EAS.paper()
    assert (paper.networks, paper.wider, paper.deeper, paper.epochs) == (10, 4, 5, 20)
    assert paper.networks * paper.stage == 300
    assert (paper.hidden, paper.embedding, paper.lr, paper.entropy) == (50, 16, 2e-3, 1e-5)


def test_every_place_that_can_be_wider_is_offered() -> None:
    """Closed form: layers of width 1, 2 or 4 become twice as wide, each where it is; nothing else changes."""
    rng = np.random.default_rng(3)
    for parent in (sample(SPACE, rng) for _ in range(10)):
        expected = {
            path: Architecture({**parent, path: 2 * int(str(a))})
            for path, a in parent.items()
            if path.endswith("/width") and a != 8
        }
        sites = list_sites(morphs_of(SPACE), "widen", parent)
        assert {s.name: [*s.children.values()] for s in sites} == {p: [a] for p, a in expected.items()}
        assert [list(parent)[s.token] for s in sites] == list(expected)
        # At once: every layer that is not at its widest.
        both = apply_edits(SPACE, parent, expected.values(), rng)
        assert both == Architecture({**parent, **{path: a[path] for path, a in expected.items()}})


def test_a_new_layer_has_a_place_and_a_kernel() -> None:
    """Behind each layer of the smallest network there is a place, for a kernel of 3 and one of 5."""
    parent = trivial(SPACE, 0)
    sites = list_sites(morphs_of(SPACE), "deepen", parent)
    kernels = {c[f"{s.name}/kernel"] for s in sites for c in s.children.values()}
    assert kernels == {3, 5}
    assert all(c["layers"] == 4 for s in sites for c in s.children.values())


def test_the_lstm_is_that_of_torch() -> None:
    """One cell, gates in torch's order, read over five steps."""
    lstm = torch.nn.LSTM(3, 4).double()
    below, past, *biases = (p.detach() for p in lstm.parameters())
    read = Reader(NamedWeights(0, "test"))
    read.tensors = {"cell below": below.T, "cell past": past.T, "cell bias": biases[0] + biases[1]}
    x = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    memory = blank_memory(4)
    for row in x:
        memory = step_lstm(read, "cell", row, memory)
    torch.testing.assert_close(memory[0], lstm(x)[0][-1])


def test_the_baseline_follows_the_mean_reward() -> None:
    """Closed form of the released code's rule: rewards of .2, .4, .6 from 0 are .01, .0105 and .010525 above
    it."""
    baseline, above = 0.0, []
    for reward in (0.2, 0.4, 0.6):
        baseline = move_baseline(baseline, [reward])
        above.append(reward - baseline)
    assert above == pytest.approx([0.01, 0.0105, 0.010525])


def test_the_reward_is_the_papers() -> None:
    """tan(pi / 2 accuracy): one half is 1; it grows ever faster, and stays finite."""
    assert shape_reward(0.5) == pytest.approx(1.0)
    gains = np.diff([shape_reward(a) for a in (0.5, 0.6, 0.7, 0.8, 0.9)])
    assert np.all(np.diff(gains) > 0)
    assert math.isfinite(shape_reward(1.0))


def learn_children(state: State, values: Sequence[float | None]) -> State:
    """The state after children of these values, None for a failure."""
    for value in values:
        number = len(state.walks) + 1
        outcome = Infeasible("nan") if value is None else Done(value)
        state = learn_trial(
            state, Trial(number, Architecture({"n": number}), Fidelity(), outcome=outcome), [value]
        )
    return state


def test_a_child_that_exploded_is_rewarded_as_the_worst_of_the_others() -> None:
    """As is one that failed; of the leader alone the value does not count."""
    leader, rewards = Member(0, Architecture({"n": 0}), -5.0), []
    state = State(Problem(SPACE), None, leader, episode=1)
    losses = [-1.0, -1e9, -1.2, -1.4, None, -1.6, -1.8, -2.0, -2.2]

    def improve(walks: Sequence[Any], better: Sequence[float]) -> NamedWeights:
        rewards.extend(better)
        return NamedWeights(0, "eas")

    ended = end_episode(learn_children(state, losses), improve, moves_on=True)
    bounded = [-1.0, -2.2, -1.2, -1.4, -2.2, -1.6, -1.8, -2.0, -2.2]
    assert rewards == pytest.approx([value - ended.baseline for value in bounded])
    assert ended.baseline == pytest.approx(move_baseline(0.0, bounded))


def test_a_controller_that_learned_from_an_explosion_begins_anew() -> None:
    """By the first child of a later episode that shows it to be one; the baseline was -1e8 for good."""
    leader = Member(0, Architecture({"n": 0}), -5.0)
    state = learn_children(
        State(Problem(SPACE), None, leader, episode=1), [-1.0, -1e9, -1.2, -1.4, -1.6, -1.8, -2.0]
    )
    ended = end_episode(state, lambda walks, better: NamedWeights(0, "eas"), moves_on=False)
    assert (ended.controller is None, ended.baseline < -1e8) == (False, True)
    after = learn_children(ended, [-2.2])
    assert (after.controller, after.baseline, len(after.walks)) == (None, 0.0, 1)
    assert learn_children(after, [-2.4]).rewards.lowest == -2.4


@pytest.mark.parametrize("actor", ["wider", "deeper"])
def test_learning_makes_what_was_better_more_likely(actor: str) -> None:
    """A step uphill raises the log-probability of a walk above the baseline, by as much as the gradient says
    (central differences on one weight)."""
    offers = (Offer(0, "a", ("3", "5")), Offer(2, "b", ("3", "5")))
    taken = (1, 0, 0) if actor == "wider" else (1, 0)
    step, weights = Step(actor, ("p 1", "q 2", "p 2"), offers, taken), NamedWeights(0, "test")

    def measure(read: Reader) -> torch.Tensor:
        decided = Decided(repeat(taken))
        act(read, step, SMALL, decided)
        return decided.log_probability

    read = Reader(weights)
    torch.autograd.backward(measure(read))
    name = "token q 2"
    slope, h = read.tensors[name].grad, 1e-5
    assert slope is not None
    moved = [weights.draw(name, (4,)) + np.array([d, 0, 0, 0]) for d in (h, -h)]
    ends = [float(measure(Reader(replace(weights, values={name: m}))).detach()) for m in moved]
    assert float(slope[0]) == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-4, abs=1e-9)
    better = ascend(weights, measure, 0.01)
    assert float(measure(Reader(better)).detach()) > float(measure(Reader(weights)).detach())


@pytest.mark.slow
def test_the_controller_finds_what_pays() -> None:
    """Only the first layer's width pays; with the leader fixed, later episodes widen it more often."""
    strategy = EAS(networks=10, wider=1, deeper=0, stage=1000, hidden=8, lr=0.05)
    game = play(strategy, 251)
    shares = [
        sum(t.architecture["layer1/width"] != 1 for t in game.trials[begin : begin + 50])
        for begin in (1, 201)
    ]
    assert shares[1] > shares[0]


def test_spaces_without_widths_decide_on_their_other_morphisms() -> None:
    """PNAS cells grow kernels, NAS-Bench-201's branches too; neither deepens."""
    for name in ("pnas", "nasbench201"):
        morphing = morphs_of(SPACES.make(name))
        assert list_kinds(morphing, "wider") == morphing.morphs
        assert list_kinds(morphing, "deeper") == ()
    assert list_kinds(morphs_of(SPACE), "wider") == ("widen",)


@pytest.mark.parametrize("name", ["network-morphism", "tiny-chain"])
def test_children_keep_the_function_of_what_they_were_made_of(name: str) -> None:
    """After 2 wider and 2 deeper steps at once: networks with random weights and statistics, to 1e-5."""
    space, task = SPACES.make(name), toy_task()
    strategy = EAS(networks=2, wider=2, deeper=2, hidden=4)
    game = Game(StrategyCase(strategy, space, trials=5), measure=lambda trial: Done(0.5)).play(5)
    parent = build_trained(space, game.trials[0].architecture, task)
    for trial in game.trials[1:]:
        child = space.build(trial.architecture, task, filters=4)
        inherited = inherit_function(child, parent, (task.channels, task.height, task.width))
        assert inherited.difference < 1e-5, trial.architecture


def build_trained(space: Space, architecture: Architecture, task: Signature) -> torch.nn.Module:
    """A network whose statistics and scales are not those of the beginning."""
    torch.manual_seed(0)
    network = space.build(architecture, task, filters=4)
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point() and tensor.ndim == 1:
            tensor.uniform_(0.5, 1.5) if "var" in name or "weight" in name else tensor.normal_(0, 0.3)
    return network
