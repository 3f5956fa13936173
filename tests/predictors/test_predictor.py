"""The protocol of predictors: lessons, units, pools, former fits, Gaussian processes on architectures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from cambrian.architecture import Architecture, sample
from cambrian.errors import UsageError
from cambrian.outcome import Crashed, Done, Fidelity, Infeasible, Trial
from cambrian.predictors import PREDICTORS, Prediction
from cambrian.predictors.gaussian_process import compute_expected_improvement
from cambrian.predictors.kernel_predictor import ENOUGH
from cambrian.predictors.mlp import MLP
from cambrian.predictors.path_kernel import SCORES, PathKernel
from cambrian.predictors.predictor import Conditions, make_trials, read_lessons, score_pool
from cambrian.predictors.unit import Unit
from cambrian.randomness import stream
from cambrian.spaces import SPACES
from cambrian.spaces.knowledge import Encodes, Grows, know

SPACE = SPACES.make("nasbench201")
ENCODES, GROWS = know(SPACE, Encodes), know(SPACE, Grows)
DRAWN = list(dict.fromkeys(sample(SPACE, stream(0, "predictor", n)) for n in range(60)))
VALUES = np.array([sum("conv" in str(answer) for answer in a.values()) / len(a) for a in DRAWN])
KERNELS = [name for name in PREDICTORS.names() if hasattr(PREDICTORS.make(name), "kernels")]


def test_lessons_by_hand():
    """Values as they are, the worst of them for what is infeasible, nothing for what crashed."""
    ends = [Infeasible("nan"), Done(0.3), Crashed("x"), Done(-2.0)]
    trials = [Trial(n, Architecture({"n": n}), Fidelity(), outcome=end) for n, end in enumerate(ends)]
    architectures, values = read_lessons(trials)
    assert [a["n"] for a in architectures] == [0, 1, 3]
    assert values.tolist() == [-2.0, 0.3, -2.0]
    with pytest.raises(UsageError, match="none of 1 trials has one"):
        read_lessons(trials[:1])


def test_lessons_that_were_made_are_read_as_they_are():
    """To the last bit."""
    architectures, values = read_lessons(make_trials(DRAWN, VALUES / 3))
    assert architectures == DRAWN
    assert values.tobytes() == (VALUES / 3).tobytes()


def test_units():
    """Mean 0 and variance 1; equal values are 0, also where rounding spreads them; the plain unit changes no
    bit."""
    values = np.array([3.0, -1.0, 7.5])
    shrunk = Unit.of(values).shrink(values)
    assert (shrunk.mean(), shrunk.std()) == (pytest.approx(0), pytest.approx(1))
    assert np.allclose(Unit.of(values).stretch(shrunk), values)
    assert Unit.of(np.full(3, 0.1)) == Unit(pytest.approx(0.1), 1.0)
    assert Unit().stretch(Unit().shrink(values)).tobytes() == values.tobytes()


@pytest.mark.parametrize("name", KERNELS)
def test_a_gaussian_process_is_linear_algebra(name):
    """Means and deviations by matrix inversion, from the settings that were fitted."""
    fitted = PREDICTORS.make(name).start(SPACE, 0).fit(make_trials(DRAWN[:30], VALUES[:30]))
    model = fitted.predictor
    known, asked = (model.describe(SPACE, some) for some in (DRAWN[:30], DRAWN[30:]))
    among = fitted.signal * model.correlation(fitted.kernel, known, known)
    across = fitted.signal * model.correlation(fitted.kernel, asked, known)
    inverse = np.linalg.inv(among + fitted.noise * np.eye(30))
    zero, one = (0.0, 1.0) if name == "gp-scores" else (VALUES[:30].mean(), VALUES[:30].std())
    mean = zero + one * (across @ inverse @ ((VALUES[:30] - zero) / one))
    variance = fitted.signal - np.einsum("ij,jk,ik->i", across, inverse, across)
    found = fitted.predict(DRAWN[30:])
    np.testing.assert_allclose(found.mean, mean, atol=1e-6)
    np.testing.assert_allclose(found.deviation, one * np.sqrt(np.maximum(variance, 1e-12)), atol=1e-4)


@pytest.mark.parametrize("name", ["gp", "weisfeiler-lehman", "otmann", "deep-ensemble"])
def test_values_in_another_unit_are_predicted_in_it(name):
    """A hundred times the values and 5 more: so are the means, and deviations a hundred times."""
    settings = {"layers": 2, "epochs": 10} if name == "deep-ensemble" else {}
    model = PREDICTORS.make({"name": name, "arguments": settings})
    plain, percent = (
        model.start(SPACE, 0).fit(make_trials(DRAWN[:30], v[:30])) for v in (VALUES, 5 + 100 * VALUES)
    )
    one, other = plain.predict(DRAWN[30:]), percent.predict(DRAWN[30:])
    np.testing.assert_allclose(other.mean, 5 + 100 * one.mean, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(other.deviation, 100 * one.deviation, rtol=1e-4, atol=1e-4)


SCALED = [name for name in KERNELS if name != "gp-scores"]  # that reads normal scores, none of them far out
CHEAP = {"gcn": {"members": 2, "epochs": 2}, "deep-ensemble": {"layers": 2, "epochs": 10}}


@pytest.mark.parametrize("name", [*SCALED, "forest", "boosting", "gcn", "deep-ensemble"])
def test_a_loss_that_exploded_is_the_worst_of_the_others(name):
    """Its size would set the scale of all: beside three of -100 in 80, processes ranked others by chance."""
    model = PREDICTORS.make({"name": name, "arguments": CHEAP.get(name, {})})
    exploded, bounded = VALUES[:40].copy(), VALUES[:40].copy()
    exploded[[3, 17]], bounded[[3, 17]] = -1e9, np.delete(VALUES[:40], [3, 17]).min()
    one, other = (model.start(SPACE, 0).fit(make_trials(DRAWN[:40], v)) for v in (exploded, bounded))
    np.testing.assert_array_equal(one.predict(DRAWN[40:]).mean, other.predict(DRAWN[40:]).mean)
    if isinstance(one, Conditions):
        one, other = (f.condition(make_trials(DRAWN[:40], v)) for f, v in ((one, exploded), (other, bounded)))
        np.testing.assert_array_equal(one.predict(DRAWN[40:]).mean, other.predict(DRAWN[40:]).mean)


def test_conditioned_on_more_trials_it_keeps_its_settings():
    """What is newly known is foretold almost surely, and nothing was fitted anew."""
    fitted = PathKernel().start(SPACE, 0).fit(make_trials(DRAWN[:20], VALUES[:20]))
    more = fitted.condition(make_trials(DRAWN, VALUES))
    assert isinstance(fitted, Conditions)
    assert (more.kernel, more.signal, more.noise, more.unit) == (
        fitted.kernel,
        fitted.signal,
        fitted.noise,
        fitted.unit,
    )
    before, after = (f.predict(DRAWN[20:]) for f in (fitted, more))
    assert np.abs(after.mean - VALUES[20:]).mean() < 0.5 * np.abs(before.mean - VALUES[20:]).mean()
    assert (after.deviation < before.deviation).all()


def test_settings_are_fitted_to_so_many_trials_and_all_are_known():
    """More than enough trials: settings hang on the seed's draw of them, predictions on all."""
    many = list(dict.fromkeys(sample(SPACE, stream(1, "predictor", n)) for n in range(ENOUGH + 60)))
    values = np.array([len(set(a.values())) / 5 for a in many])
    fits = [SCORES.start(SPACE, seed, "a", 1).fit(make_trials(many, values)) for seed in (0, 0, 1)]
    assert fits[0] == fits[1]
    assert fits[0] != fits[2]
    assert all(len(fit.targets) == len(many) > ENOUGH for fit in fits)


def test_a_token_reader_goes_on_from_the_former_weights():
    """A second fit is that of its arithmetic on the first one's state, and not that of a fresh start."""
    model = MLP(updates=15, embedding=5, hidden=8)
    learner, tokens = model.start(SPACE, 3), ENCODES.tokens(DRAWN)
    first = learner.fit(make_trials(DRAWN[:20], VALUES[:20]))
    second = learner.fit(make_trials(DRAWN, VALUES), first)
    start = model.start_tokens(ENCODES.slots, ENCODES.vocabulary, 3)
    by_hand = model.fit_tokens(start, tokens[:20], VALUES[:20])
    assert first.state == by_hand
    assert second.state == model.fit_tokens(by_hand, tokens, VALUES)
    assert second != learner.fit(make_trials(DRAWN, VALUES))


def test_the_members_of_an_ensemble_deviate_in_the_unit_of_the_values():
    """The standard deviation of what each member says, by hand; a single network has none."""
    model = MLP(members=3, updates=15, embedding=5, hidden=8)
    fitted = model.start(SPACE, 3).fit(make_trials(DRAWN, 5 + 100 * VALUES))
    members = model.members_predict(fitted.state, ENCODES.tokens(DRAWN))
    each = np.array([fitted.state.scale.stretch(member) for member in members])
    np.testing.assert_allclose(fitted.predict(DRAWN).deviation, each.std(axis=0))
    assert MLP().start(SPACE, 3).fit(make_trials(DRAWN, VALUES)).predict(DRAWN).deviation is None


@dataclass(frozen=True)
class Lengths:
    """Predicts how long the text of an architecture is."""

    def predict(self, architectures):
        return Prediction(np.array([float(len(repr(a))) for a in architectures]))


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_a_pool_is_written_out_where_nothing_scores_it(chunk):
    """Each child once, in its place, in chunks of any size; no child, no score."""
    pool = GROWS.grow((), stream(0))
    expected = [len(repr(pool.architecture(i))) for i in range(len(pool))]
    assert score_pool(Lengths(), pool, chunk).tolist() == expected
    assert score_pool(Lengths(), GROWS.grow((), stream(0), cap=0), chunk).shape == (0,)


def test_nothing_is_gained_where_all_is_known():
    """Of a point without deviation the improvement is what it is better by, or nothing."""
    mean, deviation = np.array([0.2, 0.7]), np.zeros(2)
    np.testing.assert_allclose(compute_expected_improvement(mean, deviation, 0.5), [0.0, 0.2], atol=1e-12)
