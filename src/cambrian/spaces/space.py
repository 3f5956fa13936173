"""The contract of a space: architectures that may be built.

A space is a program that asks questions. Everything a strategy does to architectures follows from
`walk` (see `cambrian.architecture`). Some spaces know more about themselves: strategies ask for that by
protocol (`space.know(Grows)`, see `cambrian.spaces.knowledge`), never by a space's name or class.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

import msgspec

from cambrian.architecture import Architecture, Decide, replay
from cambrian.choices import Answer, Choice, Scalar, describe_question
from cambrian.errors import Rejected, Unbuildable, UnknownName
from cambrian.spaces.knowledge import Canonical as Canonical
from cambrian.spaces.knowledge import Encodes as Encodes
from cambrian.spaces.knowledge import Graph as Graph
from cambrian.spaces.knowledge import Graphs as Graphs
from cambrian.spaces.knowledge import Grows as Grows
from cambrian.spaces.knowledge import Knowledge, find_knowledge
from cambrian.spaces.knowledge import Moves as Moves
from cambrian.spaces.knowledge import Pool as Pool
from cambrian.spaces.knowledge import Settles as Settles
from cambrian.spaces.knowledge import Shares as Shares
from cambrian.spaces.program.pick import Known
from cambrian.spaces.program.pick import Pick as Pick

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from cambrian.networks.sharing.reading import Reading


class Signature(Protocol):
    """The facts of a task on which a network's shape depends."""

    @property
    def channels(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def classes(self) -> int: ...


class Space(ABC):
    """A search space. Subclasses are frozen dataclasses whose fields are their JSON settings."""

    measure: str = "uniform over answers, question by question"
    """The distribution sampling draws from, as reports print it."""

    _picks: ClassVar[type[Pick]] = Pick

    @abstractmethod
    def program(self, pick: Pick) -> object:
        """Ask the questions. Must ask the same ones whenever it gets the same answers."""

    def plan(self, architecture: Architecture) -> Any:
        """The value from which `make` builds a network: by default the answers themselves."""
        return architecture

    def make(self, read: Reading[Any], task: Signature, **skeleton: Any) -> nn.Module:
        """Build a network or a supernet from plans, see
        `cambrian.networks.sharing.reading`. It imports torch, so it lives in a file of its own."""
        raise Unbuildable(f"the space {type(self).__name__} makes no networks")

    def build(self, architecture: Architecture, task: Signature, **skeleton: Scalar) -> nn.Module:
        """The network of `architecture` for a task of that signature: plain torch.nn, a pure function.
        Takes float[n, channels, height, width], gives float[n, classes] logits (with an auxiliary
        head in training mode: a pair of those). Raises Unbuildable with the path of the question
        whose shapes do not fit."""
        from cambrian.networks.sharing.reading import Own

        # Settings are checked before the answers: a wrong name should not wait for a replay.
        settings = self.check_skeleton(skeleton)
        return self.make(Own(self.plan(replay(self, architecture))), task, **settings)

    @property
    def shared(self) -> Sequence[str]:
        """The questions whose answers one network can all hold, besides forks of modules, as paths in
        which # stands for a number: "layer#/operation". Every other one is *outer*: a supernet is made for
        one answer to it, and which outer questions are asked may depend on outer ones only."""
        return ()

    @property
    def skeleton(self) -> Collection[str]:
        """The names of `build`'s settings: those that the fidelity of a search scales down, and its final
        training up, which is how an architecture transfers."""
        return ()

    def check_skeleton(self, skeleton: Mapping[str, Scalar]) -> dict[str, Any]:
        """The settings; raises UnknownName for one that `build` does not have."""
        for name in skeleton:
            if name not in self.skeleton:
                raise UnknownName("skeleton setting", name, self.skeleton)
        return dict(skeleton)

    def for_task(self, task: Signature) -> Space:
        """The space whose questions are those for `task`: itself, unless they depend on it."""
        return self

    @property
    def knowledge(self) -> tuple[object, ...]:
        """Objects that know this space by protocols whose methods it does not have itself."""
        return ()

    def know(self, protocol: type[Knowledge]) -> Knowledge | None:
        """The object that knows this space by `protocol`: itself where it has the methods, else the first
        of its `knowledge`; None where none does. The same one each time."""
        if protocol not in self._knows:
            self._knows[protocol] = find_knowledge((self, *self._knowledge), protocol)
        return cast("Knowledge | None", self._knows[protocol])

    def walk(self, decide: Decide) -> Architecture:
        pick = self._picks(decide, "", None, self._known)
        self.program(pick)
        return pick.architecture()

    @cached_property
    def _known(self) -> Known:
        return {}

    @cached_property
    def _knowledge(self) -> tuple[object, ...]:
        """The knowledge, kept for the life of the space: growth explores a space once."""
        from cambrian.spaces.sharing import TextSharing

        return (*self.knowledge, *([TextSharing(self)] if self.shared else []))

    @cached_property
    def _knows(self) -> dict[type, object]:
        return {}  # kept: telling whether a class fulfils a protocol takes microseconds


def fingerprint(space: Space, walks: int = 64) -> str:
    """A hash of the questions a space asks on seeded walks: it changes when the space's program does,
    and so tells a run that is resumed with another space than it was started with."""
    import hashlib

    from cambrian.architecture import sample
    from cambrian.randomness import stream

    digest = hashlib.sha256()
    # Seeded walks stand for the program: 64 of them meet every question that is not rare.
    for n in range(walks):
        rng = stream(0, "fingerprint", n)

        def decide(choice: Choice, rng: np.random.Generator = rng) -> Answer:
            digest.update(msgspec.json.encode(describe_question(choice)))
            return choice.draw(rng)

        try:
            space.walk(decide)
        except Rejected:
            digest.update(b"rejected")
    sample(space, stream(0, "fingerprint"))  # a space that rejects everything is refused here
    return digest.hexdigest()[:16]
