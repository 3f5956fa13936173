"""What may be built: the contract of a space, and what a space may know beyond it.

A space is a program that asks questions. Everything a strategy does to architectures follows from
`walk` (see `cambrian.architecture`); the protocols below are knowledge some spaces have in addition,
which strategies ask for by type and never by name.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import msgspec

from cambrian.architecture import Architecture, Decide, replay
from cambrian.choices import Answer, Choice, OneOf, Scalar, SomeOf
from cambrian.errors import Rejected, Unbuildable, UnknownName
from cambrian.spaces.program.pick import Known
from cambrian.spaces.program.pick import Pick as Pick

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from cambrian.networks.sharing.reading import Reading
    from cambrian.networks.sharing.supernet import Supernet


@cache
def matches(pattern: str, path: str) -> bool:
    """Whether a path is one of those meant, # being any number.

    >>> matches("layer#", "layer12"), matches("layer#", "layers")
    (True, False)
    """
    return re.fullmatch(re.escape(pattern).replace("\\#", r"\d+"), path) is not None


class Signature(Protocol):
    """What of a task a network's shape depends on."""

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
        """The value that a network is made from: what `make` reads. The answers, where they say it all."""
        return architecture

    def make(self, read: Reading[Any], task: Signature, **skeleton: Any) -> nn.Module:
        """The text from which networks and supernets are made: it reads plans, see
        `cambrian.networks.sharing.reading`. It imports torch, so it stands in a file of its own."""
        raise Unbuildable(f"the space {type(self).__name__} makes no networks")

    def build(self, architecture: Architecture, task: Signature, **skeleton: Scalar) -> nn.Module:
        """The network of `architecture` for a task of that signature: plain torch.nn, a pure function.
        Takes float[n, channels, height, width], gives float[n, classes] logits (with an auxiliary
        head in training mode: a pair of those). Raises Unbuildable with the path of the question
        whose shapes do not fit."""
        from cambrian.networks.sharing.reading import Own

        settings = self.checked(skeleton)
        return self.make(Own(self.plan(replay(self, architecture))), task, **settings)

    @property
    def shared(self) -> Sequence[str]:
        """The questions that one network can hold all answers of, as paths in which # is a number:
        "layer#/operation". Every other one is *outer*: a supernet is made for one answer to it, and
        which outer questions are asked may depend on outer ones only."""
        return ()

    def shares(self, choice: Choice) -> bool:
        """Whether one network can hold all answers of that question; else it is outer."""
        forks = isinstance(choice, OneOf | SomeOf) and choice.module
        return forks or any(matches(pattern, choice.path) for pattern in self.shared)

    def share(self, outer: Mapping[str, Answer], task: Signature, **skeleton: Scalar) -> Supernet:
        """The supernet that holds all answers of the shared questions that are asked when the outer ones are
        answered as in `outer`, which may be a whole architecture. Where `supernet.choose(architecture)` was
        called, its forward is, bit for bit, that of `build(architecture, task, **skeleton)` with
        `supernet.weights(architecture)` loaded."""
        from cambrian.spaces.program.shared import share

        return share(self, outer, task, self.checked(skeleton))

    @property
    def skeleton(self) -> Collection[str]:
        """The names of `build`'s settings: what the fidelity of a search scales down, and its final training
        up, which is how an architecture transfers."""
        return ()

    def checked(self, skeleton: Mapping[str, Scalar]) -> dict[str, Any]:
        """The settings; raises UnknownName for one that `build` does not have."""
        for name in skeleton:
            if name not in self.skeleton:
                raise UnknownName("skeleton setting", name, self.skeleton)
        return dict(skeleton)

    def for_task(self, task: Signature) -> Space:
        """The space whose questions are those for `task`: itself, unless they depend on it."""
        return self

    def walk(self, decide: Decide) -> Architecture:
        pick = self._picks(decide, "", None, self._known)
        self.program(pick)
        return pick.architecture()

    @cached_property
    def _known(self) -> Known:
        return {}


class Pool(msgspec.Struct, frozen=True):
    """Children by the hundred thousand, as arrays. `parent[i]` indexes `parents` (-1: no parent, for
    the first level), `step[i]` are the tokens of what child i adds (see `Encodes`). No two children
    are the same function, exactly. `before` counts them before that deduplication; `complete` is
    False where they are a seeded sample."""

    parents: tuple[Architecture, ...]
    parent: NDArray[np.int64]  # [n]
    step: NDArray[np.int64]  # [n, slots]
    before: int
    complete: bool
    materialise: Callable[[int], Architecture]

    def __len__(self) -> int:
        return len(self.parent)

    def architecture(self, i: int) -> Architecture:
        return self.materialise(int(i))


@runtime_checkable
class Grows(Protocol):
    """A complexity order. B grows from A when it agrees with A on every path of A but the level's
    (or see `Settles`)."""

    @property
    def levels(self) -> tuple[int, ...]: ...
    def level(self, architecture: Architecture) -> int: ...
    def grow(self, parents: Sequence[Architecture], rng: np.random.Generator, cap: int | None = None) -> Pool:
        """All children one level above `parents` (which share a level); without parents, the whole
        first level. Beyond `cap` children, a sample of `cap` drawn from `rng`."""
        ...


@runtime_checkable
class Settles(Protocol):
    """A `Grows` whose unfinished architectures are closed by answers that growing gives anew, where no
    question asks for the level: `settled` are the paths on which B agrees with the A it grows from. Two
    of them may be the same function and stay in a pool, where they grow into different ones."""

    def settled(self, architecture: Architecture) -> tuple[str, ...]: ...


@runtime_checkable
class Canonical(Protocol):
    """Knows which architectures are the same function: those of equal `canonical` text."""

    def canonical(self, architecture: Architecture) -> str: ...


@runtime_checkable
class Encodes(Protocol):
    """Architectures as sequences of steps of tokens, for surrogates.

    `slots[j]` names the vocabulary slot j draws from and `vocabulary[name]` is its size, so that slots of one
    kind share an embedding (PNAS: two inputs, two operations)."""

    @property
    def slots(self) -> tuple[str, ...]: ...
    @property
    def vocabulary(self) -> Mapping[str, int]: ...
    def tokens(self, architectures: Sequence[Architecture]) -> NDArray[np.int64]:
        """int[n, steps, slots], -1 beyond an architecture's own steps."""
        ...


@runtime_checkable
class Moves(Protocol):
    """Edits of more than one answer, such as a layer put in between others, taken out, or doubled:
    `moves` names their kinds."""

    @property
    def moves(self) -> tuple[str, ...]: ...
    def move(self, kind: str, architecture: Architecture, rng: np.random.Generator) -> Architecture | None:
        """A random edit of that kind; None where there is none, such as a layer less than the least."""
        ...


class Graph(msgspec.Struct, frozen=True):
    """A labelled directed acyclic graph: `labels[i]` of node i, nodes in a topological order, edges
    (from, to). `groups[i]` is the part of the architecture node i belongs to ("block 3", ...)."""

    labels: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    groups: tuple[str, ...] = ()


@runtime_checkable
class Graphs(Protocol):
    """The data-flow graph: what kernels compare and pictures draw."""

    def graph(self, architecture: Architecture) -> Graph: ...


def fingerprint(space: Space, walks: int = 64) -> str:
    """A hash of the questions a space asks on seeded walks: it changes when the space's program does,
    and so tells a run that is resumed with another space than it was started with."""
    import hashlib

    from cambrian.architecture import sample
    from cambrian.randomness import stream

    digest = hashlib.sha256()
    for n in range(walks):
        rng = stream(0, "fingerprint", n)

        def decide(choice: Choice, rng: np.random.Generator = rng) -> Answer:
            digest.update(msgspec.json.encode(choice))
            return choice.draw(rng)

        try:
            space.walk(decide)
        except Rejected:
            digest.update(b"rejected")
    sample(space, stream(0, "fingerprint"))  # a space that rejects everything is refused here
    return digest.hexdigest()[:16]
