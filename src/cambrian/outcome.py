"""Trials and their parts: fidelities, points of a learning curve, artifacts, outcomes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from cambrian.architecture import Architecture
from cambrian.choices import Scalar
from cambrian.errors import UsageError
from cambrian.options import shorten
from cambrian.records import Record
from cambrian.settings import Span, check_settings
from cambrian.weights import Fresh, Weights

if TYPE_CHECKING:
    from cambrian.problem import Objective


ENDLESS = 1_000_000
"""Epochs of a training that ends with its seconds, or with the budget, and not before."""


class Fidelity(msgspec.Struct, frozen=True, omit_defaults=True, metaclass=Record):
    """The effort of a measurement (Elsken et al. 2019, Sec. 4, "lower fidelity").

    `epochs` of training on `fraction` of the training data, with inputs scaled to `resolution` pixels a
    side (None: as they are), in a skeleton of these settings (`filters`, `cells`, ...).

    `seconds` bounds the time of the training, scores excluded (None: no bound): a training takes as many
    steps as fit, at least one and at most `epochs`, and its schedule ends with them. On CPU they are the
    process's own seconds on each of its threads, so that other load on the machine favours nobody."""

    epochs: Annotated[int, Span(1)] = 1
    fraction: Annotated[float, Span(0, 1, above=True)] = 1.0
    resolution: Annotated[int | None, Span(1)] = None
    skeleton: dict[str, Scalar] = {}
    seconds: Annotated[float | None, Span(0, above=True)] = None

    def __post_init__(self) -> None:
        check_settings(self, "fidelity")
        if not isinstance(self.skeleton, dict) or not all(isinstance(name, str) for name in self.skeleton):
            raise UsageError(
                "fidelity: skeleton is a dictionary of settings of the networks, such as {'filters': 16}, got"
                f" {shorten(self.skeleton)}"
            )

    def __hash__(self) -> int:  # by hand: the skeleton is a dict, which cannot be hashed
        skeleton = tuple(sorted(self.skeleton.items()))
        return hash((self.epochs, self.fraction, self.resolution, skeleton, self.seconds))


class Point(msgspec.Struct, frozen=True, metaclass=Record):
    """One point of a learning curve: the metrics after `step` epochs, and the seconds until then."""

    step: int
    metrics: dict[str, float]
    seconds: float = 0.0


Curve = tuple[Point, ...]


class Artifact(msgspec.Struct, frozen=True):
    """A file that an evaluation left behind, identified by the SHA-256 of its bytes. `file` is its path
    inside the run directory."""

    sha256: str
    bytes: int
    file: str


class Done(msgspec.Struct, frozen=True, omit_defaults=True, tag="done", metaclass=Record):
    """A measurement. `value` is finite, in the user's unit; higher is better, or lower if `minimize`.
    `metrics` holds everything else that was measured (params, macs, further objectives, test scores
    of final models, ...); `seconds` is its cost; `artifacts` are the files that it left, by name; `data`
    is small JSON, such as a supernet's gates over time."""

    value: float
    metrics: dict[str, float] = {}
    curve: Curve = ()
    seconds: float = 0.0
    minimize: bool = False
    artifacts: dict[str, Artifact] = {}
    data: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"only a finite number can be an outcome's value, got {self.value}")

    @property
    def score(self) -> float:
        """The value, negated if lower is better. No other place negates a value, but for its curve's."""
        return -self.value if self.minimize else self.value


class Infeasible(msgspec.Struct, frozen=True, omit_defaults=True, tag="infeasible", metaclass=Record):
    """The architecture cannot be measured under the conditions, which is a result too. `reason` is one of
    nan, oom, timeout, unbuildable, limit; `detail` is a sentence; `metrics` holds all that was measured
    before, so that it shows by how much a limit was missed."""

    reason: str
    detail: str = ""
    curve: Curve = ()
    seconds: float = 0.0
    metrics: dict[str, float] = {}


class Crashed(msgspec.Struct, frozen=True, tag="crashed", metaclass=Record):
    """The evaluation itself failed: an exception, a signal, a process that vanished."""

    error: str
    traceback: str = ""
    seconds: float = 0.0


Outcome = Done | Infeasible | Crashed


def set_direction(outcome: Outcome, minimize: bool) -> Outcome:
    """The outcome with the direction of the search set: estimators need not know it."""
    if not isinstance(outcome, Done) or outcome.minimize == minimize:
        return outcome
    return msgspec.structs.replace(outcome, minimize=minimize)


REASONS = ("nan", "oom", "timeout", "unbuildable", "limit")


def outcome_of(value: object, **rest: Any) -> Outcome:
    """An outcome from the return value of a user's function: `Done` for a finite real number,
    `Infeasible("nan")` for NaN and infinities, `Crashed` for anything that is not a number."""
    kept = {k: rest[k] for k in ("curve", "seconds") if k in rest}
    try:
        # float() would accept these: "0.9" is a slip rather than a value, and so is a comparison's True.
        if value is None or isinstance(value, str | bytes | bool):
            raise TypeError
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return Crashed(
            f"expected a number, got {value!r:.80} of type {type(value).__name__}",
            seconds=rest.get("seconds", 0.0),
        )
    if not math.isfinite(number):
        return Infeasible("nan", f"the value is {number}", **kept)
    return Done(number, **rest)


class Trial(msgspec.Struct, frozen=True, omit_defaults=True):
    """A row of the ledger as strategies, reports and users see it: a plain record.

    `kind` is "trial" (an architecture that the strategy proposed), "supernet" (the training of a supernet
    by `method`, `architecture` holding its outer answers), or "final" (a row of the last stage, `role` being
    its part there). Trials and supernets are numbered together, finals by themselves. `weights`, `estimator`,
    `reason`, `memory` and `prefers` are those of the request (see `cambrian.request`). `cached` is the
    number of the trial whose outcome this one repeats."""

    number: int
    architecture: Architecture
    fidelity: Fidelity
    kind: str = "trial"
    role: str = ""
    parent: int | None = None
    replicate: int = 0
    weights: Weights = Fresh()
    estimator: str = ""
    method: dict[str, Any] = {}
    reason: dict[str, Any] = {}
    memory: dict[str, Any] = {}
    prefers: tuple[int, ...] = ()
    outcome: Outcome | None = None
    cached: int | None = None

    @property
    def value(self) -> float | None:
        """The finite value; None for a trial that is still running or that failed."""
        return self.outcome.value if isinstance(self.outcome, Done) else None

    @property
    def score(self) -> float | None:
        """The value, negated if lower is better; rankings sort by it."""
        return self.outcome.score if isinstance(self.outcome, Done) else None

    @property
    def artifacts(self) -> dict[str, Artifact]:
        """The files that the evaluation left, by name."""
        return self.outcome.artifacts if isinstance(self.outcome, Done) else {}

    def scores(self, objectives: Sequence[Objective]) -> tuple[float, ...]:
        """One number for each objective, negated if lower is better: the value for the first, metrics
        by name for the others, -inf for one that was not measured. Raises ValueError without a value."""
        if not isinstance(self.outcome, Done):
            raise ValueError(f"trial {self.number} has no value")
        metrics = self.outcome.metrics
        # -inf for a missing one: the trial is dominated by all that have it, and stays in the ranking.
        others = [
            (-1 if o.minimize else 1) * metrics[o.name] if o.name in metrics else -math.inf
            for o in objectives[1:]
        ]
        return (self.outcome.score, *others)

    def turn_upwards(self) -> Trial:
        """The trial with its value negated if lower is better, and with it the "value" of the points of its
        curve: strategies only ever maximise."""
        if not isinstance(self.outcome, Done) or not self.outcome.minimize:
            return self
        curve = tuple(map(_turn_point, self.outcome.curve))
        outcome = msgspec.structs.replace(self.outcome, value=self.outcome.score, minimize=False, curve=curve)
        return msgspec.structs.replace(self, outcome=outcome)


def _turn_point(point: Point) -> Point:
    if "value" not in point.metrics:
        return point
    return msgspec.structs.replace(point, metrics={**point.metrics, "value": -point.metrics["value"]})


def describe_collapse(trial: Trial) -> str:
    """The sentence of a supernet whose gates collapsed; "" where they did not."""
    collapse = trial.outcome.data.get("collapse") if isinstance(trial.outcome, Done) else None
    if not collapse:
        return ""
    before = f"the last epoch before it is {collapse['before']}" if collapse["before"] else "from the start"
    return f"collapsed in epoch {collapse['epoch']}: {collapse['sign']}; {before}"


def failure_reason(trial: Trial) -> str:
    """The word for why a trial failed, one of `REASONS` or "crashed"; empty for one that did not."""
    if isinstance(trial.outcome, Infeasible):
        return trial.outcome.reason
    return "crashed" if isinstance(trial.outcome, Crashed) else ""


def describe_failure(trial: Trial) -> str:
    """The sentence of a trial that failed, empty for one that did not."""
    if isinstance(trial.outcome, Infeasible):
        return trial.outcome.detail or trial.outcome.reason
    return trial.outcome.error if isinstance(trial.outcome, Crashed) else ""
