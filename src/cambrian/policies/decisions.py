"""Questions as decisions between a few named options, for policies and tables of values.

A question for one of n options is one decision. A subset is one decision for each option, in or out, as in
Zoph & Le's (2017, Sec. 3.3) skip connections. A number is a decision between at most `bins` ranges of equal
length; its place in the range is random.
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


@dataclass(frozen=True)
class Decision:
    """`weights[i]` is the probability of option i, up to a factor, under the space's own measure. An option
    of weight 0 is illegal; at least one is legal."""

    path: str
    options: tuple[str, ...]
    weights: tuple[float, ...]

    @property
    def named(self) -> bool:
        """Whether it is between options with names, as operations have, and not numbers, as the states that
        may be read, nor ranges."""
        return all(option[:1] in "'\"" for option in self.options)  # options are written as Python does

    @property
    def member(self) -> bool:
        """Whether it is on one option of a subset."""
        return self.options == MEMBER


MEMBER = ("out", "in")
"""The options of a decision on an option of a subset."""
Before = Mapping[str, Answer]
"""The answers to the earlier questions of a walk."""

Choose = Callable[[Decision, Before], int]
Walk = tuple[tuple[Decision, int], ...]
"""The decisions that make an architecture, in order, each with the index of the option taken."""

RARE = 1e-6
"""The share of the weight for an option that is legal but that the space never draws: a policy may come to
prefer it."""


def decide(choice: Choice, choose: Choose, before: Before, rng: np.random.Generator, bins: int) -> Answer:
    """The answer to a question that follows from the options that `choose` takes."""
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
    """The decisions that lead to `architecture`, each with the option taken and the answers before it."""
    before: dict[str, Answer] = {}
    for choice in questions(space, architecture):
        answer = choice.check(architecture[choice.path])
        for decision, taken in _decisions_taken(choice, answer, bins):
            yield decision, taken, before
        # A new mapping: the caller may keep the one that was yielded.
        before = {**before, choice.path: answer}


def walk_of(space: Walkable, architecture: Architecture, bins: int) -> Walk:
    return tuple((decision, taken) for decision, taken, _ in decisions(space, architecture, bins))


def sample_by(
    space: Walkable, chooser: Callable[[], Choose], rng: np.random.Generator, bins: int, tries: int = 100
) -> Architecture:
    """An architecture decided by a chooser, with a new chooser for every walk. If `tries` walks in a row are
    rejected, a random one under the space's own measure."""
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


def _decision(choice: OneOf | Integer | Real, bins: int) -> Decision:
    if isinstance(choice, OneOf):
        weights = choice.weights or (1.0,) * len(choice.options)
        least = RARE * sum(weights)
        return Decision(choice.path, tuple(map(repr, choice.options)), tuple(max(w, least) for w in weights))
    n = bins if choice.size is None else min(bins, choice.size)
    sizes = (1.0,) * n
    # Ranges of whole numbers may differ by one in length: by their lengths, every number is as likely.
    if isinstance(choice, Integer):
        sizes = tuple(float(last - first) for first, last in (_range(choice, i, bins) for i in range(n)))
    return Decision(choice.path, tuple(f"{i} of {n}" for i in range(n)), sizes)


def _decisions_taken(choice: Choice, answer: Answer, bins: int) -> list[tuple[Decision, int]]:
    """The decisions on one question that lead to `answer`, each with the option taken."""
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
        # In proportion to the legal subsets on either side: all subsets are equally likely, and a decision
        # that leads to none has weight 0.
        weights = (_subsets(choice, len(chosen), left), _subsets(choice, len(chosen) + 1, left))
        if take(Decision(f"{choice.path}[{option!r}]", MEMBER, weights), option):
            chosen.append(option)
    return tuple(chosen)


def _subsets(choice: SomeOf, chosen: int, left: int) -> float:
    """The number of legal subsets with `chosen` options so far and any of the `left` last options."""
    counts = range(max(choice.least - chosen, 0), choice.most - chosen + 1)
    return float(sum(math.comb(left, k) for k in counts))


def _subset_decisions(choice: SomeOf, answer: Answer) -> list[tuple[Decision, int]]:
    decisions_taken: list[tuple[Decision, int]] = []

    def take(decision: Decision, option: Scalar) -> bool:
        taken = isinstance(answer, tuple) and option in answer
        decisions_taken.append((decision, int(taken)))
        return taken

    _subset(choice, take)
    return decisions_taken
