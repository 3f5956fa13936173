"""Questions as decisions between a few named options, for policies and tables of values.

One of n options is one decision. A subset is one decision for each of its options, in or out, as Zoph
& Le (2017, Sec. 3.3) decide on skip connections. A number is a decision between at most `bins` ranges
of equal length; where in its range it lies is drawn by chance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cambrian.architecture import Architecture, Decide, Walkable, questions, sample
from cambrian.choices import Answer, Choice, Integer, OneOf, Real, Scalar, SomeOf
from cambrian.errors import Rejected

if TYPE_CHECKING:
    import numpy as np

    from cambrian.outcome import Trial


@dataclass(frozen=True)
class Decision:
    """`weights[i]` is the chance of option i, up to a factor, in a draw from the space's own measure.
    An option of weight 0 is not legal here; at least one is."""

    path: str
    options: tuple[str, ...]
    weights: tuple[float, ...]


Before = Mapping[str, Answer]
"""The answers to the questions asked before."""

Choose = Callable[[Decision, Before], int]
Walk = tuple[tuple[Decision, int], ...]
"""The decisions that make an architecture, in order, and the number of the option taken in each."""

RARE = 1e-6
"""What is left to an option that is legal but that the space never draws."""


def decide(choice: Choice, choose: Choose, before: Before, rng: np.random.Generator, bins: int) -> Answer:
    """The answer to a question that follows from what `choose` takes."""
    if isinstance(choice, SomeOf):
        return _subset(choice, lambda decision, option: bool(choose(decision, before)))
    taken = choose(_decision(choice, bins), before)
    if isinstance(choice, OneOf):
        return choice.options[taken]
    if isinstance(choice, Integer):
        first, last = _range(choice, taken, bins)
        return int(rng.integers(first, last))
    return choice.at((taken + float(rng.random())) / bins)


def decisions(
    space: Walkable, architecture: Architecture, bins: int
) -> Iterator[tuple[Decision, int, Before]]:
    """The decisions that led to `architecture`, which option each took, and what was answered before."""
    before: dict[str, Answer] = {}
    for choice in questions(space, architecture):
        answer = choice.check(architecture[choice.path])
        for decision, taken in _decisions_taken(choice, answer, bins):
            yield decision, taken, before
        before = {**before, choice.path: answer}


def walk_of(space: Walkable, architecture: Architecture, bins: int) -> Walk:
    return tuple((decision, taken) for decision, taken, _ in decisions(space, architecture, bins))


def sample_by(
    space: Walkable, chooser: Callable[[], Choose], rng: np.random.Generator, bins: int, tries: int = 100
) -> Architecture:
    """An architecture that choosers decide on, a new one for every walk. Where `tries` walks in a row
    are rejected, one from the space's own measure."""
    for _ in range(tries):
        try:
            return space.walk(_decide(chooser(), rng, bins))
        except Rejected:
            continue
    return sample(space, rng)


def _decide(choose: Choose, rng: np.random.Generator, bins: int) -> Decide:
    before: dict[str, Answer] = {}

    def answer_from_decisions(choice: Choice) -> Answer:
        before[choice.path] = answer = decide(choice, choose, before, rng, bins)
        return answer

    return answer_from_decisions


def reward(trial: Trial, worst: float | None) -> float | None:
    """What a trial is worth: its value, or, of one that failed, the worst value known; None as long
    as there is none."""
    return worst if trial.value is None else trial.value


def worse(trial: Trial, worst: float | None) -> float | None:
    """The worst value known, after `trial`."""
    return min((v for v in (trial.value, worst) if v is not None), default=None)


def _decision(choice: OneOf | Integer | Real, bins: int) -> Decision:
    if isinstance(choice, OneOf):
        weights = choice.weights or (1.0,) * len(choice.options)
        least = RARE * sum(weights)
        return Decision(choice.path, tuple(map(repr, choice.options)), tuple(max(w, least) for w in weights))
    n = bins if choice.size is None else min(bins, choice.size)
    sizes = (1.0,) * n
    if isinstance(choice, Integer):
        sizes = tuple(float(last - first) for first, last in (_range(choice, i, bins) for i in range(n)))
    return Decision(choice.path, tuple(f"{i} of {n}" for i in range(n)), sizes)


def _decisions_taken(choice: Choice, answer: Answer, bins: int) -> list[tuple[Decision, int]]:
    """The decisions on one question that lead to `answer`."""
    if isinstance(choice, SomeOf):
        return _subset_decisions(choice, answer)
    decision = _decision(choice, bins)
    if isinstance(choice, OneOf):
        return [(decision, choice.options.index(answer))]
    assert isinstance(answer, int | float)
    if isinstance(choice, Real):
        return [(decision, min(int(choice.fraction(answer) * bins), bins - 1))]
    n = len(decision.options)
    # The inverse of `first = low + size * i // n`.
    return [(decision, ((int(answer) - choice.low + 1) * n - 1) // choice.size)]


def _range(choice: Integer, i: int, bins: int) -> tuple[int, int]:
    """The first number of range i, and the first one after it."""
    n = min(bins, choice.size)
    return choice.low + choice.size * i // n, choice.low + choice.size * (i + 1) // n


def _subset(choice: SomeOf, take: Callable[[Decision, Scalar], bool]) -> Answer:
    chosen: list[Scalar] = []
    for i, option in enumerate(choice.options):
        left = len(choice.options) - i - 1
        weights = (_subsets(choice, len(chosen), left), _subsets(choice, len(chosen) + 1, left))
        if take(Decision(f"{choice.path}[{option!r}]", ("out", "in"), weights), option):
            chosen.append(option)
    return tuple(chosen)


def _subsets(choice: SomeOf, chosen: int, left: int) -> float:
    """How many legal subsets have the `chosen` first options and any of the `left` last."""
    counts = range(max(choice.least - chosen, 0), choice.most - chosen + 1)
    return float(sum(math.comb(left, k) for k in counts))


def _subset_decisions(choice: SomeOf, answer: Answer) -> list[tuple[Decision, int]]:
    found: list[tuple[Decision, int]] = []

    def take(decision: Decision, option: Scalar) -> bool:
        taken = isinstance(answer, tuple) and option in answer
        found.append((decision, int(taken)))
        return taken

    _subset(choice, take)
    return found
