"""The contract of a predictor: it learns from trials how good architectures are, and says so of others.

A predictor is a value of settings. Started on a space it is a `Learner`, which makes of trials a `Fitted`:
that is asked about architectures by the dozen (`predict`) or about the children of a pool by the hundred
thousand (`score`). None of the three ever changes.
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
    """float[n] means, in the unit of the values learned, and float[n] standard deviations; None where a
    predictor does not know how sure it is."""

    mean: Values
    deviation: Values | None = None


@runtime_checkable
class Fitted(Protocol):
    """A predictor that knows some trials. It may also have `score` (see `Scores`) and `condition` (see
    `Conditions`)."""

    def predict(self, architectures: Sequence[Architecture]) -> Prediction:
        """One mean and deviation for each architecture, whichever others are asked about beside it."""
        ...


@runtime_checkable
class Scores(Protocol):
    """A `Fitted` that shares work among the children of a pool."""

    def score(self, pool: Pool) -> Values:
        """float[n]: the means that `predict` gives for the pool's children, up to rounding."""
        ...


@runtime_checkable
class Conditions(Protocol):
    """A `Fitted` that can know other trials without a new fit, cheaply enough for each proposal."""

    def condition(self, trials: Sequence[Trial]) -> Any:
        """The `Fitted` of the same settings that knows `trials` and no others."""
        ...


@runtime_checkable
class Learner(Protocol):
    """A predictor on a space."""

    def fit(self, trials: Sequence[Trial], former: Any = None) -> Any:
        """The `Fitted` that knows `trials`, all that there are. `former` is what an earlier fit gave: a
        predictor that can be fine-tuned goes on from there, others need not. Raises UsageError where none of
        the trials has a value."""
        ...


@runtime_checkable
class Predictor(Protocol):
    """Implementations are frozen dataclasses whose fields are their JSON settings."""

    @property
    def needs(self) -> tuple[type, ...]:
        """Protocols the space must fulfil."""
        ...

    @property
    def deviates(self) -> bool:
        """Whether its predictions have deviations."""
        ...

    def start(self, space: Space, seed: int, *purpose: int | str) -> Learner:
        """The learner on `space`. `seed` and `purpose` name the stream that its fits draw from."""
        ...


def read_lessons(trials: Sequence[Trial]) -> tuple[list[Architecture], Values]:
    """The architectures and values that trials teach: measured values as they are, infeasible trials as the
    worst of those, crashed ones not at all."""
    measured = [trial.value for trial in trials if trial.value is not None]
    if not measured:
        raise UsageError(
            f"a predictor learns from values, and none of {len(trials)} trials has one: measure some first"
        )
    worst = min(measured)
    known = [t for t in trials if t.value is not None or isinstance(t.outcome, Infeasible)]
    values = [worst if t.value is None else t.value for t in known]
    return [t.architecture for t in known], np.array(values, dtype=np.float64)


def make_trials(architectures: Sequence[Architecture], values: Values | Sequence[float]) -> list[Trial]:
    """Trials that measured these values of these architectures: lessons that a strategy made up its mind
    about."""
    return [
        Trial(number, architecture, Fidelity(), outcome=Done(float(value)))
        for number, (architecture, value) in enumerate(zip(architectures, values, strict=True))
    ]


def score_pool(fitted: Any, pool: Pool, chunk: int = 8192) -> Values:
    """float[n] means of the pool's children: shared work where the predictor can, else each child written
    out and predicted."""
    if isinstance(fitted, Scores):
        return fitted.score(pool)
    means = [
        fitted.predict([pool.architecture(i) for i in range(len(pool))[part]]).mean
        for part in chunks(len(pool), chunk)
    ]
    return np.concatenate(means) if means else np.zeros(0)


def chunks(n: int, size: int) -> Iterator[slice]:
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))
