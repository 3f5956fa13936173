"""Freeze-thaw Bayesian optimisation: Swersky, Snoek & Adams, "Freeze-Thaw Bayesian Optimization" (arXiv
1406.3896), Algorithm 1: every decision trains one architecture a step further, a new one or one that was
frozen, namely the one that says most about which has the best asymptote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import numpy as np

from cambrian.architecture import Architecture
from cambrian.curves.curve_process import (
    Parameters,
    Posterior,
    condition,
    fit_parameters,
)
from cambrian.outcome import Trial
from cambrian.outliers import lift_outliers
from cambrian.problem import Problem
from cambrian.settings import Span
from cambrian.strategies.multifidelity.brackets import draw_new
from cambrian.strategies.multifidelity.runs import (
    Run,
    Runs,
    StepByStep,
    begin_run,
    can_go_on,
    go_on,
    list_epochs,
)
from cambrian.strategies.strategy import Proposal, Stop, Wait

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLES = 200
"""Draws of all asymptotes, of which the frequencies of the best make an entropy."""
FANTASIES = 5
"""Outcomes of a step that are imagined."""
GROWTH = 1.3
"""The parameters are fitted anew whenever there are so many times as many points."""


@dataclass(frozen=True)
class State(Runs):
    """`fitted` is the number of points that the parameters have seen."""

    parameters: Parameters = Parameters()
    fitted: int = 0


@dataclass(frozen=True)
class FreezeThaw(StepByStep[State]):
    """A training has `steps` steps, or those that a table has. A decision is among the `old` frozen and the
    `new` random architectures of the highest expected improvement; the new ones are of `candidates` that are
    drawn, after `initial` ones of which nothing is decided, as far as there are so many. A fit of the
    process's parameters takes at most `fit` iterations."""

    old: Annotated[int, Span(1, 100)] = 10
    new: Annotated[int, Span(1, 100)] = 3
    candidates: Annotated[int, Span(1, 1000)] = 30
    initial: Annotated[int, Span(1, 1000)] = 5
    fit: Annotated[int, Span(1, 1000)] = 25

    def start(self, problem: Problem) -> State:
        return State(problem, list_epochs(problem, self.steps))

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        busy = {trial.architecture.key for trial in pending}
        frozen = [run for key, run in state.runs.items() if key not in busy and can_go_on(run, state.epochs)]
        met = frozenset(state.runs)
        begun = sum(not run.failed for run in state.runs.values()) + len(busy - met)
        known = any(run.scores for run in state.runs.values())
        if begun < self.initial or not known:
            new = draw_new(state.problem.space, met, pending, rng)
            if new.key not in met | busy:
                return begin_run(state.problem, state.epochs, new)
            # The space has no others: a decision among these, once anything is known of them.
            if not known:
                return Wait() if pending else Stop("every architecture that was drawn has failed")
        drawn = [draw_new(state.problem.space, met, pending, rng) for _ in range(self.candidates)]
        fresh = list({a.key: a for a in drawn if a.key not in met | busy}.values())
        if not frozen and not fresh:
            return Wait() if pending else Stop("every architecture that was drawn is trained to the end")
        return self._decide(state, frozen, fresh, rng)

    def _decide(
        self, state: State, frozen: Sequence[Run], fresh: Sequence[Architecture], rng: np.random.Generator
    ) -> Proposal:
        """The step that leaves the least uncertainty about the best of the basket (Sec. 4)."""
        known = [run for run in state.runs.values() if run.scores]
        architectures = [run.architecture for run in known] + list(fresh)
        curves = [*_standardise(known), *(np.empty(0),) * len(fresh)]
        posterior = condition(state.parameters, measure_distances(architectures), curves)
        gain = expect_improvement(posterior, len(known))
        places = {run.architecture.key: place for place, run in enumerate(known)}
        old = sorted((places[run.architecture.key] for run in frozen), key=lambda place: -gain[place])
        new = sorted(range(len(known), len(architectures)), key=lambda place: -gain[place])
        basket = [*old[: self.old], *new[: self.new]]
        chosen = basket[choose_step(posterior, basket, rng)]
        if chosen < len(known):
            return go_on(state.problem, state.epochs, known[chosen])
        return begin_run(state.problem, state.epochs, architectures[chosen])

    def refit(self, state: State) -> State:
        runs = [run for run in state.runs.values() if run.scores]
        points = sum(len(run.scores) for run in runs)
        if len(runs) < 3 or points < GROWTH * state.fitted:
            return state
        distances = measure_distances([run.architecture for run in runs])
        parameters = fit_parameters(state.parameters, distances, _standardise(runs), self.fit)
        return replace(state, parameters=parameters, fitted=points)


def measure_distances(architectures: Sequence[Architecture]) -> NDArray[np.float64]:
    """[N, N]: the share of the questions of either architecture that are not answered alike in both."""
    texts = [{(path, repr(answer)) for path, answer in a.items()} for a in architectures]
    columns = {text: place for place, text in enumerate(sorted(set().union(*texts)))}
    table = np.zeros((len(texts), len(columns)))
    for row, answers in enumerate(texts):
        table[row, [columns[text] for text in answers]] = 1.0
    common, sizes = table @ table.T, table.sum(axis=1)
    distances: NDArray[np.float64] = 1 - common / np.maximum(np.maximum(sizes[:, None], sizes[None, :]), 1)
    return distances


def _standardise(runs: Sequence[Run]) -> list[NDArray[np.float64]]:
    """The curves, with mean 0 and variance 1 over all points, of which none is far out."""
    points = lift_outliers(np.array([score for run in runs for score in run.scores]))
    deviation = float(points.std()) or 1.0
    lifted = np.split(points, np.cumsum([len(run.scores) for run in runs])[:-1])
    return [(curve - points.mean()) / deviation for curve in lifted]


def expect_improvement(posterior: Posterior, known: int) -> NDArray[np.float64]:
    """Of each asymptote over the best mean of those that are known."""
    from scipy.special import ndtr

    best = posterior.mean[:known].max(initial=-np.inf) if known else 0.0
    deviation = np.sqrt(np.maximum(np.diag(posterior.covariance), 1e-12))
    z = (posterior.mean - best) / deviation
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return np.asarray(deviation * (z * ndtr(z) + density))


def choose_step(posterior: Posterior, basket: Sequence[int], rng: np.random.Generator) -> int:
    """The place in the basket whose next step leaves the least expected entropy of which is the best."""
    mean, covariance = posterior.mean[list(basket)], posterior.covariance[np.ix_(basket, basket)]
    # The same draws for every candidate: their differences are of the candidates, not of chance.
    draws = rng.standard_normal((SAMPLES, len(basket)))
    imagined = rng.standard_normal(FANTASIES)
    entropies = []
    for place, row in enumerate(basket):
        _, variance, omega = posterior.predict(row, len(posterior.curves[row]) + 1)
        # Asymptotes and the next point are jointly normal: a point moves all means, and shrinks one way.
        shift = omega * covariance[:, place] / np.sqrt(variance)
        narrowed = covariance - np.outer(shift, shift)
        root = _take_root(narrowed)
        entropies.append(np.mean([_count_entropy(mean + shift * z + draws @ root.T) for z in imagined]))
    return int(np.argmin(entropies))


def _count_entropy(samples: NDArray[np.float64]) -> float:
    """Of the frequencies with which each column is the highest."""
    shares = np.bincount(samples.argmax(axis=1), minlength=samples.shape[1]) / len(samples)
    return -float(sum(share * np.log(share) for share in shares if share > 0))


def _take_root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """A square root; rounding may have made the smallest eigenvalues negative."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
