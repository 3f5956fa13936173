"""The suite for predictors: functions of (seed, trials), of each architecture by itself, better than a
constant."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

from cambrian.architecture import Architecture, sample
from cambrian.codec import decode, encode
from cambrian.errors import UsageError
from cambrian.outcome import Crashed, Done, Fidelity, Infeasible, Outcome, Trial
from cambrian.predictors.predictor import Conditions, Prediction, Scores, Values, make_trials
from cambrian.randomness import stream
from cambrian.registry import Registry
from cambrian.spaces.knowledge import Grows, Pool, know
from cambrian.spaces.space import Space
from cambrian.testing.elsewhere import is_found_elsewhere, run_elsewhere
from cambrian.testing.snapshot import snapshot
from cambrian.testing.suite import Conformance, Suite, applies, expect

ROUNDING = 1e-4
"""The largest difference that single precision and another order of sums may make."""


@dataclass(frozen=True)
class PredictorCase:
    """A predictor under test on a space. It is fitted to `trials` architectures whose value is the mean worth
    of their answers, and predicts as many others; keep its settings such that a fit takes a second. `cap`
    bounds the children of a pool."""

    predictor: Any
    space: Space
    trials: int = 60
    cap: int = 100
    seed: int = 7

    @cached_property
    def architectures(self) -> list[Architecture]:
        """`trials` for the fit and as many others, all different where the space has so many."""
        drawn: dict[Architecture, None] = {}  # in the order drawn
        for n in range(20 * self.trials):
            if len(drawn) < 2 * self.trials:
                drawn[sample(self.space, stream(self.seed, "predictor", n))] = None
        return list(drawn)

    @property
    def known(self) -> list[Architecture]:
        return self.architectures[::2]

    @property
    def unknown(self) -> list[Architecture]:
        return self.architectures[1::2]

    def value(self, architecture: Architecture) -> float:
        """The mean worth of its answers, in [0, 1], whatever their questions. Only words count where there
        are any: graphs and tokens show them, but not always numbers."""
        answers = [repr(answer) for answer in architecture.values() if isinstance(answer, str)]
        answers = answers or [repr(answer) for answer in architecture.values()]
        return sum(map(self._worth, answers)) / len(answers)

    @cached_property
    def _worth(self) -> Callable[[str], float]:
        return cache(lambda answer: float(stream(self.seed, "worth", answer).random()))

    @cached_property
    def lessons(self) -> list[Trial]:
        return make_trials(self.known, [self.value(a) for a in self.known])

    @cached_property
    def fitted(self) -> Any:
        return self.fit(self.lessons)

    @cached_property
    def pools(self) -> list[Pool]:
        """The children of the first two levels, a sample of them."""
        space = know(self.space, Grows)
        applies(space is not None, "the space does not grow")
        assert space is not None
        # Eight parents: their children share work in scoring, which is where scores may go wrong.
        first = space.grow((), stream(self.seed, "pool", 1), cap=8)
        parents = [first.architecture(i) for i in range(len(first))]
        grown = space.grow(parents, stream(self.seed, "pool", 2), cap=self.cap) if space.levels[1:] else first
        return [first, grown]

    def fit(self, trials: Sequence[Trial], former: Any = None) -> Any:
        """Fit a copy of the predictor, so that nothing is carried over but the content of `former`."""
        # Deep: a predictor that keeps its last fit in itself would pass as a function of its trials.
        learner = copy.deepcopy(self.predictor).start(self.space, self.seed)
        return learner.fit(trials, former)


def check_needs_are_types_the_space_has(case: PredictorCase) -> None:
    """`needs` is a tuple of protocols, and the case's space fulfils them."""
    needs = case.predictor.needs
    expect(isinstance(needs, tuple) and all(isinstance(n, type) for n in needs), f"needs is {needs!r}")
    missing = [n.__name__ for n in needs if know(case.space, n) is None]
    expect(not missing, f"the case's space lacks what the predictor needs: {missing}")


def check_settings_are_a_spec(case: PredictorCase) -> None:
    """Written as JSON and made again, the predictor is equal to itself."""
    spec = Registry("predictor", {}).spec(case.predictor)
    applies(spec is not None, "a predictor without a name lives in this process only")
    again = Registry("predictor", {}).make(json.loads(json.dumps(spec)))
    expect(again == case.predictor, f"made again from {spec} it is another predictor")


def check_predictions_are_one_finite_number_each(case: PredictorCase) -> None:
    """float[n] finite means, for many architectures, for one, and for none."""
    for architectures in (case.unknown, case.unknown[:1], []):
        _check_sound(case, case.fitted, architectures)


def check_deviations_are_as_promised(case: PredictorCase) -> None:
    """Where `deviates`, float[n] finite deviations that are not negative; otherwise None."""
    for architectures in (case.unknown, case.known):
        deviation = case.fitted.predict(architectures).deviation
        promised = case.predictor.deviates
        expect(
            (deviation is not None) == promised, f"deviates is {promised}, its deviation {deviation!r:.60}"
        )
        if deviation is not None:
            shape = np.shape(deviation)
            expect(shape == (len(architectures),), f"{len(architectures)} deviations of shape {shape}")
            expect(np.isfinite(deviation).all(), "a deviation is no finite number")
            expect((np.asarray(deviation) >= 0).all(), f"a deviation is {np.min(deviation)}")


def check_architectures_are_predicted_one_by_one(case: PredictorCase) -> None:
    """An architecture's prediction does not depend on the others in the call, nor on their order."""
    whole = case.fitted.predict(case.unknown)
    order = stream(case.seed, "order").permutation(len(case.unknown))
    _check_agreement(
        case, case.fitted.predict([case.unknown[i] for i in order]), _take(whole, order), "in another order"
    )
    for i in range(0, len(case.unknown), max(1, len(case.unknown) // 4)):
        alone = case.fitted.predict([case.unknown[i]])
        _check_agreement(case, alone, _take(whole, np.array([i])), f"architecture {i} alone")


def check_asking_changes_nothing(case: PredictorCase) -> None:
    """Predicting changes neither the fitted object nor the architectures; a second call gives the same."""
    architectures = list(case.unknown)
    before = snapshot((case.fitted, architectures))
    one = case.fitted.predict(architectures)
    other = case.fitted.predict(architectures)
    expect(snapshot((case.fitted, architectures)) == before, "predicting changes what is fitted or asked")
    expect(snapshot(tuple(one)) == snapshot(tuple(other)), "asked twice, it predicts differently")


def check_fitting_leaves_its_arguments_alone(case: PredictorCase) -> None:
    """A fit that goes on from a former one changes neither the trials nor the former fit."""
    trials, former = list(case.lessons), case.fit(case.lessons)
    before, predicted = snapshot((trials, former)), snapshot(tuple(former.predict(case.unknown)))
    learner = case.predictor.start(case.space, case.seed)  # no copy: it shall be seen to change
    held = snapshot(learner)
    learner.fit(trials, former)
    expect(snapshot((trials, former)) == before, "a fit changes the trials, or what was fitted before")
    expect(snapshot(tuple(former.predict(case.unknown))) == predicted, "a fit changes what was fitted before")
    expect(snapshot(learner) == held, "a fit changes the learner")


def check_a_fit_is_a_function_of_seed_and_trials(case: PredictorCase) -> None:
    """The same seed and trials give the same predictions to the last bit, whatever is fitted or drawn in
    between; so does a fit that goes on from a former one."""
    one = case.fit(case.lessons)
    # Other fits of the same object, and draws from shared generators, must not be felt.
    _disturb_generators()
    case.predictor.start(case.space, case.seed).fit(case.lessons[: case.trials // 2])
    other = case.fit(case.lessons)
    _check_sameness(case, one, other, "fitted twice")
    _check_sameness(
        case, case.fit(case.lessons, one), case.fit(case.lessons, other), "fitted twice from a former fit"
    )


def check_every_process_predicts_the_same(case: PredictorCase) -> None:
    """Fitted to the same trials in another process, where sets have another order, it predicts the same."""
    spec = Registry("predictor", {}).spec(case.predictor)
    space = Registry("space", {}).spec(case.space)
    found = is_found_elsewhere(spec) and is_found_elsewhere(space)
    applies(found, "what another process does not find by its name lives in this process only")
    plain = [json.loads(encode(fact)) for fact in (case.lessons, case.unknown)]
    theirs = run_elsewhere("cambrian.testing.predictors:predict_after", [spec, space, case.seed, *plain])
    ours = case.fitted.predict(case.unknown)
    mean, deviation = theirs
    elsewhere = Prediction(np.asarray(mean), None if deviation is None else np.asarray(deviation))
    _check_agreement(case, ours, elsewhere, "in another process (go through sets in sorted order)")


def predict_after(facts: list[Any]) -> list[list[float] | None]:
    """The means and deviations that a predictor predicts after a history, which is given as JSON."""
    predictor, space = Registry("predictor", {}).make(facts[0]), Registry("space", {}).make(facts[1])
    trials: list[Trial] = decode(json.dumps(facts[3]), list[Trial])
    fitted = predictor.start(space, facts[2]).fit(trials, None)
    prediction = fitted.predict([Architecture.from_json(answers) for answers in facts[4]])
    return [None if each is None else np.asarray(each, np.float64).tolist() for each in prediction]


def check_pools_are_scored_as_predicted(case: PredictorCase) -> None:
    """The score of a pool's child is the mean predicted for it."""
    applies(isinstance(case.fitted, Scores), "the predictor does not score pools")
    for pool in case.pools:
        scores = np.asarray(case.fitted.score(pool))
        expect(scores.shape == (len(pool),), f"{len(pool)} children, scores of shape {scores.shape}")
        children = [pool.architecture(i) for i in range(len(pool))]
        _check_agreement(
            case, Prediction(scores), Prediction(case.fitted.predict(children).mean), "scored in a pool"
        )


def check_other_trials_can_be_known(case: PredictorCase) -> None:
    """Conditioned on other trials it predicts by those, and leaves the fitted object unchanged."""
    applies(isinstance(case.fitted, Conditions), "the predictor cannot be conditioned")
    before = snapshot(case.fitted)
    for trials in (case.lessons[: case.trials // 2], case.lessons[:1]):
        _check_sound(case, case.fitted.condition(trials), case.unknown)
    expect(snapshot(case.fitted) == before, "conditioning changes what was fitted")
    # On its own trials, conditioning is the identity: an oracle without a second implementation.
    again = case.fitted.condition(case.lessons)
    _check_agreement(
        case, again.predict(case.unknown), case.fitted.predict(case.unknown), "on the trials of its fit"
    )


def check_one_trial_is_enough(case: PredictorCase) -> None:
    """Fitted to a single trial, and then to one more, it predicts."""
    # One trial has no spread to scale by, and leaves nothing over for validation.
    former = case.fit(case.lessons[:1])
    _check_sound(case, former, case.unknown)
    _check_sound(case, case.fit(case.lessons[:2], former), case.unknown)


def check_equal_values_are_survived(case: PredictorCase) -> None:
    """Equal values, 0 too, teach nothing, and do no harm to a later fit."""
    for value in (0.0, 0.5, 37.0):
        equal = case.fit(make_trials(case.known, [value] * len(case.known)))
        _check_sound(case, equal, case.unknown)
        _check_sound(case, case.fit(case.lessons, equal), case.unknown)


def check_repeats_are_survived(case: PredictorCase) -> None:
    """The same architecture may be measured several times, with other values."""
    # Equal rows make a kernel matrix singular.
    again = make_trials(case.known, [case.value(a) + 0.1 for a in case.known])
    _check_sound(case, case.fit([*case.lessons, *again]), case.unknown)


def check_failures_are_survived(case: PredictorCase) -> None:
    """Infeasible and crashed trials may be among those that it is fitted to."""
    bad = (Infeasible("nan"), Crashed("ValueError: made up"), Infeasible("oom", "made up"))
    ends: list[Outcome] = [Done(case.value(a)) for a in case.known]
    for n in range(0, len(ends) - 1, 3):  # the first trial fails too: nothing may lean on it
        ends[n] = bad[n // 3 % 3]
    trials = [
        Trial(n, a, Fidelity(), outcome=end) for n, (a, end) in enumerate(zip(case.known, ends, strict=True))
    ]
    _check_sound(case, case.fit(trials), case.unknown)


def check_nothing_measured_is_said(case: PredictorCase) -> None:
    """Without a single value it raises UsageError, in one sentence."""
    failed = [Trial(0, case.known[0], Fidelity(), outcome=Infeasible("nan"))]
    for trials in ([], failed):
        try:
            case.fit(trials)
        except UsageError:
            continue
        expect(False, f"fitted to {len(trials)} trials without a value, it does not say that there is none")


def check_an_easy_function_is_learned(case: PredictorCase) -> None:
    """On unknown architectures its error is smaller than that of the mean of the known, for turned values
    too."""
    # Turned: a predictor that ignores the values and ranks by size, say, fails one of the two.
    for sign, offset in ((1.0, 0.0), (-1.0, 1.0)):
        values = np.array([offset + sign * case.value(a) for a in case.known])
        truth = np.array([offset + sign * case.value(a) for a in case.unknown])
        applies(truth.std() > 0, "the space is too small to tell architectures apart")
        mean = np.asarray(case.fit(make_trials(case.known, values)).predict(case.unknown).mean, np.float64)
        ours, constant = np.abs(mean - truth).mean(), np.abs(values.mean() - truth).mean()
        expect(ours < constant, f"its mean error is {ours:.3g}, that of predicting the mean {constant:.3g}")


def _check_sound(case: PredictorCase, fitted: Any, architectures: Sequence[Architecture]) -> None:
    prediction = fitted.predict(architectures)
    for values in prediction:
        if values is None:
            continue
        shape = np.shape(values)
        expect(shape == (len(architectures),), f"{len(architectures)} architectures, predictions of {shape}")
        expect(np.isfinite(np.asarray(values)).all(), "a prediction is no finite number")


def _check_agreement(case: PredictorCase, one: Prediction, other: Prediction, where: str) -> None:
    """Equal but for rounding, of values whose spread is about 0.1."""
    for ours, theirs in zip(one, other, strict=True):
        if ours is not None and theirs is not None:
            apart = float(np.abs(np.asarray(ours) - np.asarray(theirs)).max(initial=0.0))
            expect(apart <= ROUNDING, f"{where}, predictions differ by {apart:.3g}")


def _check_sameness(case: PredictorCase, one: Any, other: Any, where: str) -> None:
    ours, theirs = one.predict(case.unknown), other.predict(case.unknown)
    expect(snapshot(tuple(ours)) == snapshot(tuple(theirs)), f"{where}, it predicts differently")


def _take(prediction: Prediction, rows: Any) -> Prediction:
    def take(values: Values | None) -> Values | None:
        return None if values is None else np.asarray(values)[rows]

    mean, deviation = prediction
    return Prediction(np.asarray(mean)[rows], take(deviation))


def _disturb_generators() -> None:
    """Draw from the generators that all libraries of a process share."""
    import random

    random.random()
    np.random.random()


Check = Callable[[PredictorCase], None]

PREDICTOR = Suite[PredictorCase](
    "predictor",
    (
        check_needs_are_types_the_space_has,
        check_settings_are_a_spec,
        check_predictions_are_one_finite_number_each,
        check_deviations_are_as_promised,
        check_architectures_are_predicted_one_by_one,
        check_asking_changes_nothing,
        check_fitting_leaves_its_arguments_alone,
        check_a_fit_is_a_function_of_seed_and_trials,
        check_every_process_predicts_the_same,
        check_pools_are_scored_as_predicted,
        check_other_trials_can_be_known,
        check_one_trial_is_enough,
        check_equal_values_are_survived,
        check_repeats_are_survived,
        check_failures_are_survived,
        check_nothing_measured_is_said,
        check_an_easy_function_is_learned,
    ),
)


class PredictorSuite(Conformance):
    """Subclass it in a test file and define `case(self) -> PredictorCase`."""

    suite = PREDICTOR
