"""The children of a supernet: architectures with its outer answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture, replay, sample
from cambrian.choices import Answer, Choice, OneOf
from cambrian.errors import IllegalArchitecture, Rejected
from cambrian.randomness import stream
from cambrian.spaces.knowledge import Canonical, know
from cambrian.spaces.shared_questions import outer

if TYPE_CHECKING:
    import numpy as np

    from cambrian.problem import Problem

TRIES = 200
"""Draws in a row that give no new child, after which a supernet counts as searched through."""
TRAINING = "train."
"""The beginning of a question about a network's own training."""
REJECTED = 1000
"""Rejected walks in a row."""


def choose_supernet(problem: Problem) -> Architecture:
    """An architecture whose outer answers a supernet is made for: the deepest of the space, with the middle
    one of the answers about a training of its own, and otherwise drawn by the run's seed."""
    rng = stream(problem.seed, "supernet")

    def decide(choice: Choice) -> Answer:
        # The supernet does not train by them, and all that follows would be bound to a chance.
        if isinstance(choice, OneOf) and choice.path.startswith(TRAINING):
            return choice.options[len(choice.options) // 2]
        # The deepest network holds the most architectures.
        deep = isinstance(choice, OneOf) and choice.depth
        return choice.options[-1] if deep else choice.draw(rng)  # type: ignore[union-attr]

    for _ in range(REJECTED):
        try:
            architecture: Architecture = problem.space.walk(decide)
            return architecture
        except Rejected:
            continue
    return sample(problem.space, rng)


def find_outer(problem: Problem, architecture: Architecture) -> dict[str, Answer]:
    """The answers that all children of the supernet have."""
    return outer(problem.space, architecture)


def draw_child(space: Any, fixed: Mapping[str, Answer], rng: np.random.Generator) -> Architecture | None:
    """A random child under the space's own measure; None where the space rejects all that are drawn."""
    return _try(lambda: replay(space, fixed, lambda choice: choice.draw(rng)))


def mutate_child(
    space: Any,
    fixed: Mapping[str, Answer],
    parent: Architecture,
    probability: float,
    rng: np.random.Generator,
) -> Architecture | None:
    """The parent, with each of its shared answers drawn anew with this probability."""

    def decide(choice: Choice) -> Answer:
        if choice.path in fixed:
            return fixed[choice.path]
        if choice.path not in parent or rng.random() < probability:
            return choice.draw(rng)
        try:
            return choice.check(parent[choice.path])
        except IllegalArchitecture:  # another answer before it has changed its options
            return choice.draw(rng)

    return _try(lambda: space.walk(decide))


def find_new(
    space: Any, make: Callable[[], Architecture | None], known: Collection[str]
) -> Architecture | None:
    """The first child of `make` whose function is not known; None after TRIES of them."""
    for _ in range(TRIES):
        child = make()
        if child is not None and name_function(space, child) not in known:
            return child
    return None


def name_function(space: Any, architecture: Architecture) -> str:
    """A name that architectures share where the space knows that they are the same function."""
    names = know(space, Canonical)
    return architecture.key if names is None else names.canonical(architecture)


def _try(walk: Callable[[], Architecture]) -> Architecture | None:
    for _ in range(REJECTED):
        try:
            return walk()
        except Rejected:
            continue
    return None
