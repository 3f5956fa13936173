"""What to try next: the contract of a strategy.

A strategy is a function of (seed, history). Its state is explicit and changes only in `learn`, so
that folding `learn` over the ledger rebuilds it, whoever did the work and however often it was killed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from cambrian.outcome import Trial
from cambrian.problem import Problem
from cambrian.request import Evaluate, Proposal, Request, Stop, TrainSupernet, Wait

if TYPE_CHECKING:
    import numpy as np

    from cambrian.architecture import Architecture


__all__ = ["Evaluate", "Proposal", "Recommends", "Request", "Stop", "Strategy", "TrainSupernet", "Wait"]


@runtime_checkable
class Strategy(Protocol):
    """Implementations are frozen dataclasses whose fields are their JSON settings.

    Besides the methods below one may have `requests: tuple[type, ...]`, the kinds of requests and weights
    it may ask for where it asks for more than `Evaluate` with `Fresh` weights, so that estimators which
    cannot serve them are refused before anything runs; `order`, "arrival" where it learns outcomes as they
    come instead of by number; and `keeps(state) -> Sequence[int]`, the rows whose artifacts it may still
    name (all of them, without it)."""

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


@runtime_checkable
class Recommends(Protocol):
    """A strategy that knows better than the highest value which architectures to hand over."""

    def recommend(self, state: Any) -> Sequence[Architecture]:
        """Architectures it was told the outcomes of, best first; for several objectives, its front."""
        ...
