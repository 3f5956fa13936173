"""The contract of a strategy, which proposes the next trial.

A strategy is a function of (seed, history). Its state is explicit and changes only in `learn`, so
that folding `learn` over the ledger rebuilds it, whichever workers did the work and however often the run
was killed.
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

    A strategy may have members besides the methods below. `requests: tuple[type, ...]` are the kinds
    of requests and weights that it uses beyond `Evaluate` with `Fresh` weights, so that estimators which
    cannot serve them are refused before anything runs. `order` is "arrival" if it learns outcomes as they
    arrive instead of by number. `keeps(state) -> Sequence[int]` are the rows whose artifacts it may still
    name (without it: all rows). `axes: tuple[str, ...]` are the parts of the fidelity along which it asks for
    lower ones than the problem's own (see `cambrian.effort`), and `list_fidelities(problem)` those that it
    asks for, the lowest first, for plans. `estimators: Mapping[str, str]` are estimators by name that its
    requests ask for, which a search has in addition to its own. `own_trials` is True if it learns no trials
    but those that it has proposed, and so cannot go on from another strategy's. `fewest_trials: int` are
    those with a value for which a search by time goes on into the final stage's part (without it: 1).
    `needs_trials` is True if the search's budget has to say how many trials there are, and `one_objective` if
    it makes no sense of several: of a strategy or of one within it. `begins` is True if it proposes the
    architectures that a space begins with itself, at fidelities of its own. `random_first` is True if its
    proposals without a parent and a reason are drawn at random, as a random search's are.
    `sets_aside(state) -> Collection[int]` are the rows on whose values its recommendation does not rest, as
    those of an audit at other fidelities (without it: none).

    A strategy around another has that as its `inner`: there `list_fidelities` and `fewest_trials` are looked
    for, where it does not have its own (see `cambrian.strategies.inner`)."""

    @property
    def needs(self) -> tuple[type, ...]:
        """The protocols that the space must fulfil."""
        ...

    def start(self, problem: Problem) -> Any:
        """The state before anything is known."""
        ...

    def propose(self, state: Any, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        """The next request. It never changes `state`. `pending` are the proposed trials that have
        not been learned, finished or not, without their outcomes. It may return Wait only while
        a trial is pending."""
        ...

    def learn(self, state: Any, trial: Trial) -> Any:
        """The state after learning `trial`, which has an outcome; called in the order of trial numbers."""
        ...


@runtime_checkable
class Recommends(Protocol):
    """A strategy with a better criterion than the highest value for the architectures to recommend."""

    def recommend(self, state: Any) -> Sequence[Architecture]:
        """Learned architectures, best first; for several objectives, the front of the strategy."""
        ...
