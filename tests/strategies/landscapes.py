"""Landscapes whose every value is known, the shortest possible search on them, and searches of tables."""

from __future__ import annotations

import numpy as np

from cambrian import randomness
from cambrian.architecture import completions
from cambrian.benchmarks import benchmark
from cambrian.benchmarks import play as search
from cambrian.outcome import Crashed, Done, Fidelity, Infeasible, Trial
from cambrian.problem import Problem
from cambrian.strategies import STRATEGIES, Evaluate, Stop, Wait
from chance import assert_learns, runs
from reseeding import SHIFT, stream


def planted(architecture):
    """How many questions are answered as in the one optimum, "c" everywhere: 1 there."""
    return sum(answer == "c" for answer in architecture.values()) / len(architecture)


def rugged(architecture):
    """`planted`, and a part that knows no neighbours: many local optima. It is one landscape, whatever the
    seed."""
    return planted(architecture) + float(randomness.stream(0, "rugged", architecture.key).random())


def everything(space, value):
    """The value of every architecture."""
    return {a: value(a) for a in completions(space, {})}


def apart(one, other):
    """In how many answers two architectures of the same questions differ."""
    return sum(one[path] != other[path] for path in one)


def play(strategy, space, value, budget, seed=0, lag=1, goal=None):
    """(trials, the state knowing all that was learned, why it stopped) of a search in which a proposal
    knows all but the `lag` - 1 trials before it. `value` may give an outcome instead; `goal` is a value that
    ends the search."""
    state, trials, learned = strategy.start(Problem(space, seed=seed + SHIFT)), [], 0
    while len(trials) < budget:
        proposal = strategy.propose(state, trials[learned:], stream(seed, "propose", len(trials)))
        if isinstance(proposal, Stop):
            return trials, state, proposal.reason
        if isinstance(proposal, Evaluate):
            trials.append(_trial(len(trials), proposal))
        if isinstance(proposal, Wait) or len(trials) - learned == lag:
            found = value(trials[learned].architecture)
            if goal is not None and found == goal:
                return trials, state, "the goal is reached"
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


def assert_finds(name, space, budget, count, measured):
    """The one optimum of `planted` is found within `budget` trials in as many of `count` searches as can be
    asked where it was found in so many of so many that were measured; more than by drawing as often."""
    found = [
        play(STRATEGIES.make(name), space, planted, budget, seed, goal=1)[2] is not None
        for seed in runs(count)
    ]
    assert_learns(found, measured, chance=1 - (1 - 4.0**-space.questions) ** budget)


def scores_on(name, strategy, budget, seeds):
    """float[seeds, budget]: the incumbent's test score on the benchmark after each trial."""
    found = np.full((seeds, budget), np.nan)
    for seed in range(seeds):
        test = search(benchmark(name), strategy, budget, seed + SHIFT).test
        found[seed, : len(test)] = test
        found[seed, len(test) :] = test[-1]
    return found


def reaches(found, bar, least):
    """Whether the mean of `found` (float[seeds]) is `bar` or above, with the 100 seeds of `make evidence`.
    Fewer cannot tell that: their mean is to be `least` or above, which is measured. Of 200 seeds (100 of
    hill climbing) so many are drawn with replacement, and the mean of one such draw in a million is less:
    of this strategy's scores, or of random search's after as many trials, of which the strategy is better.
    Chance is not: the mean of three cells that are drawn is above 93.2 twice in a thousand times, of eight
    above 93 once in 100,000."""
    return found.mean() >= (bar if len(found) >= 100 else least)
