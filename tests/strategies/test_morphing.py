"""Strategies whose children begin as their parents, against made-up outcomes and once with real training."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import cambrian
from cambrian.architecture import Architecture
from cambrian.errors import Incompatible
from cambrian.estimators.estimator import Estimate
from cambrian.estimators.job import Job
from cambrian.estimators.train import Train
from cambrian.outcome import Done, Fidelity, Infeasible, Outcome, Trial
from cambrian.problem import Objective, Problem
from cambrian.recommendation import dominates
from cambrian.spaces import SPACES
from cambrian.spaces.knowledge import Morphs, know
from cambrian.strategies.evolution.tournament import Tournament, trivial
from cambrian.strategies.morphing.lemonade import LEMONADE, MEASURE, invert_density
from cambrian.strategies.morphing.nash import NASH
from cambrian.strategies.strategy import Evaluate, Stop
from cambrian.testing import PAIR, PairCase, toy_task
from cambrian.testing.play import Game, StrategyCase
from cambrian.weights import MORPHISM, Fresh, Inherit
from small_training import SmallConv, bars

SPACE = SPACES.make("network-morphism")


def by_width(trial: Trial) -> Outcome:
    """Wider and deeper is better, to a point; the weights are what the widths add up to."""
    widths = [int(a) for p, a in trial.architecture.items() if p.endswith("/width")]  # type: ignore[call-overload]
    size = float(sum(w * w for w in widths))
    if trial.estimator == MEASURE:
        return Done(size, {"params": size})
    return Done(1 - 1 / sum(widths), {"params": size, "value": 1 - 1 / sum(widths)})


def play(strategy: object, trials: int, measure=by_width, lag: int = 1) -> Game:
    return Game(StrategyCase(strategy, SPACE, trials=trials), lag=lag, measure=measure).play(trials)  # type: ignore[arg-type]


def test_nash_climbs_by_morphisms_of_the_best() -> None:
    """The smallest network first, afresh; then steps of the leader itself and of children of it, all from the
    weights of the best of the step before (Algorithm 1)."""
    game = play(NASH(neighbours=4, morphisms=2), 17)
    first, *rest = game.trials
    assert first.architecture == trivial(SPACE, 7)
    assert first.weights == Fresh()
    leader = 0
    for begin in range(0, 16, 4):
        step = rest[begin : begin + 4]
        assert all(t.weights == Inherit(leader, MORPHISM) for t in step)
        assert step[0].architecture == game.trials[leader].architecture
        assert len({t.architecture for t in step}) == 4
        leader = max(step, key=lambda t: by_width(t).value).number  # type: ignore[union-attr]
    assert leader > 12  # the climb goes on to the end


def test_nash_outlives_failures_and_keeps_what_it_needs() -> None:
    """A first network that fails is followed by a random one; a step that fails leaves the leader."""

    def fail(trial: Trial) -> Outcome:
        return by_width(trial) if trial.number == 1 else Infeasible("nan")

    game = play(NASH(neighbours=3), 8, fail)
    assert game.trials[1].weights == Fresh()
    assert game.trials[1].architecture != game.trials[0].architecture
    assert game.state.leader.number == 1
    assert 1 in NASH().keeps(game.state)


def test_nash_has_the_settings_of_its_paper() -> None:
    """Sec. 4.1; it stops after its steps, and trains children for their own number of epochs."""
    paper = NASH.paper()
    assert (paper.neighbours, paper.morphisms, paper.steps, paper.epochs) == (8, 5, 8, 17)
    game = play(NASH(neighbours=2, steps=2, epochs=3, first_epochs=5), 9)
    assert isinstance(game.stopped, Stop)
    assert [t.fidelity.epochs for t in game.trials] == [5, 3, 3, 3, 3]


def test_parents_are_drawn_where_the_front_is_thin() -> None:
    """Closed form: log10 of 4, 4.1, 4.2 and 6, bandwidth 0.3; and a generator that draws by it."""
    chances = invert_density([(4.0,), (4.1,), (4.2,), (6.0,)], 0.3)
    assert chances == pytest.approx([0.1755, 0.1667, 0.1755, 0.4822], abs=5e-5)
    drawn = Counter(np.random.default_rng(0).choice(4, 20_000, p=chances).tolist())
    # Four standard deviations of a share of 20,000 draws are 0.014: wrong once in 4,000 seeds.
    assert all(abs(drawn[i] / 20_000 - chances[i]) < 0.014 for i in range(4))


def test_lemonade_trains_only_what_it_accepts() -> None:
    """In every generation all children are measured cheaply, some are trained from the weights of their
    parents, and the population is the front of all that were trained."""
    strategy = LEMONADE(children=6, accept=2, initial=3)
    problem = (Objective(), Objective("params", minimize=True))
    case = StrategyCase(strategy, SPACE, trials=38)
    game = Game(case, measure=by_width)
    game._order.problem = Problem(SPACE, problem, seed=7)
    game._order.state = strategy.start(game._order.problem)
    game.play(38)
    kinds = [t.memory["phase"] for t in game.trials]
    assert kinds[:6] == ["cheap"] * 3 + ["trained"] * 3
    assert kinds[6:14] == ["cheap"] * 6 + ["trained"] * 2
    trained = [t for t in game.trials if t.memory["phase"] == "trained"]
    assert all(isinstance(t.weights, Inherit) for t in trained[3:])
    front = game.state.population
    assert not any(dominates(a.scores, b.scores) for a in front for b in front)
    rows = {c.row for c in front}
    assert rows <= {t.number for t in trained}


def test_what_lemonade_shrinks_is_smaller() -> None:
    """Approximate morphisms take something away."""
    morphing = know(SPACE, Morphs)
    assert morphing is not None
    rng = np.random.default_rng(0)
    large = trivial(SPACE, 0)
    for _ in range(8):
        large = morphing.morph("widen", large, rng) or large
    small = morphing.morph("narrow", large, rng)
    assert small is not None
    sizes = [by_width(Trial(0, a, Fidelity(), estimator=MEASURE)).value for a in (large, small)]  # type: ignore[union-attr]
    assert sizes[1] < sizes[0]


def test_a_table_is_refused_in_one_sentence() -> None:
    """There are no weights in a table."""
    with pytest.raises(Incompatible, match="nash lets networks begin with the weights of others, which"):
        cambrian.Search(SPACE, "nash", lambda network, fidelity: 0.0, budget=3)
    with pytest.raises(Incompatible, match="nash needs a space whose networks can be enlarged"):
        cambrian.Search("nasnet", "nash", "train", budget=3)


TINY = Fidelity(1, skeleton={"filters": 4})


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [NASH(neighbours=2, morphisms=1), LEMONADE(3, 1, initial=1)])
def test_inheriting_searches_go_on_after_a_kill(strategy: NASH | LEMONADE) -> None:
    """Real training, killed once and resumed: the ledger is that of an undisturbed search, weights too."""
    train = {"name": "train", "arguments": {"batch_size": 16}}
    case = PairCase("tiny-chain", strategy, train, toy_task(), TINY, trials=5, killed=3)
    for check in PAIR.checks:
        check(case)


def test_a_child_says_what_it_has_of_its_parent(tmp_path) -> None:
    """One that a morphism made is exactly its parent's function before it is trained."""
    space = SPACES.make("tiny-chain")
    parent = Architecture({"layers": 1, "layer1/operation": "conv3x3", "layer1/width": 1})
    child = Architecture({**parent, "layer1/width": 2})
    train = Train(batch_size=16)
    first = _finish(train.run(Job.of(space, parent, TINY, toy_task(), keep=tmp_path)))
    kept = {path.name: path for path in tmp_path.iterdir()}
    weights = Inherit(0, MORPHISM)
    second = _finish(train.run(Job.of(space, child, TINY, toy_task(), weights=weights, artifacts=kept)))
    facts = second.data["inherited"]
    assert facts["exact"]
    assert facts["difference"] < 1e-5
    assert facts["lost"] == []
    assert first.data == {}


def test_strided_pointwise_convolutions_of_users_are_inherited(tmp_path) -> None:
    """The parent's are computed in two steps as the child's are, so that none is lost."""
    parent, child = (Architecture({"width": width, "kernel": 1}) for width in (4, 8))
    _finish(Train().run(Job.of(SmallConv(), parent, TINY, bars(), keep=tmp_path)))
    kept = {path.name: path for path in tmp_path.iterdir()}
    job = Job.of(SmallConv(), child, TINY, bars(), weights=Inherit(0, MORPHISM), artifacts=kept)
    facts = _finish(Train().run(job)).data["inherited"]
    assert facts["lost"] == []
    assert facts["exact"]


def _finish(estimate: Estimate) -> Done:
    outcomes: list[Outcome] = []

    def collect() -> Estimate:
        outcomes.append((yield from estimate))
        return outcomes[0]

    points = list(collect())
    outcome = outcomes[0]
    assert points
    assert isinstance(outcome, Done)
    return outcome


def test_children_of_large_scale_evolution_inherit_what_agrees() -> None:
    """Real et al. 2017, Sec. 3.5: from the winner of the tournament, by name and shape, unless it failed."""
    game = play(Tournament(population=4, inherits=True), 12)
    assert all(t.weights == (Fresh() if t.parent is None else Inherit(t.parent)) for t in game.trials)
    assert Tournament(inherits=True).requests == (Evaluate, Fresh, Inherit)
    failed = play(Tournament(population=4, inherits=True), 6, lambda trial: Infeasible("nan"))
    assert all(t.weights == Fresh() for t in failed.trials)
