"""The problem a search solves: its space, objectives, limits, fidelity and budget."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from cambrian.architecture import Architecture
from cambrian.effort import Axis
from cambrian.outcome import Fidelity

if TYPE_CHECKING:
    from cambrian.spaces.space import Space


@dataclass(frozen=True)
class Objective:
    """A metric of outcomes to optimise. `minimize`: lower is better. `reference` is the worst value that is
    still of use, from which the hypervolume of a front is measured (None: taken from the trials)."""

    name: str = "value"
    minimize: bool = False
    reference: float | None = None

    def __str__(self) -> str:
        return f"{self.name}, {'lower' if self.minimize else 'higher'} is better"


LOWER = (
    "loss",
    "err",
    "error",
    "rmse",
    "mse",
    "mae",
    "mape",
    "nll",
    "perplexity",
    "ppl",
    "latency",
    "energy",
    "params",
    "macs",
    "memory",
)
HIGHER = (
    "acc",
    "accuracy",
    "score",
    "f1",
    "auc",
    "reward",
    "precision",
    "recall",
    "map",
    "miou",
    "r2",
    "mcc",
    "kappa",
)
TURNED = {"neg", "negated", "minus"}
"""In a name, of a metric whose sign was turned: of scikit-learn's "neg_log_loss" higher is better."""


def lower_is_better(name: str) -> bool | None:
    """Whether a metric of that name is usually minimised; None if the name does not tell.

    >>> [lower_is_better(name) for name in ("val_loss", "test acc", "top1Error", "value", "neg_log_loss")]
    [True, False, True, None, None]
    """
    words = split_words(name)
    words |= {a + b for a in words for b in words if (a, b) in (("f", "1"), ("r", "2"))}
    if words & TURNED:
        return None
    # LOWER first: "error of the score" and "accuracy loss" are both to be low.
    if words & set(LOWER):
        return True
    return False if words & set(HIGHER) else None


def split_words(name: str) -> set[str]:
    """The words and the numbers of a name in snake_case or camelCase: a "gloss" is not a loss, and "map5" is
    a map.

    >>> sorted(split_words("testAcc_top5"))
    ['5', 'acc', 'test', 'top']
    """
    return set(re.findall(r"[a-z]+|[0-9]+", re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name).lower()))


@dataclass(frozen=True)
class Limit:
    """An upper bound, `most`, on a `measure` of a network, such as `params`. A network over it is never
    trained."""

    measure: str
    most: float


@dataclass(frozen=True)
class Problem:
    """The problem that a strategy is started with. `trials` and `seconds` are the budget with which the run
    began (None: unlimited). Continuing with a larger budget does not change them, so that the proposals stay
    as they were.

    `fidelity` is the default for requests that do not name one; `axes` are those along which the estimator
    can measure at lower ones. `begins` are architectures by name that are measured first, whatever the
    strategy, after those that the space itself begins with (see `cambrian.strategies.begun`)."""

    space: Space
    objectives: tuple[Objective, ...] = (Objective(),)
    limits: tuple[Limit, ...] = ()
    fidelity: Fidelity = field(default_factory=Fidelity)
    trials: int | None = None
    seconds: float | None = None
    seed: int = 0
    axes: tuple[Axis, ...] = ()
    begins: Mapping[str, Architecture] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """All fields but the space, as JSON."""
        # A space has a spec of its own, which not every space can give.
        plain = [f.name for f in dataclasses.fields(self) if f.name not in ("space", "begins")]
        facts: dict[str, Any] = msgspec.to_builtins({name: getattr(self, name) for name in plain})
        return {**facts, "begins": {name: begun.to_json() for name, begun in self.begins.items()}}

    @staticmethod
    def of(space: Space, facts: dict[str, Any]) -> Problem:
        """The inverse of `facts`."""
        return Problem(
            space,
            tuple(msgspec.convert(facts["objectives"], list[Objective])),
            tuple(msgspec.convert(facts["limits"], list[Limit])),
            msgspec.convert(facts["fidelity"], Fidelity),
            facts["trials"],
            facts["seconds"],
            facts["seed"],
            tuple(msgspec.convert(facts["axes"], list[Axis])),
            {name: Architecture.from_json(answers) for name, answers in facts["begins"].items()},
        )
