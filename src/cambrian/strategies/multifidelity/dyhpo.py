"""DyHPO: Wistuba, Kadra & Grabocka, "Supervising the Multi-Fidelity Race of Hyperparameter Configurations"
(NeurIPS 2022), Algorithm 1: every decision trains one architecture a step further, the one of the highest
expected improvement over the best after as many steps, by a deep kernel that reads the curves so far.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from cambrian.architecture import Architecture
from cambrian.outcome import Trial
from cambrian.outliers import find_lowest
from cambrian.predictors.features import answers_of
from cambrian.problem import Problem
from cambrian.randomness import integer_seed
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

    from cambrian.spaces.space import Space
    from cambrian.strategies.multifidelity.deep_kernel import Points

WIDTH = 128
"""Numbers of an architecture's description."""
FEW = 10
"""Known points below which every fit begins anew."""


@dataclass(frozen=True)
class State(Runs):
    """`weights` are those of the kernel, None while fewer than two points are known."""

    weights: Mapping[str, NDArray[Any]] | None = None


@dataclass(frozen=True)
class DyHPO(StepByStep[State]):
    """A training has `steps` steps, or those that a table has. A decision is among all frozen architectures
    and `candidates` random ones, after `initial` ones of which nothing is decided, as far as there are so
    many. The kernel is trained for `first` epochs while it knows fewer than ten points, or where it has lost
    its way, and for `refine` more with every further point."""

    candidates: Annotated[int, Span(1, 1000)] = 50
    initial: Annotated[int, Span(1, 1000)] = 1
    first: Annotated[int, Span(1, 10_000)] = 1000
    refine: Annotated[int, Span(1, 10_000)] = 50

    def start(self, problem: Problem) -> State:
        return State(problem, list_epochs(problem, self.steps))

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        busy = {trial.architecture.key for trial in pending}
        frozen = [run for key, run in state.runs.items() if key not in busy and can_go_on(run, state.epochs)]
        met = frozenset(state.runs)
        if state.weights is None or len(met) < self.initial:
            new = draw_new(state.problem.space, met, pending, rng)
            if new.key not in met | busy:
                return begin_run(state.problem, state.epochs, new)
            # The space has no others: these go on, until the kernel can decide.
            if state.weights is None and frozen:
                return go_on(state.problem, state.epochs, frozen[0])
            if state.weights is None:
                return Wait() if pending else Stop("every architecture that was drawn has ended")
        random = [draw_new(state.problem.space, met, pending, rng) for _ in range(self.candidates)]
        fresh = [Run(a, -1, ()) for a in dict.fromkeys(random) if a.key not in met | busy]
        if not frozen and not fresh:
            return Wait() if pending else Stop("every architecture that was drawn is trained to the end")
        chosen = choose_run(state, [*frozen, *fresh])
        if chosen.scores:
            return go_on(state.problem, state.epochs, chosen)
        return begin_run(state.problem, state.epochs, chosen.architecture)

    def refit(self, state: State) -> State:
        from cambrian.strategies.multifidelity.deep_kernel import LOST, fit_kernel, predict_points

        points, values = list_known(state)
        if len(values) < 2:
            return state
        seed = integer_seed(state.problem.seed, "dyhpo", len(values)) % 2**63
        weights = None if len(values) < FEW else state.weights
        fitted = fit_kernel(points, values, self.first if weights is None else self.refine, seed, weights)
        if weights is not None:
            means, _ = predict_points(fitted, points, values, points)
            if float(np.mean((means - values) ** 2)) > LOST:
                fitted = fit_kernel(points, values, self.first, seed, None)
        return replace(state, weights=fitted)


def choose_run(state: State, runs: Sequence[Run]) -> Run:
    """The run whose next step has the highest expected improvement over the best after as many steps; over
    the best of all, where none has come so far."""
    from cambrian.strategies.multifidelity.deep_kernel import predict_points

    assert state.weights is not None
    known, values = list_known(state)
    asked = make_points(state, [(run, len(run.scores)) for run in runs])
    means, deviations = predict_points(state.weights, known, values, asked)
    best = [max(values[np.isclose(known.budgets, budget)], default=values.max()) for budget in asked.budgets]
    gains = expect_gain(means, deviations, np.array(best))
    return runs[int(gains.argmax())]


def expect_gain(
    means: NDArray[np.float64], deviations: NDArray[np.float64], best: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The expected improvement of normal variables over `best`."""
    from scipy.special import ndtr

    z = (means - best) / deviations
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return np.asarray(deviations * (z * ndtr(z) + density))


def list_known(state: State) -> tuple[Points, NDArray[np.float64]]:
    """The points of all steps that were taken, and their scores in units of all scores' range."""
    pairs = [(run, step) for run in state.runs.values() for step in range(len(run.scores))]
    scores = np.array([run.scores[step] for run, step in pairs])
    return make_points(state, pairs), _shrink(scores, _read_range(state))


def make_points(state: State, pairs: Sequence[tuple[Run, int]]) -> Points:
    """A run after so many steps, about to take the next one."""
    from cambrian.strategies.multifidelity.deep_kernel import Points

    ends, curves = _read_range(state), np.zeros((len(pairs), max(len(state.epochs), 3)))
    for row, (run, step) in enumerate(pairs):
        curves[row, :step] = _shrink(np.array(run.scores[:step]), ends)
    described = [describe(state.problem.space, run.architecture) for run, _ in pairs]
    budgets = np.array([state.epochs[step] / state.epochs[-1] for _, step in pairs])
    return Points(np.array(described).reshape(len(pairs), WIDTH), budgets, curves)


def describe(space: Space, architecture: Architecture) -> NDArray[np.float64]:
    """The answers in as many numbers for any space: every question and option has a place by its hash
    (Weinberger et al. 2009), so that the kernel's inputs stay the same when an option is met first."""
    numbers = np.zeros(WIDTH)
    for name, value in answers_of(space, architecture).items():
        numbers[zlib.crc32(repr(name).encode()) % WIDTH] += value
    return numbers


def _read_range(state: State) -> tuple[float, float]:
    """The lowest score that is not far out, and the distance to the highest."""
    scores = np.array([score for run in state.runs.values() for score in run.scores])
    low, high = (find_lowest(scores), float(scores.max())) if len(scores) else (0.0, 1.0)
    return low, (high - low) or 1.0


def _shrink(scores: NDArray[np.float64], ends: tuple[float, float]) -> NDArray[np.float64]:
    """The scores in units of the range; one far out is as bad as the lowest."""
    low, span = ends
    return np.maximum((scores - low) / span, 0.0)
