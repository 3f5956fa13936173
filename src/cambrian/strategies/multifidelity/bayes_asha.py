"""ASHA whose new architectures a model proposes, and not chance, as in MOBSTER: Klein, Tiao, Lienart,
Archambeau & Seeger, "Model-based Asynchronous Hyperparameter and Neural Architecture Search" (arXiv
2003.10865, Sec. 4).

MOBSTER's Gaussian process is of architectures and epochs together. Here it is that of `bayes`, of
architectures alone, and learns one value of each: its score at the highest level that it has reached, plus
what others gained on the mean between there and the top. Only good ones were promoted, and tell nothing of
what the others would have gained; but that is added to all scores of a level alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
import numpy as np

from cambrian.architecture import Architecture
from cambrian.outcome import Done, Trial
from cambrian.outliers import find_lowest
from cambrian.problem import Problem
from cambrian.settings import Span
from cambrian.strategies.bayesian.bayes import Bayes
from cambrian.strategies.bayesian.model_based import State as Learned
from cambrian.strategies.multifidelity import rungs
from cambrian.strategies.multifidelity.asha import list_waiting, propose_rung, recommend_rungs
from cambrian.strategies.multifidelity.climbing import Climbing
from cambrian.strategies.strategy import Evaluate, Proposal
from cambrian.strategies.surrogates import name_surrogate

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class State:
    """ASHA's rungs; by the key of each architecture its trial at the highest level, and that level; the state
    of `bayes`, whose model was fitted after so many trials."""

    rungs: rungs.State
    learned: Learned
    latest: Mapping[str, tuple[int, Trial]] = field(default_factory=dict)
    fitted: int = 0


@dataclass(frozen=True)
class BayesASHA(Climbing):
    """As `ASHA` in promotion form, where a new architecture is proposed as `bayes` does: the first `initial`
    are random, the model is fitted again after `refit` more trials, or a tenth more if that is greater.
    `surrogate` is any predictor with deviations."""

    size: Annotated[int | None, Span(1)] = None
    initial: Annotated[int, Span(2)] = 10
    refit: Annotated[int, Span(1)] = 1
    candidates: Annotated[int, Span(1, 10_000)] = 40
    surrogate: Any = "gp-scores"
    order: ClassVar[str] = "arrival"

    def __post_init__(self) -> None:
        object.__setattr__(self, "surrogate", name_surrogate(self.surrogate))
        super().__post_init__()

    @property
    def needs(self) -> tuple[type, ...]:  # type: ignore[override]
        return self._bayes.needs

    @property
    def _bayes(self) -> Bayes:
        return Bayes(self.initial, self.refit, candidates=self.candidates, surrogate=self.surrogate)

    def start(self, problem: Problem) -> State:
        return State(
            rungs.start_rungs(problem, self.make_ladder(problem)), Learned(problem.space, problem.seed)
        )

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        promoted = rungs.find_promotable(state.rungs, pending, self.eta)
        draw = partial(self._draw, state, pending, rng)
        return propose_rung(state.rungs, promoted, pending, draw, self.axes, self.size)

    def learn(self, state: State, trial: Trial) -> State:
        level = int(trial.memory["level"])
        state = replace(state, rungs=rungs.add_entry(state.rungs, trial))
        # A small space may be drawn from again, at the lowest level.
        if level >= state.latest.get(trial.architecture.key, (0, None))[0]:
            state = replace(state, latest={**state.latest, trial.architecture.key: (level, trial)})
        count = sum(map(len, state.rungs.rungs))
        if count < max(self.initial, state.fitted + max(self.refit, state.fitted // 10)):
            return state
        learned = replace(state.learned, trials=carry_up(state))
        if len({t.value for t in learned.trials if t.value is not None}) < 2:
            return state
        return replace(state, learned=replace(learned, model=self._bayes.fit(learned)), fitted=count)

    def recommend(self, state: State) -> list[Architecture]:
        return recommend_rungs(state.rungs)

    def keeps(self, state: State) -> list[int]:
        return list_waiting(state.rungs)

    def _draw(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Architecture:
        # Those on their way up are among the learned already.
        new = [trial for trial in pending if trial.architecture.key not in state.latest]
        learned = replace(state.learned, trials=carry_up(state))
        proposed = self._bayes.propose(learned, new, rng)
        assert isinstance(proposed, Evaluate)
        return proposed.architecture


def carry_up(state: State) -> tuple[Trial, ...]:
    """The highest trial of each architecture, with the score that it would have at the top."""
    gains = measure_gains(state.rungs)
    return tuple(
        trial
        if trial.score is None
        else msgspec.structs.replace(trial, outcome=Done(trial.score + sum(gains[level:])))
        for level, trial in state.latest.values()
    )


def measure_gains(state: rungs.State) -> list[float]:
    """For each level but the top the mean gain of those that went on from it, of which one that exploded
    there counts as the worst of the others; 0 while none did."""
    scores = [_read_scores(rung) for rung in state.rungs]
    return [_average_gains(below, above) for below, above in pairwise(scores)]


def _average_gains(below: Mapping[str, float], above: Mapping[str, float]) -> float:
    gains = {key: above[key] - below[key] for key in above if key in below}
    if not gains:
        return 0.0
    # By its score: of accuracies none explodes, and one that fell has the gain that it has.
    lowest = find_lowest(np.array(list(above.values())))
    worst = min((gain for key, gain in gains.items() if above[key] >= lowest), default=-np.inf)
    return float(np.mean([max(gain, worst) for gain in gains.values()]))


def _read_scores(rung: Iterable[Any]) -> dict[str, float]:
    return {entry.architecture.key: entry.score for entry in rung if entry.score is not None}
