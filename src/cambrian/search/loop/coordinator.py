"""The strategy's side of a run: its proposals become rows of the ledger, in the run's order (see `order`).

Resuming folds `learn` over the ledger, in the order in which the trials were learned; recorded proposals
are read, never made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from cambrian.errors import StrategyError, did_you_mean
from cambrian.estimators.estimator import SERVES
from cambrian.outcome import Artifact, Fidelity, Outcome, Trial
from cambrian.problem import Problem
from cambrian.recommendation import find_measurements, find_whole_front, insert_better, rank_trials
from cambrian.request import Request, Stop, TrainSupernet, Wait, trial_of
from cambrian.search.ledger.keys import supernet_key, trial_key
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.rows import Row
from cambrian.search.loop.answers import check_recommended, name_strategy, replay_proposed
from cambrian.search.loop.breaker import Breaker
from cambrian.search.loop.order import ARRIVAL, NUMBER, Order
from cambrian.search.loop.supervised import Supervised
from cambrian.search.parts.direction import turn_trial
from cambrian.spaces.knowledge import Canonical, know
from cambrian.strategies.inner import list_aside
from cambrian.strategies.strategy import Recommends, Strategy
from cambrian.weights import Continue, Shared, Weights, source_row

BEST = 8
"""Trials whose networks the final stage may hand over: several may be of one architecture, or fail."""
EXHAUSTED = 200
"""So many repeats in a row end a search: the strategy finds nothing new."""


@dataclass(frozen=True)
class Means:
    """One of a run's estimators as the coordinator knows it: `recipe` stands for it and the data in keys;
    with `minimize` lower values are better."""

    recipe: str
    minimize: bool = False
    serves: tuple[type, ...] = SERVES
    raw: bool = False
    reads_history: bool = False


class Coordinator:
    """Makes rows of the strategy's proposals; knows nothing of engines."""

    threads = 0
    """Those of the engine: trials run side by side."""

    def __init__(
        self,
        problem: Problem,
        strategy: Strategy,
        ledger: Ledger,
        *,
        lag: int,
        means: Mapping[str, Means],
        order: str = NUMBER,
        forgiven: int = 0,
        keeps_all: bool = False,
        keeps_best: bool = False,
    ) -> None:
        """With `keeps_all` the artifacts of all rows are kept, whatever the strategy may name, with
        `keeps_best` those of the best few alone."""
        self.problem, self.space, self.strategy, self.ledger = problem, problem.space, strategy, ledger
        self.means, self._keeps_all, self._keeps_best = means, keeps_all, keeps_best
        self._strategy = name_strategy(strategy)  # once: it is looked up in all registries
        self.canonical = know(self.space, Canonical) is not None
        rows = [r for r in ledger.rows() if not r.final]
        self._numbers: dict[str, int] = {}
        for row in rows:
            self._numbers.setdefault(row.key, row.trial.number)
        self._knew = {row.trial.number: row.knew for row in rows}
        self.breaker = Breaker(forgiven)
        self._supervised = Supervised(strategy, self.breaker)
        directions = {name: each.minimize for name, each in means.items()}
        trials = [turn_trial(r.trial, directions) for r in rows]
        self.order = Order(problem, self._supervised, lag=lag, by=order, trials=trials)
        for number in self._order_learned(rows):
            self.order.learn(number)

    @property
    def trials(self) -> list[Trial]:
        return self.order.trials

    @property
    def learned(self) -> int:
        """How many trials the strategy has learned."""
        return self.order.learned

    def _order_learned(self, rows: Sequence[Row]) -> list[int]:
        """The numbers of the trials that the strategy had learned, in that order."""
        if self.order.by == NUMBER:
            return list(range(max((r.knew for r in rows), default=0)))
        places = {r.learned: r.trial.number for r in rows if r.learned is not None}
        return [places[place] for place in sorted(places)]

    def next(self) -> Row | Wait | Stop:
        """The next row to claim, or Wait for an outcome that must be known first, or Stop."""
        number = len(self.trials)
        # A strategy that repeats itself for so long has no new architecture, and repeats cost no time:
        # without this bound the loop would never end.
        if self._repeats() >= EXHAUSTED:
            return Stop(f"exhausted: {EXHAUSTED} proposals in a row had been tried before")
        proposal = self.order.next_proposal()
        if isinstance(proposal, Stop):
            return proposal
        if isinstance(proposal, Wait):
            self._check_wait(number)
            return proposal
        return self._row(number, proposal)

    def claim(self, row: Row) -> None:
        """Take up a row that `next` returned, before the next call of `next`."""
        self._numbers.setdefault(row.key, row.trial.number)
        self._knew[row.trial.number] = row.knew
        self.order.add(row.trial)

    def finish(self, number: int, outcome: Outcome) -> dict[int, int]:
        """Take an outcome, before a call of `next` that may depend on it. Returns the places at which trials
        were learned now, by number: in the order of arrival, this one and its repeats."""
        return self.order.finish(number, outcome)

    def artifacts(self, trial: Trial) -> dict[str, Artifact]:
        """The files of the row whose weights the trial begins with."""
        row = source_row(trial.weights)
        return {} if row is None else self.order.resolve(self.trials[row]).artifacts

    def history(self, trial: Trial) -> tuple[Trial, ...]:
        """The trials that the strategy had learned when it asked for `trial`, in the order of numbers, where
        its estimator reads them."""
        if not self.means[trial.estimator].reads_history:
            return ()
        # By the row, and not by what is known now: that depends on the workers, and on kills.
        known = self.order.sequence[: self._knew[trial.number]]
        return tuple(self.trials[n] for n in sorted(known))

    def root(self, weights: Weights) -> Weights:
        """The weights with which a training first began, behind any number of rows that continue it."""
        while isinstance(weights, Continue):
            weights = self.trials[weights.row].weights
        return weights

    def begun(self, weights: Weights) -> Fidelity | None:
        """The fidelity of the row that these weights continue."""
        return self.trials[weights.row].fidelity if isinstance(weights, Continue) else None

    def list_needed(self) -> tuple[list[Artifact], list[Artifact]]:
        """The artifacts with which pending rows begin or that the strategy has yet to learn of, and those
        that it may still name, or a later choice, those with the best claim to room last."""
        keeps = getattr(self.strategy, "keeps", None)
        rows = range(len(self.trials))
        may_name = list(rows) if keeps is None else sorted(keeps(self.order.state))
        if self._keeps_best:
            may_name = [trial.number for trial in reversed(self._list_best())]
        if self._keeps_all:  # those that the strategy may name last, for which there is room first
            named = frozenset(may_name)
            may_name = sorted(rows, key=lambda number: (number in named, number))
        sources = [source_row(self.trials[n].weights) for n in self.order.open]
        return self._files([*sources, *self.order.open]), self._files(may_name)

    def _list_best(self) -> list[Trial]:
        """The first of the ranking; of several objectives also the front, of which any may be handed over."""
        objectives = self.problem.objectives
        front = find_whole_front(self.order.resolve_all(), objectives) if len(objectives) > 1 else []
        return [*self.rank()[:BEST], *front]

    def _files(self, numbers: Iterable[int | None]) -> list[Artifact]:
        trials = [self.order.resolve(self.trials[n]) for n in numbers if n is not None]
        return [artifact for trial in trials for artifact in trial.artifacts.values()]

    def recommend(self) -> list[Trial]:
        """The measured trials, best first (see `rank_trials`), by the strategy where it knows better; for a
        search at its end, since the strategy learns of its last trials now."""
        self.order.learn_known()
        return self.rank()

    def rank(self) -> list[Trial]:
        """The measured trials as `recommend` has them, by what the strategy has learned so far."""
        known = self.order.resolve_all()
        preferred = self._list_preferred(known)
        numbers = {t.number for t in preferred}
        ranked = rank_trials(known, self.problem.objectives)
        return [*preferred, *(t for t in ranked if t.number not in numbers)]

    def _list_preferred(self, known: Sequence[Trial]) -> list[Trial]:
        """The trials of the architectures that the strategy recommends, and those of which it was not told
        where they are better."""
        if not isinstance(self.strategy, Recommends):
            return []
        with self._supervised.measure_time():
            chosen = check_recommended(self.strategy, self.strategy.recommend(self.order.state))
        aside = list_aside(self.strategy, self.order.state)
        measured = find_measurements((t for t in known if t.number not in aside), self.problem.fidelity)
        preferred = [measured[a] for a in chosen if a in measured]
        # Open are those after a trial that the time ran out on, which keeps them from being learned.
        untold = [n for n in (*self.order.hidden, *self.order.open) if n not in aside]
        return insert_better(preferred, (known[n] for n in untold), self.problem.objectives)

    def _row(self, number: int, request: Request) -> Row:
        means = self._check(number, request)
        trial = trial_of(number, request, self.problem.fidelity)
        trial = msgspec.structs.replace(trial, weights=self._original(trial))
        if isinstance(request, TrainSupernet):
            key = supernet_key(request, trial.fidelity, means.recipe)
        else:
            trial = msgspec.structs.replace(
                trial, architecture=replay_proposed(self.strategy, self.space, request.architecture)
            )
            key = trial_key(
                self.space,
                trial.architecture,
                trial.fidelity,
                means.recipe,
                trial.replicate,
                means.raw or not self.canonical,
                self.root(trial.weights),
            )
        cached = self._numbers.get(key)
        known = None if cached is None else self.trials[cached].outcome
        trial = msgspec.structs.replace(trial, cached=cached, outcome=known)
        # The row takes all the thinking since the last one: proposing it and learning for it.
        thinking = self._supervised.take_thinking()
        learned = self.learned if self.order.by == ARRIVAL and known is not None else None
        state = "running" if cached is None else "cached"
        return Row(trial, key, state, 1, self.learned, thinking, learned=learned)

    def _check_wait(self, number: int) -> None:
        """Raises StrategyError where no outcome can ever come that ends the strategy's waiting."""
        if not self.order.open:
            raise StrategyError(f"{self._strategy} waits though nothing is pending after {number} trials")

    def _check(self, number: int, request: Request) -> Means:
        """The estimator that carries out the request. Raises StrategyError where none can."""
        strategy, name = self._strategy, request.estimator
        if name not in self.means:
            known = did_you_mean(name, self.means)
            raise StrategyError(f"{strategy} asks for the estimator {name!r}, which this run lacks{known}")
        for kind in (type(request), type(request.weights)):
            if kind not in self.means[name].serves:
                raise StrategyError(f"{strategy} asks for {kind.__name__}, which no estimator here can do")
        # A row that the strategy has not learned may never have weights: it may crash, or be another one's
        # repeat.
        row = source_row(request.weights)
        if row is not None and (not 0 <= row < number or row in self.order.open):
            raise StrategyError(f"{strategy} asks for the weights of row {row}, of which it has not learned")
        if isinstance(request.weights, Shared) and self.trials[request.weights.row].kind != "supernet":
            raise StrategyError(f"{strategy} asks to share the weights of row {row}, which is not a supernet")
        return self.means[name]

    def _original(self, trial: Trial) -> Any:
        """The trial's weights, the row they name being one that was measured and no repeat."""
        row = source_row(trial.weights)
        cached = None if row is None else self.trials[row].cached
        return trial.weights if cached is None else msgspec.structs.replace(trial.weights, row=cached)

    def _repeats(self) -> int:
        count = 0
        for trial in reversed(self.trials):
            if trial.cached is None:
                break
            count += 1
        return count
