"""The expected hypervolume improvement: its closed form against quadrature and simulation; the strategy."""

from __future__ import annotations

import tracemalloc
from itertools import product

import numpy as np
import pytest
from msgspec.structs import replace
from scipy.stats import norm

from cambrian.architecture import completions
from cambrian.errors import UsageError
from cambrian.hypervolume import choose_reference, measure_hypervolume
from cambrian.outcome import Done, Fidelity, Infeasible, Trial
from cambrian.predictors.gaussian_process import compute_expected_improvement
from cambrian.predictors.path_kernel import PathKernel
from cambrian.predictors.predictor import make_trials
from cambrian.problem import Objective, Problem
from cambrian.randomness import stream
from cambrian.recommendation import front_numbers
from cambrian.strategies.bayesian import volume_improvement
from cambrian.strategies.bayesian.bayes import Bayes
from cambrian.strategies.bayesian.several_objectives import hope_despite_noise, hope_to_extend, read_lessons
from cambrian.strategies.bayesian.volume_improvement import divide_space, expect_improvement
from mocks import Toy, truth
from tiers import slow_but

FRONT = [(0.9, 0.1), (0.6, 0.55), (0.2, 0.8), (0.1, 0.7)]
BOTH = (Objective("value"), Objective("ms", minimize=True))


def expect(front, reference, mean, deviation):
    """Of one point."""
    means, deviations = ([np.array([x]) for x in each] for each in (mean, deviation))
    return float(expect_improvement(means, deviations, divide_space(front, reference))[0])


def gain(front, reference, point):
    return measure_hypervolume([*front, point], reference) - measure_hypervolume(front, reference)


@pytest.mark.parametrize("mean", [(0.7, 0.7), (0.1, 0.9), (0.3, 0.2)])
def test_two_objectives_agree_with_quadrature(mean):
    """The improvement times the density, summed at the midpoints of a grid over twelve deviations."""
    deviation, steps = np.array([0.15, 0.1]), 80
    offsets = 12 * (np.arange(steps) + 0.5) / steps - 6
    weights = norm.pdf(offsets) * 12 / steps
    total = sum(
        weights[i] * weights[j] * gain(FRONT, (0.0, 0.0), tuple(mean + deviation * (offsets[i], offsets[j])))
        for i, j in product(range(steps), repeat=2)
    )
    assert expect(FRONT, (0.0, 0.0), mean, deviation) == pytest.approx(total, rel=2e-3)


@pytest.mark.statistical
@pytest.mark.parametrize("count", slow_but((1, 2, 3), [1, 2, 3, 4]))
def test_any_number_of_objectives_agrees_with_simulation(count):
    """5,000 draws: beyond five standard errors by chance less often than once in a million."""
    rng = np.random.default_rng(count)
    front, reference = [tuple(row) for row in rng.random((7, count)).tolist()], (0.1,) * count
    mean, deviation = rng.random(count), 0.1 + 0.3 * rng.random(count)
    draws = rng.normal(mean, deviation, (5000, count)).tolist()
    gains = np.array([gain(front, reference, tuple(draw)) for draw in draws])
    error = gains.std() / len(gains) ** 0.5
    assert abs(expect(front, reference, mean, deviation) - gains.mean()) < 5 * error


@pytest.mark.parametrize("count", [2, 3])
def test_without_variance_it_is_the_increase_of_the_hypervolume(count):
    rng = np.random.default_rng(9)
    front, reference = [tuple(row) for row in rng.random((8, count)).tolist()], (0.0,) * count
    for point in rng.random((20, count)).tolist():
        expected = gain(front, reference, tuple(point))
        assert expect(front, reference, point, (1e-9,) * count) == pytest.approx(expected, abs=1e-7)


def test_of_one_objective_it_is_the_expected_improvement():
    rng = np.random.default_rng(3)
    mean, deviation = rng.random(50), 0.1 + rng.random(50)
    volumes = expect_improvement([mean], [deviation], divide_space([(0.3,), (0.7,)], (0.0,)))
    assert volumes == pytest.approx(compute_expected_improvement(mean, deviation, 0.7))


def test_cells_fill_what_is_not_dominated_once():
    """Each corner of a grid lies in one cell, or is dominated and in none."""
    rng = np.random.default_rng(5)
    front = [tuple(row) for row in rng.integers(1, 6, (6, 3)).astype(float).tolist()]
    cells = divide_space(front, (0.0, 0.0, 0.0))
    for corner in product(np.arange(7) + 0.5, repeat=3):
        inside = ((cells.lower < corner) & (cells.upper > corner)).all(axis=1).sum()
        assert inside == (not any(all(a > b for a, b in zip(p, corner)) for p in front))


def test_many_points_take_little_memory(monkeypatch):
    """Block by block: less than a number for each of 10,000 points in each of 933 cells, 75 MB. The size of
    a block changes nothing."""
    rng = np.random.default_rng(7)
    cells = divide_space([tuple(row) for row in rng.dirichlet([1.0] * 4, 25).tolist()], (-0.1,) * 4)
    means, deviations = rng.random((4, 10_000)), 0.1 + rng.random((4, 10_000))
    tracemalloc.start()
    whole = expect_improvement(means, deviations, cells)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000 * len(cells.lower) * 8
    monkeypatch.setattr(volume_improvement, "BLOCK", 999 * len(cells.lower))
    assert (expect_improvement(means, deviations, cells) == whole).all()


def make_history(count, seed=0):
    """Trials of a value and of milliseconds that are hashes; one in ten fails."""
    everything = list(completions(Toy(questions=3), {}))
    order = np.random.default_rng(seed).permutation(len(everything))[:count]
    trials = []
    for number, place in enumerate(order.tolist()):
        a = everything[place]
        done = Done(truth(a, 0), {"ms": truth(a, 1)})
        outcome = Infeasible("limit") if number % 10 == 7 else done
        trials.append(Trial(number, a, Fidelity(), outcome=outcome))
    return everything, trials


def learn_all(strategy, trials, objectives=BOTH):
    state = strategy.start(Problem(Toy(questions=3), objectives))
    for trial in trials:
        state = strategy.learn(state, trial)
    return state


def test_bayes_proposes_what_extends_the_front_most():
    """Of all 64 architectures that are unknown, by the closed form under two independent processes."""
    everything, trials = make_history(24)
    state = learn_all(Bayes(), trials)
    proposal = Bayes().propose(state, [], stream(0, "propose"))
    lessons = read_lessons(trials, BOTH, 300)
    models = [m.condition(lessons.list_trials(j)) for j, m in enumerate(state.model)]
    vectors = [tuple(row) for row in lessons.scores.tolist()]
    front = [v for v, level in zip(vectors, front_numbers(vectors)) if level == 0]
    reference = choose_reference(front, [Objective(), Objective()])
    assert lessons.reference == pytest.approx(reference)
    left = [a for a in everything if a not in {t.architecture for t in trials}]
    predictions = [m.predict(left) for m in models]
    points = [
        (tuple(p.mean[n] for p in predictions), tuple(p.deviation[n] for p in predictions))
        for n in range(len(left))
    ]
    hopes = [expect(front, reference, *point) for point in points]
    best = int(np.argmax(hopes))
    assert proposal.reason["acquisition"] == pytest.approx(hopes[best], rel=1e-6)
    assert hopes[left.index(proposal.architecture)] == pytest.approx(hopes[best], rel=1e-6)


def test_a_failed_trial_is_the_worst_in_every_objective():
    _, trials = make_history(20)
    lessons = read_lessons(trials, BOTH, 300)
    failed = [n for n, t in enumerate(trials) if t.value is None]
    assert (lessons.scores[failed] == lessons.scores.min(axis=0)).all()


def test_the_users_reference_point_keeps_its_place_among_the_values():
    """As many values lie below it before and after they become normal scores."""
    _, trials = make_history(20)
    bounded = (Objective("value", reference=0.4), Objective("ms", minimize=True, reference=0.6))
    lessons = read_lessons(trials, bounded, 300)
    raw = np.array([t.scores(bounded) for t in trials if t.value is not None])
    kept = [n for n, t in enumerate(trials) if t.value is not None]
    for j, bound in enumerate((0.4, -0.6)):
        assert ((lessons.scores[kept, j] > lessons.reference[j]) == (raw[:, j] > bound)).all()


def test_a_reference_beyond_all_values_is_below_all_scores():
    """What is still of use is then worth something, though nothing that was measured is as bad."""
    _, trials = make_history(20)
    far = (Objective("value", reference=-5.0), Objective("ms", minimize=True, reference=50.0))
    lessons = read_lessons(trials, far, 300)
    assert (lessons.scores.min(axis=0) > lessons.reference).all()


def test_an_objective_of_which_all_are_equal_changes_nothing():
    """The order of the candidates is that of the others: the front was given up, as none of its points was
    above a reference point that had their own value there."""
    everything, trials = make_history(24)
    alike = [
        t if t.value is None else replace(t, outcome=Done(t.value, {**t.outcome.metrics, "bits": 8.0}))
        for t in trials
    ]
    hopes = []
    for objectives in (BOTH, (*BOTH, Objective("bits", minimize=True))):
        lessons = read_lessons(alike, objectives, 300)
        learner = PathKernel(standardise=False).start(Toy(questions=3), 0)
        models = [learner.fit(lessons.list_trials(j)) for j in range(len(objectives))]
        hopes.append(hope_to_extend(models, lessons, [])(everything))
    assert np.corrcoef(*hopes)[0, 1] > 0.999


def test_a_front_of_one_point_can_be_extended():
    """Better in one objective and worse in the other counts: a reference point in its only point said no."""
    everything, _ = make_history(1)
    values = [(1.0, 1.0), (0.5, 2.0), (0.4, 3.0), (0.3, 4.0)]
    trials = [
        Trial(n, a, Fidelity(), outcome=Done(v, {"ms": ms}))
        for n, (a, (v, ms)) in enumerate(zip(everything, values, strict=False))
    ]
    lessons = read_lessons(trials, BOTH, 300)
    top = lessons.scores.max(axis=0)
    assert (lessons.reference < top).all()
    front = [tuple(top)]
    assert expect(front, lessons.reference, (top[0] + 0.1, top[1] - 0.1), (1e-9, 1e-9)) > 0


def test_draws_are_of_the_posterior():
    """Their mean and their covariance, of three architectures, against those of the process."""
    everything, trials = make_history(20)
    values = [truth(t.architecture, 0) for t in trials]
    fitted = (
        PathKernel().start(Toy(questions=3), 0).fit(make_trials([t.architecture for t in trials], values))
    )
    drawn = fitted.draw(everything[:3], 40_000, stream(0, "draws"))
    mean, deviation = fitted.predict(everything[:3])
    assert drawn.mean(axis=0) == pytest.approx(mean, abs=0.02)
    assert drawn.std(axis=0) == pytest.approx(deviation, rel=0.05, abs=2e-3)
    supposed = fitted.suppose(everything[:3], drawn[0])
    assert supposed.predict(everything[:3]).mean == pytest.approx(drawn[0], abs=0.02)


def test_without_noise_the_fronts_that_are_drawn_are_the_measured_one():
    """Then qNEHVI is EHVI: the order of the candidates is the same."""
    everything, trials = make_history(24)
    lessons = read_lessons(trials, BOTH, 300)
    learner = PathKernel(standardise=False).start(Toy(questions=3), 0)
    models = [
        learner.fit(lessons.list_trials(j)).suppose(lessons.architectures, lessons.scores[:, j])
        for j in (0, 1)
    ]
    # `condition` keeps the noise of the fit, which `suppose` has made nearly none.
    exact = hope_to_extend(models, lessons, [])(everything)
    drawn = hope_despite_noise(models, lessons, [], 4, stream(0, "n"))(everything)
    assert np.corrcoef(exact, drawn)[0, 1] > 0.99


def test_draws_need_a_gaussian_process():
    with pytest.raises(UsageError, match="draws"):
        Bayes(surrogate="forest", draws=4)
    state = learn_all(Bayes(draws=3), make_history(14)[1])
    pending = [Trial(20, make_history(15)[1][-1].architecture, Fidelity())]
    assert Bayes(draws=3).propose(state, pending, stream(0, "p")).architecture != pending[0].architecture


def test_three_objectives_and_none_measured_yet():
    """Trials that lack an objective teach nothing, and a model is first fitted when two differ."""
    three = (*BOTH, Objective("mb", minimize=True))
    strategy = Bayes(initial=2)
    state = learn_all(strategy, make_history(6)[1], three)
    assert state.model is None
    trials = make_history(12)[1]
    for trial in trials[6:]:
        if trial.value is not None:
            outcome = Done(trial.value, {**trial.outcome.metrics, "mb": truth(trial.architecture, 2)})
            state = strategy.learn(
                state, Trial(trial.number, trial.architecture, Fidelity(), outcome=outcome)
            )
    assert len(state.model) == 3
    assert strategy.propose(state, [], stream(0, "p")).reason["acquisition"] > 0
