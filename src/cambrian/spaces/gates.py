"""Gates of spaces whose questions are answered by forks of modules: one site for each question, and the most
probable option of each in the derived architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cambrian.architecture import Architecture, replay
from cambrian.choices import Answer, Choice, OneOf
from cambrian.spaces.knowledge import Site, Skips
from cambrian.spaces.sharing import find_choices, is_shared
from cambrian.spaces.space import Space

NONE = "none"
SKIPS = frozenset({"skip", "skip_connect", "identity"})
"""Options that pass their input on."""


@dataclass(frozen=True)
class ForkGates:
    """`Mixes` of `space`, whose shared questions are forks of modules, apart from its depth. From `collapsed`
    skip connections on (0: from half of its operations) an architecture has collapsed."""

    space: Space
    collapsed: int = 0

    def list_sites(self, outer: Mapping[str, Answer]) -> dict[str, Site]:
        choices, _ = find_choices(self.space, _keep_outer(self.space, outer))
        forks = [c for c in choices.values() if isinstance(c, OneOf) and not c.depth]
        return {c.path: Site(c.options, nothing=find_nothing(c.options)) for c in forks}

    def find_whole(self, outer: Mapping[str, Answer]) -> Architecture:
        return self.derive({}, outer)

    def derive(self, gates: Mapping[str, Sequence[float]], outer: Mapping[str, Answer]) -> Architecture:
        """The argmax of each gate; the greatest depth; of a question without a gate the last option, which is
        a module wherever one is nothing."""

        def decide(choice: Choice) -> Answer:
            assert isinstance(choice, OneOf)
            gate = gates.get(choice.path)
            if gate is None or choice.depth:
                return choice.options[-1]
            return choice.options[find_largest(gate)]

        return replay(self.space, _keep_outer(self.space, outer), decide)

    def count_skips(self, architecture: Architecture) -> Skips:
        sites = self.list_sites(architecture)
        answers = [architecture[path] for path in sites if path in architecture]
        count = sum(answer in SKIPS for answer in answers)
        return Skips(count, len(answers), self.collapsed or max(2, (len(answers) + 1) // 2))


def find_nothing(options: Sequence[object]) -> int | None:
    """The index of the option that is no connection."""
    return options.index(NONE) if NONE in options else None


def find_largest(gate: Sequence[float], without: int | None = None) -> int:
    """The index of the largest number, the first one of several, leaving out index `without`."""
    return max((i for i in range(len(gate)) if i != without), key=lambda i: (gate[i], -i))


def _keep_outer(space: Space, answers: Mapping[str, Answer]) -> dict[str, Answer]:
    """The outer ones of the answers, which may be those of a whole architecture."""
    outer: dict[str, Answer] = {}

    def decide(choice: Choice) -> Answer:
        if is_shared(space, choice):
            return next(iter(choice.answers()))
        outer[choice.path] = choice.check(answers[choice.path])
        return outer[choice.path]

    space.walk(decide)
    return outer
