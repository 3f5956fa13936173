"""Landscapes whose every value is known, the shortest possible search on them, and searches of tables."""

from __future__ import annotations

import numpy as np

from cambrian.architecture import completions
from cambrian.benchmarks import benchmark
from cambrian.benchmarks import play as search
from cambrian.outcome import Crashed, Done, Fidelity, Infeasible, Trial
from cambrian.problem import Problem
from cambrian.strategies import STRATEGIES, Evaluate, Stop, Wait
from reseeding import SHIFT, stream


def planted(architecture):
    """How many questions are answered as in the one optimum, "c" everywhere: 1 there."""
    return sum(answer == "c" for answer in architecture.values()) / len(architecture)


def rugged(architecture):
    """`planted`, and a part that knows no neighbours: many local optima."""
    return planted(architecture) + float(stream(0, "rugged", architecture.key).random())


def everything(space, value):
    """The value of every architecture."""
    return {a: value(a) for a in completions(space, {})}


def apart(one, other):
    """In how many answers two architectures of the same questions differ."""
    return sum(one[path] != other[path] for path in one)


def play(strategy, space, value, budget, seed=0, lag=1):
    """(trials, the state knowing all that was learned, why it stopped) of a search in which a proposal
    knows all but the `lag` - 1 trials before it. `value` may give an outcome instead."""
    state, trials, learned = strategy.start(Problem(space, seed=seed + SHIFT)), [], 0
    while len(trials) < budget:
        proposal = strategy.propose(state, trials[learned:], stream(seed, "propose", len(trials)))
        if isinstance(proposal, Stop):
            return trials, state, proposal.reason
        if isinstance(proposal, Evaluate):
            trials.append(_trial(len(trials), proposal))
        if isinstance(proposal, Wait) or len(trials) - learned == lag:
            found = value(trials[learned].architecture)
            found = found if isinstance(found, Crashed | Infeasible) else Done(found)
            trials[learned] = _trial(learned, trials[learned], found)
            state, learned = strategy.learn(state, trials[learned]), learned + 1
    return trials, state, None


def _trial(number, asked, outcome=None):
    return Trial(
        number,
        asked.architecture,
        Fidelity(),
        parent=asked.parent,
        replicate=asked.replicate,
        reason=asked.reason,
        memory=asked.memory,
        outcome=outcome,
    )


def needed(name, space, value, budget, seeds):
    """Trials until the value 1 was seen, `budget` where it was not: a number per seed."""
    found = []
    for seed in range(seeds):
        trials, _, _ = play(STRATEGIES.make(name), space, value, budget, seed)
        found.append(next((n for n, t in enumerate(trials, 1) if value(t.architecture) == 1), budget))
    return found


def scores_on(name, strategy, budget, seeds):
    """float[seeds, budget]: the incumbent's test score on the benchmark after each trial."""
    found = np.full((seeds, budget), np.nan)
    for seed in range(seeds):
        test = search(benchmark(name), strategy, budget, seed + SHIFT).test
        found[seed, : len(test)] = test
        found[seed, len(test) :] = test[-1]
    return found


def reaches(found, bar):
    """Whether the mean of `found` (float[seeds]) is `bar` or above, as far as so few seeds can tell:
    three standard errors are forgiven, which with the 100 seeds of `make evidence` nobody takes off."""
    seeds = len(found)
    slack = 0.0 if seeds >= 100 else 3 * found.std(ddof=1) / np.sqrt(seeds)
    return found.mean() >= bar - slack
