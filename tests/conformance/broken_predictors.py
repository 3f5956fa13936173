"""Predictors that break one promise each. `Worths`, which they vary, breaks none."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from cambrian.architecture import Architecture
from cambrian.errors import UsageError
from cambrian.outcome import Trial
from cambrian.predictors.predictor import Prediction, Values, read_lessons
from cambrian.spaces.knowledge import Encodes, Moves, Pool
from cambrian.spaces.space import Space


@dataclass(frozen=True)
class Known:
    """The mean value of the trials with an answer, and the mean of those means over an architecture's."""

    means: dict[str, float]
    overall: float

    def predict(self, architectures: Sequence[Architecture]) -> Prediction:
        mean = np.array([self.value(a) for a in architectures], np.float64)
        return Prediction(mean, np.full(len(mean), 0.1))

    def value(self, architecture: Architecture) -> float:
        answers = [repr(answer) for answer in architecture.values()]
        return math.fsum(self.means.get(answer, self.overall) for answer in answers) / len(answers)

    def score(self, pool: Pool) -> Values:
        return self.predict([pool.architecture(i) for i in range(len(pool))]).mean

    def condition(self, trials: Sequence[Trial]) -> Known:
        return learn(trials)


def learn(trials: Sequence[Trial]) -> Known:
    architectures, values = read_lessons(trials)
    seen: dict[str, list[float]] = defaultdict(list)
    for architecture, value in zip(architectures, values.tolist(), strict=True):
        for answer in architecture.values():
            seen[repr(answer)].append(value)
    return Known({answer: sum(some) / len(some) for answer, some in seen.items()}, float(values.mean()))


@dataclass(frozen=True)
class Worths:
    """Each answer is worth the mean value of the trials that gave it."""

    needs: ClassVar[tuple[type, ...]] = ()
    deviates: ClassVar[bool] = True

    def start(self, space: Space, seed: int, *purpose: int | str) -> Any:
        return Learner(self)

    def known(self, trials: Sequence[Trial], former: Any) -> Any:
        return learn(trials)


@dataclass(frozen=True)
class Learner:
    predictor: Any

    def fit(self, trials: Sequence[Trial], former: Any = None) -> Any:
        return self.predictor.known(trials, former)


@dataclass(frozen=True)
class Mended:
    """A good `Known` whose prediction is changed on its way out."""

    inner: Any
    change: Any

    def predict(self, architectures: Sequence[Architecture]) -> Prediction:
        return self.change(self.inner.predict(architectures))


class Changed(Worths):
    """Worths whose predictions are changed by `change`."""

    @staticmethod
    def change(prediction: Prediction) -> Prediction:
        raise NotImplementedError

    def known(self, trials: Sequence[Trial], former: Any) -> Any:
        return Mended(learn(trials), type(self).change)


@dataclass(frozen=True)
class NeedsMoves(Worths):
    """Asks for knowledge that the space does not have."""

    needs: ClassVar[tuple[type, ...]] = (Encodes, Moves)


@dataclass(frozen=True)
class Renamed(Worths):
    """A setting is changed when it is made."""

    rate: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", self.rate / 2)


class Column(Changed):
    """Means are float[n, 1]."""

    @staticmethod
    def change(prediction: Prediction) -> Prediction:
        return Prediction(prediction.mean[:, None], prediction.deviation)


class Silent(Changed):
    """A deviation is promised, and none is given."""

    @staticmethod
    def change(prediction: Prediction) -> Prediction:
        return Prediction(prediction.mean)


class Negative(Changed):
    """The square root was forgotten, and a difference of squares is below 0."""

    @staticmethod
    def change(prediction: Prediction) -> Prediction:
        return Prediction(prediction.mean, 0.0 * prediction.mean - 0.01)


class Centred(Changed):
    """Predictions are taken from the mean of those asked about beside them."""

    @staticmethod
    def change(prediction: Prediction) -> Prediction:
        centre = prediction.mean.mean() if len(prediction.mean) else 0.0
        return Prediction(prediction.mean - centre, prediction.deviation)


class Ordered(Changed):
    """Earlier rows are thought to be better."""

    @staticmethod
    def change(prediction: Prediction) -> Prediction:
        return Prediction(prediction.mean + 0.01 * np.arange(len(prediction.mean)), prediction.deviation)


class Constant(Changed):
    """Always half: worse than the mean of the trials."""

    @staticmethod
    def change(prediction: Prediction) -> Prediction:
        return Prediction(np.full(len(prediction.mean), 5.0), prediction.deviation)


class Dices(Changed):
    """Draws from NumPy's own generator."""

    @staticmethod
    def change(prediction: Prediction) -> Prediction:
        return Prediction(prediction.mean + 1e-9 * np.random.random(), prediction.deviation)


class Drawn(Worths):
    """A fit draws from NumPy's own generator."""

    def known(self, trials: Sequence[Trial], former: Any) -> Any:
        known = learn(trials)
        return replace(
            known, overall=known.overall, means={k: v + np.random.random() for k, v in known.means.items()}
        )


class Hashed(Worths):
    """The worth of an answer depends on the process's hashes of texts."""

    def known(self, trials: Sequence[Trial], former: Any) -> Any:
        known = learn(trials)
        return replace(known, means={a: mean + hash(a) % 100 / 100 for a, mean in known.means.items()})


class Sorts(Worths):
    """Sorts the trials it is given in place."""

    def known(self, trials: Any, former: Any) -> Any:
        trials.sort(key=lambda trial: trial.value or 0.0)
        return learn(trials)


class Overwrites(Worths):
    """Goes on in the former fit's own dictionary."""

    def known(self, trials: Sequence[Trial], former: Any) -> Any:
        known = learn(trials)
        if former is None:
            return known
        former.means.update({answer: 2 * value for answer, value in known.means.items()})
        return former


@dataclass(frozen=True)
class Counting(Known):
    """Remembers how often it was asked, and tires."""

    asked: list[int] = field(default_factory=list)

    def predict(self, architectures: Sequence[Architecture]) -> Prediction:
        self.asked.append(len(architectures))
        mean, deviation = Known.predict(self, architectures)
        return Prediction(mean - 1e-6 * len(self.asked), deviation)


class Tires(Worths):
    """Asking changes what is fitted."""

    def known(self, trials: Sequence[Trial], former: Any) -> Any:
        known = learn(trials)
        return Counting(known.means, known.overall)


@dataclass(frozen=True)
class Orphans(Known):
    """Scores a pool by its parents alone."""

    def score(self, pool: Pool) -> Values:
        means = np.append(self.predict(pool.parents).mean, 0.0)
        return np.asarray(means[pool.parent])


class Inherits(Worths):
    """The score of a child is its parent's prediction."""

    def known(self, trials: Sequence[Trial], former: Any) -> Any:
        known = learn(trials)
        return Orphans(known.means, known.overall)


@dataclass(frozen=True)
class Sorted(Known):
    """Gives the scores of a pool in another order than its children."""

    def score(self, pool: Pool) -> Values:
        return np.sort(Known.score(self, pool))


class Muddles(Worths):
    """Scores are right, and those of other children."""

    def known(self, trials: Sequence[Trial], former: Any) -> Any:
        known = learn(trials)
        return Sorted(known.means, known.overall)


@dataclass(frozen=True)
class Stubborn(Known):
    """Conditioned on other trials it forgets what it knows, in place."""

    def condition(self, trials: Sequence[Trial]) -> Known:
        self.means.clear()
        self.means.update(learn(trials).means)
        return self


class Forgets(Worths):
    """Conditioning changes what was fitted."""

    def known(self, trials: Sequence[Trial], former: Any) -> Any:
        known = learn(trials)
        return Stubborn(known.means, known.overall)


class Splits(Worths):
    """Holds out a fifth of the trials, of one trial nothing."""

    def known(self, trials: Sequence[Trial], former: Any) -> Any:
        return learn(trials[: len(trials) * 4 // 5])


class Divides(Worths):
    """Divides by the spread of the values."""

    def known(self, trials: Sequence[Trial], former: Any) -> Any:
        known = learn(trials)
        spread = np.std([trial.value for trial in trials if trial.value is not None])
        with np.errstate(all="ignore"):
            scale = float(spread / spread)
        return Mended(known, lambda p: Prediction(p.mean * scale, p.deviation))


class Inverts(Worths):
    """Refuses the same architecture twice, as a matrix without noise would."""

    def known(self, trials: Sequence[Trial], former: Any) -> Any:
        if len({trial.architecture for trial in trials}) < len(trials):
            raise np.linalg.LinAlgError("singular matrix")
        return learn(trials)


class Trusts(Worths):
    """Takes every trial to have a value."""

    def known(self, trials: Sequence[Trial], former: Any) -> Any:
        if sum(float(trial.value) for trial in trials) < -1e9:  # type: ignore[arg-type]
            raise UsageError("too bad")
        return learn(trials)


class Guesses(Worths):
    """Knowing nothing, says a half of everything."""

    def known(self, trials: Sequence[Trial], former: Any) -> Any:
        return learn(trials) if any(t.value is not None for t in trials) else Known({}, 0.5)


BROKEN = [
    (NeedsMoves, "needs_are_types_the_space_has"),
    (Renamed, "settings_are_a_spec"),
    (Column, "predictions_are_one_finite_number_each"),
    (Silent, "deviations_are_as_promised"),
    (Negative, "deviations_are_as_promised"),
    (Centred, "architectures_are_predicted_one_by_one"),
    (Ordered, "architectures_are_predicted_one_by_one"),
    (Dices, "asking_changes_nothing"),
    (Tires, "asking_changes_nothing"),
    (Sorts, "fitting_leaves_its_arguments_alone"),
    (Overwrites, "fitting_leaves_its_arguments_alone"),
    (Drawn, "a_fit_is_a_function_of_seed_and_trials"),
    (Hashed, "every_process_predicts_the_same"),
    (Inherits, "pools_are_scored_as_predicted"),
    (Muddles, "pools_are_scored_as_predicted"),
    (Forgets, "other_trials_can_be_known"),
    (Splits, "one_trial_is_enough"),
    (Divides, "equal_values_are_survived"),
    (Inverts, "repeats_are_survived"),
    (Trusts, "failures_are_survived"),
    (Guesses, "nothing_measured_is_said"),
    (Constant, "an_easy_function_is_learned"),
]
