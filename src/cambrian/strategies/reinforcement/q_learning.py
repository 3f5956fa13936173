"""Tabular Q-learning: MetaQNN (Baker et al., "Designing Neural Network Architectures using Reinforcement
Learning", ICLR 2017, Sec. 4) and BlockQNN (Zhong et al., CVPR 2018, Sec. 3.2).

An epsilon-greedy agent takes one decision after the other. Walks are stored, and random ones are replayed
through Bellman's equation, the last decision first. Epsilon falls in steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, runtime_checkable

from cambrian.architecture import Architecture
from cambrian.choices import Answer
from cambrian.errors import UsageError
from cambrian.outcome import Trial
from cambrian.policies.decisions import Before, Choose, Decision, decisions, sample_by
from cambrian.policies.rewards import Rewards
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.settings import Span
from cambrian.strategies.settings import check_settings
from cambrian.strategies.strategy import Evaluate, Proposal

if TYPE_CHECKING:
    import numpy as np

BAKER = (
    *((1.0, 1500 / 2700), (0.9, 100 / 2700), (0.8, 100 / 2700), (0.7, 100 / 2700)),
    *((epsilon / 10, 150 / 2700) for epsilon in range(6, 0, -1)),
)
"""(epsilon, share of the trials) of MetaQNN's Table 2."""


@runtime_checkable
class Situates(Protocol):
    """A space that defines the agent's state at the question `path`: the earlier answers that matter, as
    text."""

    def situation(self, path: str, before: Mapping[str, Answer]) -> str: ...


@dataclass(frozen=True)
class Step:
    """A decision as the table stores it: the situation of the agent, its legal options, and the option
    taken."""

    situation: tuple[str, str]
    options: tuple[str, ...]
    taken: str


Episode = tuple[tuple[Step, ...], float]
"""A walk and its reward."""

Values = Mapping[tuple[tuple[str, str], str], float]
"""Q: (situation, option) -> the expected reward."""


@dataclass(frozen=True)
class State:
    """`unknown` is the value of an option that was never replayed."""

    space: Any
    seed: int
    horizon: int
    unknown: float
    values: Values = field(default_factory=dict)
    memory: tuple[Episode, ...] = ()
    total: float = 0.0
    rewards: Rewards = Rewards()
    trials: int = 0


HORIZON = 500
"""The trials of the schedule if the run does not have a number of trials."""

MOST_OF_IT = 1000
"""The largest share of the horizon for one epsilon. An epsilon that is to stay comes last in the schedule."""


@dataclass(frozen=True)
class QLearning:
    """A situation is the question and the decision before it, unless the space defines its own (see
    `Situates`). `alpha` is the learning rate, `gamma` the discount, `replay` the number of walks
    replayed after each trial. `schedule` are pairs of an epsilon and its share of the `horizon` trials (None:
    the run's); the last epsilon stays. `initial` is the value of an unknown option (None: the mean
    reward so far). `shaped` spreads a reward evenly over the decisions, as BlockQNN does. A failed trial
    counts as the worst value known, and so does one far below the others (see `Rewards`)."""

    horizon: Annotated[int | None, Span(1, 10**12)] = None
    schedule: tuple[tuple[float, float], ...] = BAKER
    alpha: Annotated[float, Span(0, 1, above=True)] = 0.03
    gamma: Annotated[float, Span(0, 1)] = 1.0
    replay: Annotated[int, Span(1, 10_000)] = 128
    initial: Annotated[float | None, Span()] = None
    shaped: bool = False
    bins: Annotated[int, Span(1, 1000)] = 16
    needs: ClassVar[tuple[type, ...]] = ()

    def __post_init__(self) -> None:
        check_settings(self)
        for epsilon, share in self.schedule or ((-1.0, 0.0),):
            if not (0 <= epsilon <= 1 and 0 <= share <= MOST_OF_IT):
                raise UsageError(
                    "strategy 'q-learning': schedule is pairs of epsilon, from 0 to 1, and share, from 0 to "
                    f"{MOST_OF_IT:,}, got {self.schedule}"
                )

    @staticmethod
    def paper() -> QLearning:
        """MetaQNN's 2,700 trials, 1,500 of them with epsilon 1, a learning rate of 0.01, and values that
        start at 0.5 (Sec. 4.3 and 5.2)."""
        return QLearning(horizon=2700, alpha=0.01, initial=0.5)

    def start(self, problem: Problem) -> State:
        horizon = self.horizon or problem.trials or HORIZON
        return State(problem.space, problem.seed, horizon, self.initial or 0.0)

    def propose(self, state: State, pending: Sequence[Trial], rng: np.random.Generator) -> Proposal:
        epsilon = self.epsilon(state.trials + len(pending), state.horizon)
        architecture = sample_by(state.space, lambda: _chooser(state, epsilon, rng), rng, self.bins)
        return Evaluate(architecture, reason={"epsilon": epsilon})

    def learn(self, state: State, trial: Trial) -> State:
        state = self._learn_value(replace(state, trials=state.trials + 1), trial)
        value = state.rewards.read(trial)
        if value is None:
            return state
        memory = (*state.memory, (_steps(state.space, trial.architecture, self.bins), value))
        total = state.total + value
        # MetaQNN's values start at 0.5, its rewards being accuracies; the mean is neutral in any unit.
        unknown = total / len(memory) if self.initial is None else self.initial
        state = replace(state, memory=memory, total=total, unknown=unknown)
        return replace(state, values=self._replay_episodes(state))

    def _learn_value(self, state: State, trial: Trial) -> State:
        """The state with the value of the trial; a table that begins anew where this shows an earlier one to
        be far out."""
        rewards = state.rewards.learn(trial)
        if not rewards.overturns(state.rewards):
            return replace(state, rewards=rewards)
        memory = tuple((steps, max(value, rewards.lowest)) for steps, value in state.memory)
        total = sum(value for _, value in memory)
        return replace(state, rewards=rewards, memory=memory, total=total, values={})

    def epsilon(self, trial: int, horizon: int) -> float:
        """The probability that a decision of `trial` is random, in a schedule for `horizon` trials."""
        end = 0.0
        for epsilon, share in self.schedule:
            end += share * horizon
            if trial < round(end):
                return epsilon
        return self.schedule[-1][0]

    def _replay_episodes(self, state: State) -> Values:
        """The values after replaying random walks, drawn with replacement (MetaQNN, Sec. 4.3)."""
        rng = stream(state.seed, "q-learning", "replay", state.trials)
        values = dict(state.values)  # a state is a value: the former table stays as it is
        for i in rng.integers(len(state.memory), size=self.replay).tolist():
            steps, value = state.memory[i]
            self.bellman(values, steps, value, state.unknown)
        return values

    def bellman(
        self,
        values: dict[tuple[tuple[str, str], str], float],
        steps: Sequence[Step],
        value: float,
        unknown: float,
    ) -> None:
        """Applies Q <- (1 - alpha) Q + alpha (r + gamma max Q') to each step of a walk, changing `values`."""
        share = value / len(steps) if self.shaped and steps else 0.0
        target = share if self.shaped else value  # nothing follows the last decision
        # Last first: the reward reaches the first decision in one pass, not in one pass per step.
        for step in reversed(steps):
            key = (step.situation, step.taken)
            values[key] = (1 - self.alpha) * values.get(key, unknown) + self.alpha * target
            best = max(values.get((step.situation, option), unknown) for option in step.options)
            target = share + self.gamma * best


def _chooser(state: State, epsilon: float, rng: np.random.Generator) -> Choose:
    """Takes the decisions of one walk, epsilon-greedily."""
    last = ""

    def choose(decision: Decision, before: Before) -> int:
        nonlocal last
        legal = [i for i, w in enumerate(decision.weights) if w > 0]
        if rng.random() < epsilon:
            # By the space's own measure: at epsilon 1 the agent is random search.
            weights = [decision.weights[i] for i in legal]
            taken = int(rng.choice(legal, p=[w / sum(weights) for w in weights]))
        else:
            situation = _situation(state.space, decision, before, last)
            values = [state.values.get((situation, decision.options[i]), state.unknown) for i in legal]
            best = [i for i, value in zip(legal, values) if value == max(values)]
            taken = best[int(rng.integers(len(best)))]  # ties are common: unknown options are equal
        last = decision.options[taken]
        return taken

    return choose


def _steps(space: Any, architecture: Architecture, bins: int) -> tuple[Step, ...]:
    steps: list[Step] = []
    for decision, taken, before in decisions(space, architecture, bins):
        situation = _situation(space, decision, before, steps[-1].taken if steps else "")
        legal = tuple(o for o, w in zip(decision.options, decision.weights) if w > 0)
        steps.append(Step(situation, legal, decision.options[taken]))
    return tuple(steps)


def _situation(space: Any, decision: Decision, before: Before, last: str) -> tuple[str, str]:
    context = space.situation(decision.path, before) if isinstance(space, Situates) else last
    return decision.path, context
