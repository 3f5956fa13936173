"""What to try next: the contract of a strategy.

A strategy is a function of (seed, history). Its state is explicit and changes only in `learn`, so
that folding `learn` over the ledger rebuilds it, whoever did the work and however often it was killed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec

from cambrian.architecture import Architecture
from cambrian.outcome import Fidelity, Trial
from cambrian.problem import Problem

if TYPE_CHECKING:
    import numpy as np


class Evaluate(msgspec.Struct, frozen=True, tag="evaluate"):
    """Measure this architecture. `fidelity=None` is the search's own. `parent` is the number of the
    trial it descends from; `note` goes into the ledger (level, predicted value, ...) as plain JSON.
    `replicate` asks for another, independent measurement of the same thing."""

    architecture: Architecture
    fidelity: Fidelity | None = None
    parent: int | None = None
    replicate: int = 0
    note: dict[str, Any] = {}


class Job(msgspec.Struct, frozen=True, tag="job"):
    """Work on something other than one architecture: the training of a supernet."""

    name: str
    arguments: dict[str, Any] = {}
    note: dict[str, Any] = {}


class Wait(msgspec.Struct, frozen=True, tag="wait"):
    """Nothing can be proposed before another pending trial is learned."""


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """The strategy has finished; `reason` is a phrase."""

    reason: str


Proposal = Evaluate | Job | Wait | Stop


@runtime_checkable
class Strategy(Protocol):
    """Implementations are frozen dataclasses whose fields are their JSON settings."""

    @property
    def needs(self) -> tuple[type, ...]:
        """Protocols the space must fulfil."""
        ...

    def start(self, problem: Problem) -> Any:
        """The state before anything is known."""
        ...

    def propose(self, state: Any, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        """What to measure next. Never changes `state`. `pending` are the proposed trials that have
        not been learned, finished or not, their outcomes withheld. May return Wait only while
        something is pending."""
        ...

    def learn(self, state: Any, trial: Trial) -> Any:
        """The state knowing `trial`, which has an outcome; called in the order of trial numbers."""
        ...
