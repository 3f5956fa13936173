"""What a trial asks for and how it ends: fidelities, points of a learning curve, outcomes, trials."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from cambrian.architecture import Architecture
from cambrian.choices import Scalar
from cambrian.errors import UsageError


class Fidelity(msgspec.Struct, frozen=True, omit_defaults=True):
    """How dearly an architecture is to be measured (Elsken et al. 2019, Sec. 4, "lower fidelity").

    `epochs` of training on `fraction` of the training data, inputs scaled to `resolution` pixels a
    side (None: as they are), in the skeleton the space is told to build (`filters`, `cells`, ...)."""

    epochs: int = 1
    fraction: float = 1.0
    resolution: int | None = None
    skeleton: dict[str, Scalar] = {}

    def __post_init__(self) -> None:
        if self.epochs < 1 or not 0 < self.fraction <= 1:
            raise UsageError(
                f"a fidelity needs epochs >= 1 and 0 < fraction <= 1, got {self.epochs} and {self.fraction}"
            )

    def __hash__(self) -> int:
        return hash((self.epochs, self.fraction, self.resolution, tuple(sorted(self.skeleton.items()))))


class Point(msgspec.Struct, frozen=True):
    """One point of a learning curve: after `step` epochs, the metrics, and the seconds so far."""

    step: int
    metrics: dict[str, float]
    seconds: float = 0.0


Curve = tuple[Point, ...]


class Done(msgspec.Struct, frozen=True, tag="done"):
    """A measurement. `value` is finite, in the user's unit; higher is better, or lower where it is to
    `minimize`. `metrics` holds whatever else was measured (params, macs, test scores of final models,
    ...); `seconds` is what it cost; `weights` names a safetensors file inside the run directory."""

    value: float
    metrics: dict[str, float] = {}
    curve: Curve = ()
    seconds: float = 0.0
    weights: str | None = None
    minimize: bool = False

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"only a finite number can be an outcome's value, got {self.value}")

    @property
    def score(self) -> float:
        """The value with its sign such that higher is better: the one place where a direction is turned."""
        return -self.value if self.minimize else self.value


class Infeasible(msgspec.Struct, frozen=True, tag="infeasible"):
    """A result too: the architecture cannot be had under the conditions. `reason` is one of
    nan, oom, timeout, unbuildable, limit; `detail` is a sentence; `metrics` holds whatever was measured, such
    as by how much a limit was missed."""

    reason: str
    detail: str = ""
    curve: Curve = ()
    seconds: float = 0.0
    metrics: dict[str, float] = {}


class Crashed(msgspec.Struct, frozen=True, tag="crashed"):
    """The evaluation itself failed: an exception, a signal, a process that vanished."""

    error: str
    traceback: str = ""
    seconds: float = 0.0


Outcome = Done | Infeasible | Crashed


def directed(outcome: Outcome, minimize: bool) -> Outcome:
    """The outcome of a search that is to `minimize`, or not: estimators need not know which."""
    if not isinstance(outcome, Done) or outcome.minimize == minimize:
        return outcome
    return msgspec.structs.replace(outcome, minimize=minimize)


REASONS = ("nan", "oom", "timeout", "unbuildable", "limit")


def outcome_of(value: object, **rest: Any) -> Outcome:
    """An outcome from whatever a user's function returned: `Done` for a finite real number,
    `Infeasible("nan")` for NaN and infinities, `Crashed` for what is no number."""
    kept = {k: rest[k] for k in ("curve", "seconds") if k in rest}
    try:
        if value is None or isinstance(value, str | bytes | bool):
            raise TypeError
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return Crashed(
            f"expected a number to maximise, got {value!r:.80} of type {type(value).__name__}",
            seconds=rest.get("seconds", 0.0),
        )
    if not math.isfinite(number):
        return Infeasible("nan", f"the value is {number}", **kept)
    return Done(number, **rest)


class Trial(msgspec.Struct, frozen=True):
    """A row of the ledger as strategies, reports and users see it: a plain record.

    `kind` is "trial" (proposed by the strategy), "job" (a supernet's training) or "final" (the last
    stage; `role` says as what). `note` is what the strategy remembered of its reasons, such as the
    level and the predicted value. `cached` is the number of the trial whose outcome this repeats."""

    number: int
    architecture: Architecture
    fidelity: Fidelity
    kind: str = "trial"
    role: str = ""
    parent: int | None = None
    replicate: int = 0
    note: dict[str, Any] = {}
    outcome: Outcome | None = None
    cached: int | None = None

    @property
    def value(self) -> float | None:
        """The finite value, or None for what has not ended or did not end well."""
        return self.outcome.value if isinstance(self.outcome, Done) else None

    @property
    def score(self) -> float | None:
        """The value, turned so that higher is better: what rankings go by."""
        return self.outcome.score if isinstance(self.outcome, Done) else None

    def maximised(self) -> Trial:
        """The trial as strategies learn it, whose values are to be high."""
        if not isinstance(self.outcome, Done) or not self.outcome.minimize:
            return self
        outcome = msgspec.structs.replace(self.outcome, value=self.outcome.score, minimize=False)
        return msgspec.structs.replace(self, outcome=outcome)


def incumbents(trials: Iterable[Trial]) -> Iterator[Trial | None]:
    """After each of the trials, in the order of their numbers, the best until then: that of the highest
    score. Of equals it is the one which the strategy preferred when it last said so (`"prefers"` in a
    note: numbers of trials), else the first; None before there is a value."""
    equals: list[Trial] = []
    preferred: tuple[int, ...] = ()
    for trial in trials:
        preferred = tuple(trial.note.get("prefers", preferred))
        if trial.score is not None:
            highest = -math.inf if not equals or equals[0].score is None else equals[0].score
            equals = (
                [trial] if trial.score > highest else [*equals, trial] if trial.score == highest else equals
            )
        yield next((t for t in equals if t.number in preferred), equals[0] if equals else None)
