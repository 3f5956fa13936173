"""Progressive search for several objectives: a surrogate for each of them, and at each level the children on
the front of their predictions."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.architecture import Architecture
from cambrian.outcome import Crashed, Infeasible, Trial
from cambrian.predictors.predictor import make_trials, score_pool
from cambrian.problem import Objective
from cambrian.randomness import integer_seed
from cambrian.spaces.knowledge import Pool
from cambrian.strategies.progression.level_search import Candidate, LevelSearch, State
from cambrian.strategies.surrogates import make_surrogate, name_surrogate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Points = NDArray[np.float64]

SECONDS = Objective("seconds", minimize=True)
"""The time of a trial, which is a fact of every outcome and not one of its metrics."""
MACS = Objective("macs", minimize=True)
"""What time grows with, the same in every run."""


@dataclass(frozen=True)
class ParetoSearch(LevelSearch):
    """The settings are those of `Progressive`, and `cost`, the predictor of all objectives but the first.

    The levels' share of the run's trials is used up: where the first front has fewer children, those of
    further fronts follow. Not with `fill` false, as in the papers, where K is only the limit of the front."""

    cost: Any = "ridge"
    fill: bool = True

    @property
    def needs(self) -> tuple[type, ...]:
        """Levels, and the needs of both surrogates."""
        return tuple(dict.fromkeys((*super().needs, *make_surrogate(self.cost).needs)))

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "cost", name_surrogate(self.cost))

    @abstractmethod
    def choose_places(self, state: State, pool: Pool, points: Points) -> list[tuple[int, Mapping[str, Any]]]:
        """The indices of the children to train, and notes on each, by their predicted `points`
        float[n, objectives], higher being better."""

    def list_costs(self, state: State) -> tuple[Objective, ...]:
        """The objectives beside the first."""
        return state.objectives[1:] or self.usual_costs

    @property
    def usual_costs(self) -> tuple[Objective, ...]:
        """The costs of a search that does not name one."""
        return ()

    def fit(self, state: State) -> tuple[Any, ...]:
        """The fitted surrogate of each objective, None for one that no trial has; neural ones start from
        their former weights."""
        former = state.surrogate or (None,) * (1 + len(self.list_costs(state)))
        score = self._start(self.surrogate, state, "surrogate").fit(state.learned, former[0])
        return (score, *map(self._fit_cost, [state] * len(former), self.list_costs(state), former[1:]))

    def _fit_cost(self, state: State, cost: Objective, former: Any) -> Any:
        known = {t.architecture: c for t in state.learned if (c := read_cost(t, cost)) is not None}
        if not known:
            return None
        lessons = make_trials(list(known), list(known.values()))
        return self._start(self.cost, state, cost.name).fit(lessons, former)

    def _start(self, surrogate: Any, state: State, purpose: str) -> Any:
        seed = integer_seed(state.seed, "progressive", purpose)
        return make_surrogate(surrogate).start(state.space, seed)

    def choose(self, state: State, pool: Pool, trials: Mapping[Architecture, int]) -> tuple[Candidate, ...]:
        """The children of the front, and notes on the predictions of each."""
        points = predict_points(state.surrogate, pool)
        names = (state.objectives[0], *self.list_costs(state))
        return tuple(
            Candidate(
                pool.architecture(i),
                trials[pool.parents[pool.parent[i]]],
                float(points[i, 0]),
                rank,
                {**notes, "predictions": _name_predictions(names, points[i])},
            )
            for rank, (i, notes) in enumerate(self.choose_places(state, pool, points), start=1)
        )


def read_cost(trial: Trial, cost: Objective) -> float | None:
    """The trial's cost, negated if lower is better; None for one that is not known. A network over a limit
    was measured as well, and tells as much."""
    if trial.outcome is None or isinstance(trial.outcome, Crashed):
        return None
    if cost is SECONDS:
        # A training that was broken off took less time than it would have.
        amount = None if isinstance(trial.outcome, Infeasible) else trial.outcome.seconds
    else:
        amount = trial.outcome.metrics.get(cost.name)
    if amount is None or not math.isfinite(amount):
        return None
    return -amount if cost.minimize else amount


def predict_points(surrogates: Sequence[Any], pool: Pool) -> Points:
    """float[n, objectives]: the predictions for the children, zeros for an objective without a surrogate."""
    columns = [np.zeros(len(pool)) if s is None else score_pool(s, pool) for s in surrogates]
    return np.stack([_round_off(column) for column in columns], axis=1)


def _round_off(values: Points) -> Points:
    """The values to a billionth of their range: sums of the same numbers in another order would else be
    different points, and each other's company on a front."""
    span = float(np.ptp(values)) or 1.0
    return np.asarray(np.round(values / span, 9) * span)


def _name_predictions(objectives: Sequence[Objective], point: Points) -> dict[str, float]:
    """The predictions by the names of their objectives, in the user's units."""
    # The value itself is `predicted`: strategies never see the direction that it was given in.
    pairs = zip(objectives[1:], point[1:].tolist(), strict=True)
    return {o.name: -value if o.minimize else value for o, value in pairs}
