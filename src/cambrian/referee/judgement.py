"""The judgement of a comparison: which strategies can be told apart, from which budget on, how surely."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.referee.curves import Curves, checkpoints
from cambrian.referee.statistics import holm, improvement, interval, mean_ranks, round_ties, wilcoxon

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALPHA = 0.05
SHORTEST_LEAD = 3
"""The least checkpoints in a row of a lead worth reporting."""


@dataclass(frozen=True)
class Pair:
    """Strategies `a` and `b` at each of the checkpoints: the mean difference of their scores (a less b,
    turned so that it is above zero where a is better) with its 95 % bootstrap interval, who is ahead (1: a,
    -1: b, 0: means and ranks disagree), and the signed-rank test's p-value, adjusted for the number of
    pairs. `better` is the probability that a ends better than b, with its interval."""

    a: str
    b: str
    difference: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    ahead: NDArray[Any]
    p: NDArray[np.float64]
    better: tuple[float, float, float]
    ends: NDArray[np.float64]
    """The differences [seeds] at the end; empty where one of the two never had a score."""

    def apart(self, alpha: float = ALPHA) -> NDArray[Any]:
        """Who is significantly ahead at each checkpoint: 1 for a, -1 for b, 0 for nobody."""
        return np.where(self.p < alpha, self.ahead, 0)

    @property
    def winner(self) -> int:
        return int(self.apart()[-1])

    @property
    def since(self) -> int:
        """The first checkpoint from which on the winner is significantly ahead at every one."""
        other = np.flatnonzero(self.apart() != self.winner)
        return int(other[-1]) + 1 if len(other) else 0

    def inferior(self, margin: float, alpha: float = ALPHA) -> tuple[bool, bool]:
        """Whether a may be worse than b by more than `margin` at the end, and b than a: unless the bootstrap
        interval and the signed-rank test of the differences less the margin both say no. The interval alone
        is too narrow for few seeds, of which the test knows that they say nothing."""

        # As in `judge`: a difference of exactly the margin is a tie, whatever the rounding.
        def may_be(differences: NDArray[np.float64], low: float) -> bool:
            statistic, p = wilcoxon(round_ties(differences + margin, np.append(differences, margin)))
            return not (low > -margin and statistic > 0 and p < alpha)

        return may_be(self.ends, float(self.low[-1])), may_be(-self.ends, -float(self.high[-1]))


@dataclass(frozen=True)
class Lead:
    """`ahead` was significantly better than `behind` from one checkpoint to another, and not later."""

    ahead: str
    behind: str
    first: int
    last: int


@dataclass(frozen=True)
class Judgement:
    """`ranks` are mean ranks at the end, 1 being the best; `at` are the checkpoints' budgets."""

    strategies: tuple[str, ...]
    seeds: int
    at: NDArray[np.float64]
    ranks: NDArray[np.float64]
    pairs: tuple[Pair, ...]
    minimize: bool = False
    """Whether lower scores are better, against which the pairs' differences are turned."""

    @property
    def order(self) -> list[str]:
        """The strategies, best first."""
        return [self.strategies[i] for i in np.argsort(self.ranks, kind="stable")]

    def rank(self, strategy: str) -> float:
        return float(self.ranks[self.strategies.index(strategy)])

    def beaten_by(self, winner: str) -> dict[str, int]:
        """The strategies that `winner` beats at the end, with the checkpoint from which on."""
        since = {p.b if p.winner > 0 else p.a: p.since for p in self.pairs if _winner(p) == winner}
        return {name: since[name] for name in self.order if name in since}

    def alike(self) -> list[tuple[str, ...]]:
        """Largest groups of strategies of which no two can be told apart at the end, best first."""
        apart = {frozenset((p.a, p.b)) for p in self.pairs if p.winner}
        return list(_cliques(self.order, apart))

    def leads(self) -> list[Lead]:
        """Early leads that did not last. Looked for at every checkpoint, hence adjusted for their number."""
        return [lead for pair in self.pairs for lead in _leads(pair)]


def judge(curves: Curves) -> Judgement:
    """At evenly spread checkpoints. Claims of the form "a beats b from budget t on" ask for a rejection
    at every checkpoint from the last one back to t, in this order, so that their number costs nothing
    (a fixed sequence of hypotheses); pairs are adjusted for by Holm's procedure. Of equal strategies
    any two are told apart with a probability of at most ALPHA."""
    chosen = curves.at_budgets(checkpoints(len(curves.at)))
    names, scores = chosen.strategies, chosen.oriented
    couples = list(itertools.combinations(range(len(names)), 2))
    # Rounded, so that two searches that found the same architecture tie exactly.
    differences = [round_ties(scores[a] - scores[b], scores) for a, b in couples]  # each [seeds, checkpoints]
    tests = np.array([[wilcoxon(column) for column in d.T] for d in differences])
    adjusted = holm(tests[:, :, 1])
    pairs = []
    for (a, b), difference, statistic, p in zip(couples, differences, tests[:, :, 0], adjusted):
        # A claim needs ranks and means to agree: a few large losses can turn a mean against the ranks.
        mean = difference.mean(axis=0)
        agree = np.where(np.sign(mean) == np.sign(statistic), np.sign(mean), 0).astype(int)
        better = improvement(scores[a, :, -1], scores[b, :, -1])
        # Where a strategy never had a score, its stand-ins say nothing of how good it is.
        scored = max(chosen.since[a], chosen.since[b]) < len(chosen.at)
        ends = difference[:, -1] if scored else np.empty(0)
        pairs.append(Pair(names[a], names[b], mean, *interval(difference), agree, p, better, ends))
    ranks = mean_ranks(scores[:, :, -1])
    return Judgement(names, scores.shape[1], chosen.at, ranks, tuple(pairs), curves.minimize)


def _winner(pair: Pair) -> str | None:
    return {1: pair.a, -1: pair.b}.get(pair.winner)


def _cliques(order: Sequence[str], apart: set[frozenset[str]]) -> Iterator[tuple[str, ...]]:
    """Bron & Kerbosch (1973): maximal sets of names no two of which are `apart`."""

    def near(name: str, others: Sequence[str]) -> list[str]:
        return [o for o in others if frozenset((name, o)) not in apart]

    def extend(group: list[str], left: list[str], done: list[str]) -> Iterator[tuple[str, ...]]:
        # Names in `done` led to groups before: while one fits, this group is part of a larger one.
        if not left and not done:
            yield tuple(group)
        for i, name in enumerate(left):
            yield from extend([*group, name], near(name, left[i + 1 :]), near(name, [*done, *left[:i]]))

    return (g for g in extend([], list(order), []) if len(g) > 1)


def _leads(pair: Pair) -> Iterator[Lead]:
    # Bonferroni over checkpoints: unlike the winner's, an early lead may begin and end at any of them.
    ahead_at = pair.apart(ALPHA / len(pair.p))
    # The winner's own last run is its victory, not an early lead.
    end = pair.since if pair.winner else len(ahead_at)
    runs = [(sign, list(run)) for sign, run in itertools.groupby(range(end), key=lambda i: int(ahead_at[i]))]
    for sign, run in runs:
        if sign and sign != pair.winner and len(run) >= SHORTEST_LEAD:
            ahead, behind = (pair.a, pair.b) if sign > 0 else (pair.b, pair.a)
            yield Lead(ahead, behind, run[0], run[-1])
