"""PPO: the clipped objective by hand and by torch, and the reranking."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch
from kinds import Kinds
from landscapes import planted, play, reaches, scores_on
from scipy.stats import norm

from cambrian.errors import UsageError
from cambrian.outcome import Crashed, Done, Fidelity, Trial
from cambrian.policies import controller
from cambrian.policies.decisions import walk_of
from cambrian.problem import Objective, Problem
from cambrian.request import trial_of
from cambrian.strategies import Stop, Wait
from cambrian.strategies.reinforcement.ppo import PPO, Lesson, clip_objective, ratios, steepest
from cambrian.testing import StrategyCase, StrategySuite
from chance import assert_learns, assert_share, runs
from mocks import Toy
from published_tables import needs_tables
from reseeding import SHIFT, stream

SMALL = PPO(hidden=8, batch=4)


class TestEveryKindOfQuestion(StrategySuite):
    """Subsets, whole and real numbers, questions only asked after some answers, rejected walks."""

    def case(self):
        return StrategyCase(PPO(hidden=6, batch=3, epochs=2), Kinds(real=True), trials=20, repeats=True)


def batch_of(state, count):
    """`count` lessons as the strategy would draw them."""
    drawn = [SMALL.propose(state, (), stream(n, "batch")) for n in range(count)]
    better = stream(0, "better").normal(size=count)
    walks = [walk_of(state.space, d.architecture, 16) for d in drawn]
    return [Lesson(w, float(a), d.memory["log_probability"]) for w, a, d in zip(walks, better, drawn)]


@pytest.mark.statistical
def test_the_ratio_is_1_before_the_first_update():
    """Exactly, also where trials were drawn from a policy that has learned; not after, save by a chance of
    1e-9 for each of six."""
    for budget in (0, 9):
        _, state, _ = play(SMALL, Kinds(), lambda a: a["width"] / 12, budget)
        lessons = batch_of(state, 6)
        walks = [lesson.walk for lesson in lessons]
        policy = controller.add_rows(state.policy, [d for w in walks for d, _ in w])
        logs = controller.read(policy, walks).log_probability()
        np.testing.assert_allclose(ratios(logs, lessons), 1.0, atol=1e-12)
        policy = controller.ascend(policy, walks, steepest(lessons, 0.2, 0.0), 0.01)
        assert (abs(ratios(controller.read(policy, walks).log_probability(), lessons) - 1) > 1e-9).all()


@pytest.mark.statistical
def test_trials_that_were_drawn_long_ago_keep_their_probability():
    """With four at once, what is learned was drawn from an older policy: its ratio is not 1."""
    trials, state, _ = play(SMALL, Toy(), planted, 13, lag=4)
    last = state.batch[-1]
    assert last.log == trials[len(state.learned) - 1].memory["log_probability"]
    assert abs(ratios(controller.read(state.policy, [last.walk]).log_probability(), [last])[0] - 1) > 1e-9


@pytest.mark.parametrize(
    ("ratio", "better", "expected"),
    [(1.1, 2.0, 2.2), (1.5, 2.0, 2.4), (0.5, 2.0, 1.0), (1.5, -2.0, -3.0), (0.5, -2.0, -1.6)],
)
def test_the_clipped_objective(ratio, better, expected):
    """At clip .2: gains end at 1.2 times the advantage, losses are never hidden (Schulman, Fig. 1)."""
    assert clip_objective(np.array([ratio]), np.array([better]), 0.2)[0] == pytest.approx(expected)


@pytest.mark.statistical
def test_its_gradient_is_autograds():
    """By log-probabilities and entropies, as many of the ratios beyond the clip on the side where it acts as
    normal numbers of deviation .4 are."""
    rng = stream(0, "ppo")
    lessons = [Lesson((), float(rng.normal()), float(rng.normal())) for _ in range(1000)]
    logs = np.array([lesson.log for lesson in lessons]) + rng.normal(scale=0.4, size=1000)
    entropies = rng.normal(size=1000)
    there, also = (torch.tensor(x, requires_grad=True) for x in (logs, entropies))
    ratio = (there - torch.tensor([lesson.log for lesson in lessons])).exp()
    better = torch.tensor([lesson.better for lesson in lessons], dtype=torch.float64)
    gain = torch.minimum(ratio * better, ratio.clamp(0.8, 1.2) * better).mean() + 0.3 * also.mean()
    gain.backward()
    by_log, by_entropy = steepest(lessons, 0.2, 0.3)(logs, entropies)
    np.testing.assert_allclose(by_log, there.grad.numpy(), atol=1e-6)
    np.testing.assert_allclose(by_entropy, also.grad.numpy(), atol=1e-12)
    beyond = (norm.sf(np.log(1.2) / 0.4) + norm.cdf(np.log(0.8) / 0.4)) / 2
    assert_share(int((by_log == 0).sum()), 1000, beyond, unlike=[2 * beyond])  # were both sides clipped


def test_a_batch_makes_as_many_updates_as_epochs():
    """And none before it is full."""
    for budget in range(1, 10):
        _, state, _ = play(SMALL, Toy(), planted, budget)
        assert state.policy.updates == SMALL.epochs * (budget // 4)
        assert len(state.batch) == budget % 4


@pytest.mark.slow
@pytest.mark.statistical
def test_entropy_falls_and_its_bonus_holds_it_up():
    """On a landscape with one optimum; with nothing to gain but entropy, the policy stays even. Measured,
    as shares of the even policy's: .37 to .76 for 200 seeds, half of them below .48, and .9997 to 1 with
    the bonus. Without learning it is what it is at first, and never below .8."""
    space, low, high = Toy(questions=3), [], []
    for seed in runs(8):
        start = PPO(hidden=16).start(Problem(space, seed=seed + SHIFT))
        assert evenness(start, space) > 0.99
        plain, bonus = (play(PPO(hidden=16, entropy=e), space, planted, 200, seed)[1] for e in (1e-5, 10.0))
        low.append(evenness(plain, space) < 0.8)
        high.append(evenness(bonus, space) > 0.95)
    assert_learns(low, measured=(200, 200), chance=0)
    assert_learns(high, measured=(200, 200), chance=0)


def evenness(state, space):
    """The policy's entropy, of that of the even one: a mean over architectures that it draws."""
    drawn = [controller.sample(state.policy, space, stream(n, "e"), 16) for n in range(30)]
    walks = [walk_of(space, a, 16) for a in drawn]
    policy = controller.add_rows(state.policy, [d for w in walks for d, _ in w])
    return controller.read(policy, walks).entropies().sum(axis=1).mean() / (len(walks[0]) * np.log(4))


@pytest.mark.parametrize("lag", [1, 4])
def test_the_best_are_measured_again(lag):
    """After the search, the N best architectures in order, each once, at the fidelity asked for, as
    children of the trials that found them; then it stops. What they give does not touch the policy."""
    strategy = PPO(hidden=8, batch=4, trials=30, rerank=5, rerank_epochs=7)
    trials, state, reason = play(strategy, Toy(), planted, 100, lag=lag)
    assert len(trials) == 35
    assert "best 5 of 30" in reason
    best = {}
    for trial in sorted(trials[:30], key=lambda t: -t.value):
        best.setdefault(trial.architecture, trial)
    for rank, (again, trial) in enumerate(zip(trials[30:], list(best.values())[:5]), start=1):
        assert (again.architecture, again.parent) == (trial.architecture, trial.number)
        assert again.reason == {"rerank": rank}
    assert state.policy.updates == strategy.epochs * (30 // 4)
    proposal = strategy.propose(play(strategy, Toy(), planted, 30)[1], (), stream(0, "r"))
    assert proposal.fidelity == Fidelity(epochs=7)
    assert proposal.replicate == 0


def test_reranking_waits_for_the_search_and_repeats_it_independently():
    """While a trial of the search is pending, nothing can be ranked; without epochs of its own the
    second measurement is another replicate."""
    strategy = PPO(hidden=8, trials=10, rerank=2)
    trials, state, _ = play(strategy, Toy(), planted, 10)
    short = play(strategy, Toy(), planted, 9)[1]
    assert strategy.propose(short, [trials[9]], stream(0, "r")) == Wait()
    proposal = strategy.propose(state, (), stream(0, "r"))
    assert (proposal.replicate, proposal.fidelity) == (1, None)


def rerank(strategy, seconds, **problem):
    """The state after ten trials of the search, and of its best ones the second values `seconds`, best
    first; with the best ones."""
    fidelity = Fidelity(epochs=2)
    state = strategy.start(Problem(Toy(), fidelity=fidelity, **problem))
    searched = play(strategy, Toy(), planted, 10)[0]
    for trial in searched:
        state = strategy.learn(state, msgspec.structs.replace(trial, fidelity=fidelity))
    best = []
    for value in seconds:
        again = trial_of(10 + len(best), strategy.propose(state, (), stream(0, "r")), fidelity)
        best.append(searched[again.parent])
        outcome = Crashed("made up") if value is None else Done(best[-1].value + value)
        state = strategy.learn(state, msgspec.structs.replace(again, outcome=outcome))
    return state, best


def test_the_best_is_known_by_both_values():
    """At the same fidelity by their mean, of which one that failed has no part."""
    strategy = PPO(hidden=8, trials=10, rerank=3)
    assert strategy.recommend(rerank(strategy, ())[0]) == ()
    state, best = rerank(strategy, (-3.0, None, 3.0))
    assert len({t.architecture for t in best}) == 3
    assert strategy.recommend(state) == [best[n].architecture for n in (2, 1, 0)]
    assert strategy.recommend(rerank(strategy, (1.0,))[0]) == [best[0].architecture]
    several = rerank(strategy, (-3.0, 1.0, 3.0), objectives=(Objective(), Objective("cost", minimize=True)))
    assert strategy.recommend(several[0]) == ()


@pytest.mark.parametrize("epochs", [1, 7])
def test_the_best_is_known_by_a_longer_training(epochs):
    """Its value alone, however far ahead another one was in the search."""
    strategy = PPO(hidden=8, trials=10, rerank=3, rerank_epochs=epochs)
    best = rerank(strategy, (0.0, 0.0, 0.0))[1]
    seconds = (0.3, None, 0.4)
    state, _ = rerank(strategy, [s and s - t.value for s, t in zip(seconds, best)])
    assert strategy.recommend(state) == [best[n].architecture for n in (2, 0, 1)]


def test_a_reranking_for_as_many_epochs_is_a_second_measurement():
    """And not the first one, read again."""
    strategy = PPO(hidden=8, trials=10, rerank=3, rerank_epochs=2)
    state, best = rerank(strategy, (-3.0, 0.0, 3.0))
    assert [t.replicate for t in state.reranked] == [1, 1, 1]
    assert strategy.recommend(state) == [best[n].architecture for n in (2, 1, 0)]


def test_reranking_nothing_stops():
    """Where every trial failed there is no best one."""
    trials, _, reason = play(PPO(hidden=8, trials=6, rerank=2), Toy(), lambda a: Crashed("x"), 20)
    assert len(trials) == 6
    assert reason
    state = PPO().start(Problem(Toy()))
    assert not isinstance(PPO().propose(state, (), stream(0, "p")), Stop)


def test_a_reranking_that_leaves_nothing_to_rank_is_refused():
    """Before anything runs; where the trials of the search are said, it may not come to the reranking."""
    with pytest.raises(UsageError, match=r"rerank is less than the run's 5 trials, .* got 5"):
        PPO(rerank=5).start(Problem(Toy(), trials=5))
    assert PPO(rerank=4).start(Problem(Toy(), trials=5)).trials == 1
    assert PPO(rerank=5, trials=9).start(Problem(Toy(), trials=5)).trials == 9


def test_trials_of_another_origin_are_learned_from():
    """One whose note holds no probability counts as drawn from the policy that learns it."""
    state = SMALL.start(Problem(Toy()))
    architecture = controller.sample(state.policy, Toy(), stream(0, "o"), 16)
    state = SMALL.learn(state, Trial(0, architecture, Fidelity(), outcome=Done(0.5)))
    own = SMALL.propose(SMALL.start(Problem(Toy())), (), stream(0, "o"))
    assert own.architecture == architecture
    assert state.batch[0].log == pytest.approx(own.memory["log_probability"], abs=1e-12)


def test_settings():
    """The paper's, and refusals of what makes no sense."""
    paper = PPO.paper()
    assert (paper.lr, paper.entropy, paper.batch, paper.layers, paper.hidden) == (3.5e-4, 1e-5, 20, 1, 100)
    assert (paper.trials, paper.rerank, paper.rerank_epochs) == (20_000, 250, 300)
    for wrong in ({"clip": 0}, {"epochs": 0}, {"decay": 1.5}, {"rerank": -1}):
        with pytest.raises(UsageError, match=f"ppo.*{next(iter(wrong))}"):
            PPO(**wrong)


@pytest.mark.statistical
@needs_tables
@pytest.mark.parametrize("seeds", [3, pytest.param(100, marks=pytest.mark.slow(minutes=True))])
def test_nas_bench_201(seeds):
    """CIFAR-10, searched on validation: 94.10 on the test set after 300 proposals, repeats included."""
    assert reaches(scores_on("nb201-cifar10", "ppo", 300, seeds)[:, -1], 94.10, least=93.31)
