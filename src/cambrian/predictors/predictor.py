"""The contract of a predictor, which learns the values of trials and predicts those of other architectures.

A predictor is a value of settings. Started on a space it gives a `Learner`, which fits trials and gives a
`Fitted`. This predicts dozens of architectures (`predict`) or scores the hundred thousand children of a pool
(`score`). None of the three ever changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from cambrian.architecture import Architecture
from cambrian.errors import UsageError
from cambrian.outcome import Done, Fidelity, Infeasible, Trial

if TYPE_CHECKING:
    from cambrian.spaces.knowledge import Pool
    from cambrian.spaces.space import Space

Values = NDArray[np.float64]


class Prediction(NamedTuple):
    """The means float[n], in the unit of the learned values, and the standard deviations float[n], None if
    the predictor does not have deviations."""

    mean: Values
    deviation: Values | None = None


@runtime_checkable
class Fitted(Protocol):
    """A predictor fitted to trials. It may also have `score` (see `Scores`) and `condition` (see
    `Conditions`)."""

    def predict(self, architectures: Sequence[Architecture]) -> Prediction:
        """One mean and deviation for each architecture, independent of the others in the call."""
        ...


@runtime_checkable
class Scores(Protocol):
    """A `Fitted` that shares work among the children of a pool."""

    def score(self, pool: Pool) -> Values:
        """The means float[n] that `predict` gives for the pool's children, up to rounding."""
        ...


@runtime_checkable
class Conditions(Protocol):
    """A `Fitted` that can be conditioned on other trials without a new fit, cheaply enough for each
    proposal."""

    def condition(self, trials: Sequence[Trial]) -> Any:
        """The `Fitted` with the same settings, conditioned on `trials` and no others."""
        ...


@runtime_checkable
class Draws(Protocol):
    """A `Fitted` with a joint posterior of several architectures."""

    def draw(self, architectures: Sequence[Architecture], count: int, rng: np.random.Generator) -> Values:
        """Joint draws float[count, n] of the architectures' values, without the noise of a measurement."""
        ...

    def suppose(self, architectures: Sequence[Architecture], values: Values) -> Any:
        """The `Fitted` with the same settings, for which these values are known without noise."""
        ...


@runtime_checkable
class Learner(Protocol):
    """A predictor on a space."""

    def fit(self, trials: Sequence[Trial], former: Any = None) -> Any:
        """The `Fitted` for `trials`, which are all trials so far. `former` is the result of an earlier fit:
        a predictor with fine-tuning starts from it, others need not. Raises UsageError if none of the
        trials has a value."""
        ...


@runtime_checkable
class Predictor(Protocol):
    """Implementations are frozen dataclasses whose fields are their JSON settings."""

    @property
    def needs(self) -> tuple[type, ...]:
        """The protocols that the space must fulfil."""
        ...

    @property
    def deviates(self) -> bool:
        """Whether its predictions have deviations."""
        ...

    def start(self, space: Space, seed: int, *purpose: int | str) -> Learner:
        """The learner on `space`. `seed` and `purpose` name the stream of its fits."""
        ...


def read_lessons(trials: Sequence[Trial]) -> tuple[list[Architecture], Values]:
    """The architectures and values to learn from trials: measured values as they are, infeasible trials with
    the worst of these, crashed trials not at all."""
    measured = [trial.value for trial in trials if trial.value is not None]
    if not measured:
        raise UsageError(
            f"a predictor learns from values, and none of {len(trials)} trials has one: measure some first"
        )
    # An infeasible architecture is a bad one; a crash tells of the machine, not of the architecture.
    worst = min(measured)
    ended = [t for t in trials if t.value is not None or isinstance(t.outcome, Infeasible)]
    values = [worst if t.value is None else t.value for t in ended]
    return [t.architecture for t in ended], np.array(values, dtype=np.float64)


def make_trials(architectures: Sequence[Architecture], values: Values | Sequence[float]) -> list[Trial]:
    """Artificial trials with these architectures and values, for strategies that transform values before a
    predictor learns them."""
    return [
        Trial(number, architecture, Fidelity(), outcome=Done(float(value)))
        for number, (architecture, value) in enumerate(zip(architectures, values, strict=True))
    ]


def score_pool(fitted: Any, pool: Pool, chunk: int = 8192) -> Values:
    """The means float[n] of the pool's children, by the predictor's `score` if it has one, else by predicting
    each child."""
    if isinstance(fitted, Scores):
        return fitted.score(pool)
    # In chunks: a pool may have more children than memory holds as architectures.
    means = [
        fitted.predict([pool.architecture(i) for i in range(len(pool))[part]]).mean
        for part in chunks(len(pool), chunk)
    ]
    return np.concatenate(means) if means else np.zeros(0)


def chunks(n: int, size: int) -> Iterator[slice]:
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))
