"""An architecture is the set of answers to the questions of a space's program, each under its question's
path.

The functions below use only the `walk` of a space: `walk(decide) -> Architecture` runs the program and
calls `decide(choice) -> answer` at every question. Sampling, replaying, mutating, crossing, enumerating
and stepping through a program are six ways of deciding.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from cambrian.choices import Answer, Chance, Choice
from cambrian.errors import IllegalArchitecture, Rejected, SpaceError, did_you_mean

if TYPE_CHECKING:
    import numpy as np

Decide = Callable[[Choice], Answer]

PATIENCE = 4
"""Rejected walks allowed for each accepted walk that is wanted, before an enumeration is given up."""
TRIES = 1000
"""Rejected draws, mutations, or crossovers in a row after which there is none."""

_sorted_json = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


class Walkable(Protocol):
    def walk(self, decide: Decide) -> Architecture: ...


class Architecture(Mapping[str, Answer]):
    """A frozen mapping from path to answer, in the order asked. Architectures with the same `key` are equal,
    whatever the order of their questions; 1, 1.0 and True are three different answers.

    >>> Architecture({"depth": 2, "op0": "conv3"})["depth"]
    2
    """

    __slots__ = ("_answers", "_key")

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self._answers = dict(answers)
        self._key: str | None = None

    def __getitem__(self, path: str) -> Answer:
        return self._answers[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._answers)

    def __len__(self) -> int:
        return len(self._answers)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Architecture) and self.key == other.key

    def __repr__(self) -> str:
        return f"Architecture({self._answers!r})"

    @property
    def key(self) -> str:
        """Sixteen hexadecimal digits, a function of the answers alone, stable across versions of
        Python and machines. Two architectures that are the same *function* may have different keys;
        `Canonical` spaces recognise them."""
        # Computed when first asked: many architectures are only built or scored, never compared.
        if self._key is None:
            text = _sorted_json.encode(self._answers)
            self._key = hashlib.sha256(text.encode()).hexdigest()[:16]
        return self._key

    def to_json(self) -> dict[str, object]:
        return {p: list(a) if isinstance(a, tuple) else a for p, a in self._answers.items()}

    @staticmethod
    def from_json(answers: object) -> Architecture:
        """The inverse of `to_json`. Legality is not checked; `replay(space, ...)` does that."""
        if not isinstance(answers, Mapping):
            raise IllegalArchitecture(
                f"an architecture is an object of path: answer, got {type(answers).__name__}"
            )
        return Architecture({str(p): _freeze_answer(str(p), a) for p, a in answers.items()})


def _freeze_answer(path: str, answer: object) -> Answer:
    if isinstance(answer, list | tuple) and all(isinstance(a, str | int | float) for a in answer):
        return tuple(answer)
    if isinstance(answer, str | int | float):
        return answer
    raise IllegalArchitecture(
        f"question {path!r}: an answer is text, a number or a list of them, got {answer!r}"
    )


def sample(space: Walkable, rng: np.random.Generator, tries: int = TRIES) -> Architecture:
    """A random architecture under the space's own measure; rejected walks are drawn again."""
    chance = Chance(rng)
    for _ in range(tries):
        try:
            return space.walk(chance)
        except Rejected as reason:
            last = reason
    raise SpaceError(f"{tries} random walks in a row were rejected, the last because: {last}")


def replay(space: Walkable, answers: Mapping[str, Answer], otherwise: Decide | None = None) -> Architecture:
    """The walk that takes each answer from `answers` where that is legal, else from `otherwise`. Answers to
    questions that are not asked are dropped. Without `otherwise` the replay is strict: a missing, illegal
    or superfluous answer raises IllegalArchitecture naming its path."""

    if otherwise is None:
        return _replay_strictly(space, answers)

    def decide(choice: Choice) -> Answer:
        if choice.path not in answers:
            return otherwise(choice)
        try:
            return choice.check(answers[choice.path])
        except IllegalArchitecture:
            return otherwise(choice)

    return space.walk(decide)


def _replay_strictly(space: Walkable, answers: Mapping[str, Answer]) -> Architecture:
    def decide(choice: Choice) -> Answer:
        if choice.path not in answers:
            raise IllegalArchitecture(_describe_missing(choice, [p for p in answers if p not in asked]))
        asked.add(choice.path)
        return answers[choice.path]  # which the walk checks

    asked: set[str] = set()

    try:
        architecture = space.walk(decide)
    except Rejected as reason:
        raise IllegalArchitecture(f"the space rejects this architecture: {reason}") from None
    # Every question found its answer, so a surplus can only be answers that no question asked for.
    if len(architecture) < len(answers):
        path = next(p for p in answers if p not in architecture)
        raise IllegalArchitecture(f"no question {path!r} is asked{did_you_mean(path, architecture)}")
    return architecture


def _describe_missing(choice: Choice, left: list[str]) -> str:
    """The sentence for a question without an answer; `left` are the paths that no question has used so far,
    one of which may be a misspelling."""
    near = difflib.get_close_matches(choice.path, left, n=1, cutoff=0.5)
    meant = f"; is {near[0]!r} meant to be one?" if near else ""
    return f"question {choice.path!r} has no answer, which would be {choice.legal}{meant}"


class Open(Exception):
    """A walk met a question that nobody has answered."""

    def __init__(self, choice: Choice) -> None:
        self.choice = choice


def next_choice(space: Walkable, answers: Mapping[str, Answer]) -> Choice | None:
    """The first question that `answers` leaves open; None when they are a whole architecture."""

    def decide(choice: Choice) -> Answer:
        if choice.path in answers:
            return choice.check(answers[choice.path])
        raise Open(choice)

    try:
        space.walk(decide)
    except Open as stop:
        return stop.choice
    return None


def questions(space: Walkable, architecture: Mapping[str, Answer]) -> list[Choice]:
    """The questions that were asked on the way to `architecture`, in order."""
    asked: list[Choice] = []

    def decide(choice: Choice) -> Answer:
        asked.append(choice)
        return architecture[choice.path]  # which the walk checks

    space.walk(decide)
    return asked


def completions(
    space: Walkable, answers: Mapping[str, Answer], limit: int | None = None
) -> Iterator[Architecture]:
    """Every architecture that agrees with `answers` wherever it is asked, depth first, rejected
    ones left out; `completions(space, {})` enumerates a finite space."""
    return islice((a for a in walks(space, answers) if a is not None), limit)


def walks(space: Walkable, answers: Mapping[str, Answer]) -> Iterator[Architecture | None]:
    """As `completions`, with None for every rejected walk: nearly all walks may be rejected, and a caller
    that wants a few must be able to give up."""

    def walk(forced: Mapping[str, Answer]) -> Architecture | None:
        def decide(choice: Choice) -> Answer:
            if choice.path in forced:
                return choice.check(forced[choice.path])
            raise Open(choice)

        try:
            return space.walk(decide)
        except IllegalArchitecture:
            return None

    return leaves(walk, dict(answers))


def leaves(
    walk: Callable[[Mapping[str, Answer]], Architecture | None], forced: dict[str, Answer]
) -> Iterator[Architecture | None]:
    """The results of `walk` for the answers in `forced`, completed by every answer to every question that
    the walk leaves open; None for a rejected walk. Answers are taken one by one: a question may have more
    than memory holds."""
    # Depth first without recursion: one iterator of answers for each open question, the deepest on top.
    stack = [iter([forced])]
    while stack:
        answers = next(stack[-1], None)
        if answers is None:
            stack.pop()
            continue
        try:
            leaf = walk(answers)
        except Open as stop:
            stack.append(_extend(answers, stop.choice))
            continue
        except Rejected:
            leaf = None
        yield leaf


def _extend(forced: dict[str, Answer], choice: Choice) -> Iterator[dict[str, Answer]]:
    return ({**forced, choice.path: answer} for answer in choice.answers())


def mutate(space: Walkable, architecture: Architecture, rng: np.random.Generator) -> Architecture:
    """One answer replaced by a different one; questions that the new answer opens are answered at random.
    Only questions with another answer are candidates, and each is equally likely."""
    asked = [c for c in questions(space, architecture) if c.size is None or c.size > 1]
    for _ in range(TRIES if asked else 0):
        choice = asked[int(rng.integers(len(asked)))]
        other = (a for a in (choice.draw(rng) for _ in range(100)) if a != architecture[choice.path])
        answer = next(other, None)
        if answer is None:  # the other answers of this question have weight 0
            continue
        try:
            return replay(space, {**architecture, choice.path: answer}, lambda c: c.draw(rng))
        except Rejected:
            continue
    raise SpaceError(f"no mutation of {architecture!r} was accepted in {TRIES} tries")


def crossover(
    space: Walkable,
    one: Architecture,
    other: Architecture,
    rng: np.random.Generator,
) -> Architecture:
    """Each answer comes from either parent with equal chance where that is legal, else at random."""
    for _ in range(TRIES):

        def decide(choice: Choice) -> Answer:
            # The second parent stands in where the first was not asked or its answer is not legal here.
            parents = (one, other) if rng.random() < 0.5 else (other, one)
            for parent in parents:
                if choice.path in parent:
                    try:
                        return choice.check(parent[choice.path])
                    except IllegalArchitecture:
                        continue
            return choice.draw(rng)

        try:
            return space.walk(decide)
        except Rejected:
            continue
    raise SpaceError(f"no crossover was accepted in {TRIES} tries")
