"""REINFORCE: its gradient in closed form, its baseline by hand, what becomes of its policy."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from kinds import Kinds
from landscapes import planted, play, reaches, scores_on

from cambrian.architecture import sample
from cambrian.errors import UsageError
from cambrian.outcome import Crashed, Done, Fidelity, Infeasible, Trial
from cambrian.policies import controller
from cambrian.policies.decisions import walk_of
from cambrian.policies.rewards import Rewards
from cambrian.problem import Problem
from cambrian.spaces.space import Space
from cambrian.strategies import STRATEGIES, Evaluate
from cambrian.strategies.reinforcement.ppo import PPO
from cambrian.strategies.reinforcement.q_learning import QLearning
from cambrian.strategies.reinforcement.reinforce import Reinforce, steepest
from cambrian.testing import StrategyCase, StrategySuite
from mocks import Toy, truth
from published_tables import needs_tables
from reseeding import stream


class TestEveryKindOfQuestion(StrategySuite):
    """Subsets, whole and real numbers, questions only asked after some answers, rejected walks."""

    def case(self):
        return StrategyCase(Reinforce(hidden=6, batch=3), Kinds(real=True), trials=20, repeats=True)


def entropy(state, space):
    """Of the policy, in nats, on the way to the architectures it draws: a mean over samples."""
    drawn = [controller.sample(state.policy, space, stream(9, "e", n), 16) for n in range(50)]
    walks = [walk_of(space, a, 16) for a in drawn]
    policy = controller.add_rows(state.policy, [d for w in walks for d, _ in w])
    return controller.read(policy, walks).entropies().sum(axis=1).mean()


def test_its_gradient_on_a_bandit():
    """One question, four arms: the gradient by the softmax's biases is the mean of A (1[arm] - p), and
    the expectation under the policy that of sum p R: p (R - sum p R), whatever the baseline."""
    space, rewards = Toy(questions=1), np.array([0.1, 0.9, 0.4, 0.3])
    walks = [walk_of(space, {"q0": arm}, 16) for arm in "abcd"]
    policy = controller.add_rows(controller.start(0, 2, 5, 1.0), [d for w in walks for d, _ in w])
    chance = np.exp(controller.read(policy, walks).log_probability())
    rows = [policy.rows["q0", repr(arm)] for arm in "abcd"]

    def by_bias(arms, better):
        found = controller.read(policy, [walks[arm] for arm in arms])
        slope = steepest(better)(found.log_probability(), found.entropies().sum(axis=1))
        return controller.gradient(policy, found, *slope)["bias"][rows]

    arms, better = [1, 1, 3], [0.5, -0.2, 0.7]
    by_hand = np.mean([a * (np.eye(4)[arm] - chance) for arm, a in zip(arms, better)], axis=0)
    np.testing.assert_allclose(by_bias(arms, better), by_hand, atol=1e-12)
    for baseline in (0.0, 0.6):
        expected = sum(p * by_bias([arm], [rewards[arm] - baseline]) for arm, p in enumerate(chance))
        np.testing.assert_allclose(expected, chance * (rewards - chance @ rewards), atol=1e-12)


def test_the_baseline_is_a_moving_average():
    """b <- decay b + (1 - decay) R from the first reward on; what is learned from is R - b before it,
    R the value to the power asked for."""
    space, strategy = Toy(), Reinforce(decay=0.9, power=3, batch=100)
    values, state, baseline = [0.5, 0.9, 0.2, 0.7], strategy.start(Problem(space)), 0.5**3
    for n, value in enumerate(values):
        architecture = controller.sample(state.policy, space, stream(n, "b"), 16)
        state = strategy.learn(state, Trial(n, architecture, Fidelity(), outcome=Done(value)))
        assert state.batch[-1] == (walk_of(space, architecture, 16), pytest.approx(value**3 - baseline))
        baseline = 0.9 * baseline + 0.1 * value**3
        assert state.baseline == pytest.approx(baseline)


def test_an_even_power_keeps_the_order_of_negative_values():
    """What is worth -2 is no better than what is worth -1."""
    space, strategy = Toy(), Reinforce(power=2, batch=100)
    state = strategy.start(Problem(space))
    architecture = controller.sample(state.policy, space, stream(0, "b"), 16)
    found = []
    for n, value in enumerate([-1.0, -2.0, 0.5]):
        learned = strategy.learn(state, Trial(n, architecture, Fidelity(), outcome=Done(value)))
        found.append(learned.baseline)
    assert found == [-1.0, -4.0, 0.25]


def test_a_batch_makes_one_update():
    """Until it is full nothing moves, then one step of Adam is taken and the batch is empty."""
    strategy = Reinforce(hidden=5, batch=4)
    for budget in range(1, 10):
        _, state, _ = play(strategy, Toy(), planted, budget)
        assert state.policy.updates == budget // 4
        assert len(state.batch) == budget % 4


def test_a_better_arm_gains_and_a_worse_one_loses():
    """A single update after a second trial moves its probability the way of its value."""
    space, strategy = Toy(questions=1), Reinforce()
    first = strategy.start(Problem(space))
    walks = [walk_of(space, {"q0": arm}, 16) for arm in "ab"]
    for value, sign in ((0.9, 1), (0.1, -1)):
        known, old = first, None
        for n, (arm, given) in enumerate((("a", 0.5), ("b", value))):
            old = controller.add_rows(known.policy, [walks[0][0][0]])
            trial = Trial(n, space.walk(lambda c, arm=arm: arm), Fidelity(), outcome=Done(given))
            known = strategy.learn(known, trial)
        gained = controller.read(known.policy, walks[1:]).log_probability()
        assert np.sign(gained - controller.read(old, walks[1:]).log_probability())[0] == sign


@pytest.mark.statistical
def test_failures_are_learned_from_as_bad():
    """An option that always fails is hardly drawn any more; a search where all fails goes on evenly. Of 200
    seeds, of 20,000 draws, none was of those that fail; where nothing is learned half are."""

    def value(architecture):
        if architecture["q0"] == "a":
            return Infeasible("nan")
        return Crashed("made up") if architecture["q0"] == "b" else planted(architecture)

    _, state, _ = play(Reinforce(lr=0.02), Toy(questions=2), value, 150)
    drawn = [controller.sample(state.policy, Toy(questions=2), stream(n, "d"), 16) for n in range(100)]
    assert sum(a["q0"] in "ab" for a in drawn) <= 5
    _, state, _ = play(Reinforce(), Toy(), lambda a: Crashed("made up"), 20)
    assert state.policy.updates == 0


@pytest.mark.statistical
def test_the_policy_sharpens_on_what_is_good():
    """Its entropy falls from that of the uniform policy, and rewards rise. Of 200 seeds entropies fell to
    .010 to .045 of the uniform policy's: in logarithms ten of their standard deviations below the bar of a
    half. The mean reward rose by .62 to .80 (.725 with a standard deviation of .035: the bar of .3 is
    twelve below)."""
    space = Toy(questions=4)
    start = entropy(Reinforce().start(Problem(space)), space)
    assert start == pytest.approx(4 * np.log(4), abs=0.1)
    trials, state, _ = play(Reinforce(), space, planted, 300)
    assert entropy(state, space) < start / 2
    values = [t.value for t in trials]
    assert np.mean(values[-50:]) > np.mean(values[:50]) + 0.3


def test_pending_trials_do_not_stop_it():
    """Whatever is pending, it samples from the policy it has."""
    space, strategy = Toy(), Reinforce(hidden=5)
    _, state, _ = play(strategy, space, planted, 5)
    pending = [Trial(5, controller.sample(state.policy, space, stream(5, "p"), 16), Fidelity())]
    for n in range(5):
        expected = Evaluate(controller.sample(state.policy, space, stream(n, "p"), 16))
        assert strategy.propose(state, pending * n, stream(n, "p")) == expected


def test_learning_makes_new_arrays():
    """Those of the old state are read-only here, and so stay what they were."""
    strategy, space = Reinforce(hidden=5), Toy()
    _, state, _ = play(strategy, space, planted, 3)
    for arrays in (state.policy.parameters, state.policy.first, state.policy.second):
        for array in arrays.values():
            array.flags.writeable = False
    before = copy.deepcopy(dict(state.policy.parameters))
    trial = Trial(
        3, controller.sample(state.policy, space, stream(3, "p"), 16), Fidelity(), outcome=Done(0.0)
    )
    after = strategy.learn(state, trial)
    assert any((after.policy.parameters[k] != a).any() for k, a in before.items())


@pytest.mark.parametrize(
    "strategy", [Reinforce(power=1), Reinforce(power=3), Reinforce(power=100), PPO(batch=3)]
)
@pytest.mark.parametrize("largest", [1e100, -1e200, 1.7e308])
def test_rewards_of_any_size_are_learned_from(strategy, largest):
    """Nothing overflows, neither the power nor the gradients' squares: the policy stays finite and moves."""
    space = Toy(questions=2)
    _, state, _ = play(strategy, space, lambda a: planted(a) * largest, 9)
    assert state.policy.updates >= 9 / 3
    arrays = [*state.policy.parameters.values(), *state.policy.second.values()]
    assert all(np.isfinite(array).all() for array in arrays)
    before = strategy.start(Problem(space)).policy.parameters
    assert any((state.policy.parameters[name] != array).any() for name, array in before.items())


def test_a_reward_is_a_power_with_its_sign():
    """Up to 1e100, above which all are one; a failed trial has the worst value's."""
    trial = lambda value: Trial(0, Toy().walk(lambda c: "a"), Fidelity(), outcome=Done(value))  # noqa: E731
    reward = lambda value, power: Rewards((value,)).read(trial(value), power)  # noqa: E731
    failed = Trial(0, trial(0.0).architecture, Fidelity(), outcome=Crashed("made up"))
    assert [reward(x, 3) for x in (2.0, -2.0, 0.1)] == [8.0, -8.0, 0.1**3]
    assert [reward(x, 1) for x in (0.1, -1e99)] == [0.1, -1e99]
    assert [reward(x, 3) for x in (1e50, -1e300)] == pytest.approx([1e100, -1e100])
    assert (Rewards((-2.0,)).read(failed, 3), Rewards().read(failed, 3)) == (-8.0, None)


def know(*values):
    rewards, architecture = Rewards(), Toy().walk(lambda c: "a")
    for n, value in enumerate(values):
        rewards = rewards.learn(Trial(n, architecture, Fidelity(), outcome=Done(value)))
    return rewards


def test_a_loss_that_exploded_is_rewarded_as_the_worst_of_the_others():
    """As soon as eight values say what is far out; accuracies all count, and what a policy that has settled
    finds a thousand times counts once."""
    losses = [-1.0, -1e9, -1.2, -1.4, -1.6, -1.8, -2.0]
    assert know(*losses).lowest == -1e9
    assert know(*losses, -2.2).lowest == -2.2
    assert know(*losses, -2.2).overturns(know(*losses))
    assert not know(-2.2, -2.0, -1.8, -1.6, -1.4, -1.2, -1.0, -1e9).overturns(know(*losses[2:], -1.0, -2.2))
    assert not know(*losses, -2.2, -3.0).overturns(know(*losses, -2.2))
    later = (-1e9, -1e8, -1e7, -1.0, -1.2, -1.4, -1.6, -1.8, -2.0, -2.2, -2.4, -2.6, -2.8)
    assert (know(*later[:12]).lowest, know(*later).lowest) == (-1e7, -2.8)
    overturned = [know(*later[: n + 1]).overturns(know(*later[:n])) for n in range(13)]
    assert [n for n, each in enumerate(overturned) if each] == [7, 12]
    assert know(*losses, *[-1.0] * 1000, -2.2) == know(*losses, -2.2)
    assert know(*(0.9 + n / 100 for n in range(9)), 0.1).lowest == 0.1


@pytest.mark.parametrize("strategy", [Reinforce(), PPO(batch=3), QLearning(horizon=40)])
@pytest.mark.parametrize("places", [(1,), (10,), (2, 3, 5)])
def test_a_policy_learns_beside_losses_that_exploded(strategy, places):
    """What it knows is the same whatever their size, also where nobody could know yet that one is far out. By
    it the baseline and Adam's second moments were set for the rest of the search: of 300 trials the last ones
    were drawn as at random."""
    drawn = [sample(Toy(), stream(n, "exploded")) for n in range(20)]
    after = []
    for size in (1e3, 1e9):
        state = strategy.start(Problem(Toy()))
        for n, architecture in enumerate(drawn):
            value = -size - n if n in places else -1 - truth(architecture, 0)
            state = strategy.learn(state, Trial(n, architecture, Fidelity(), outcome=Done(value)))
        after.append(state)
    one, other = ([strategy.propose(s, [], stream(n, "p")).architecture for n in range(30)] for s in after)
    assert one == other
    assert after[0].rewards.lowest > -3


class Nothing(Space):
    """Asks no question."""

    def program(self, pick):
        pass

    def build(self, architecture, task, **skeleton):
        raise NotImplementedError


@pytest.mark.parametrize("name", ["reinforce", "ppo", "q-learning"])
def test_a_space_without_questions(name):
    """Has one architecture."""
    trials, _, _ = play(STRATEGIES.make(name), Nothing(), lambda a: 0.5, 12)
    assert [dict(t.architecture) for t in trials] == [{}] * 12


def test_settings():
    """The paper's, and refusals of what makes no sense."""
    assert Reinforce.paper() == Reinforce(
        lr=6e-4, decay=0.95, power=3, batch=8, layers=2, hidden=35, bound=0.08
    )
    for wrong in ({"lr": 0}, {"batch": 0}, {"decay": 1.0}, {"hidden": -1}):
        with pytest.raises(UsageError, match=f"reinforce.*{next(iter(wrong))}"):
            Reinforce(**wrong)


@pytest.mark.statistical
@needs_tables
@pytest.mark.parametrize("seeds", [4, pytest.param(100, marks=pytest.mark.slow(minutes=True))])
def test_nas_bench_201(seeds):
    """CIFAR-10, searched on validation: 94.10 on the test set after 300 proposals, repeats included;
    and, with 100 seeds, above random search."""
    found = scores_on("nb201-cifar10", "reinforce", 300, seeds)[:, -1]
    assert reaches(found, 94.10, least=93.41)
    if seeds >= 100:
        assert found.mean() > scores_on("nb201-cifar10", "random", 300, seeds)[:, -1].mean()
