"""What may be built: the contract of a space, and what a space may know beyond it.

A space is a program that asks questions. Everything a strategy does to architectures follows from
`walk` (see `cambrian.architecture`); the protocols below are knowledge some spaces have in addition,
which strategies ask for by type and never by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from operator import is_
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import msgspec

from cambrian.architecture import Architecture, Decide
from cambrian.choices import Answer, Chance, Choice, Integer, OneOf, Real, Scalar, SomeOf
from cambrian.errors import Rejected, SpaceError, UnknownName

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from cambrian.networks.supernet import Supernet


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


Known = dict[str, tuple[Any, Any, Sequence[Scalar], tuple[Any, ...]]]
"""The question last asked under each path, and what it was made of: its kind, options and settings."""


class Pick:
    """The questioner handed to a space's program: each call asks one question and returns its answer.

    A path may be asked once in a walk; `inside` gives sub-programs a prefix of their own."""

    def __init__(
        self,
        decide: Decide,
        prefix: str = "",
        answers: dict[str, Answer] | None = None,
        known: Known | None = None,
    ) -> None:
        self._decide = decide
        self._chance = decide if type(decide) is Chance else None
        self._prefix = prefix
        self._answers: dict[str, Answer] = {} if answers is None else answers
        self._known: Known = {} if known is None else known

    def __call__(self, path: str, options: Sequence[Scalar], weights: Sequence[float] | None = None) -> Any:
        settings = () if weights is None else (as_weights(weights),)
        return self._asked(OneOf, path, options, settings)

    def some(
        self, path: str, options: Sequence[Scalar], least: int, most: int | None = None
    ) -> tuple[Any, ...]:
        """`least` of the options, or between `least` and `most` of them, as a tuple."""
        most = least if most is None else most
        answer = self._asked(SomeOf, path, options, (least, most))
        assert isinstance(answer, tuple)
        return answer

    def integer(self, path: str, low: int, high: int) -> int:
        return self._asked(_integer, path, (low, high), ())  # type: ignore[no-any-return]

    def real(self, path: str, low: float, high: float, log: bool = False) -> float:
        return self._asked(_real, path, (low, high), (log,))  # type: ignore[no-any-return]

    def depth(self, path: str, low: int, high: int, weights: Sequence[float] | None = None) -> int:
        """How many repetitions of a part: the complexity order that progressive search climbs."""
        counts = counting(self._prefix + path, low, high)
        return self._asked(OneOf, path, counts, (as_weights(weights), True))  # type: ignore[no-any-return]

    def require(self, ok: object, reason: str) -> None:
        """Reject the walk unless `ok`: samples are drawn again, neighbours and growth skip it."""
        if not ok:
            raise Rejected(reason)

    def inside(self, prefix: str) -> Pick:
        """The same questioner for a sub-space, whose paths all begin with `prefix/`."""
        return Pick(self._decide, f"{self._prefix}{prefix}/", self._answers, self._known)

    def ask(self, choice: Choice) -> Answer:
        if choice.path in self._answers:
            raise SpaceError(f"question {choice.path!r} is asked twice in one walk")
        answer = choice.draw(self._chance) if self._chance else choice.check(self._decide(choice))
        self._answers[choice.path] = answer
        return answer

    def architecture(self) -> Architecture:
        return Architecture(self._answers)

    def _asked(self, kind: Any, path: str, options: Sequence[Scalar], settings: tuple[Any, ...]) -> Any:
        """The answer to the question of that kind, the very one of the last walk where it is the same:
        checking that options are distinct takes longer than asking."""
        path = self._prefix + path
        if path in self._known and path not in self._answers:
            choice, of_kind, offered, set_so = self._known[path]
            # Equal is not the same: 1, 1.0 and True are three options.
            same = offered is options or (len(offered) == len(options) and all(map(is_, offered, options)))
            if same and of_kind is kind and set_so == settings:
                answer = choice.draw(self._chance) if self._chance else choice.check(self._decide(choice))
                self._answers[path] = answer
                return answer
        if isinstance(options, str):
            raise SpaceError(f"question {path!r}: options are a list, got the text {options!r}")
        choice = kind(path, tuple(options), *settings)
        offered = options if isinstance(options, tuple | range) else choice.options
        self._known[path] = (choice, kind, offered, settings)
        return self.ask(choice)


def _integer(path: str, bounds: tuple[int, int]) -> Integer:
    return Integer(path, *bounds)


def _real(path: str, bounds: tuple[float, float], log: bool) -> Real:
    return Real(path, *bounds, log)


def as_weights(weights: Sequence[float] | None) -> tuple[float, ...] | None:
    return None if weights is None else tuple(float(w) for w in weights)


def counting(path: str, low: int, high: int) -> range:
    """The numbers from `low` to `high`, how many of something there may be."""
    if not (isinstance(low, int) and isinstance(high, int) and 0 <= low <= high):
        raise SpaceError(f"question {path!r}: there cannot be between {low!r} and {high!r} of something")
    return range(low, high + 1)


class Space(ABC):
    """A search space. Subclasses are frozen dataclasses whose fields are their JSON settings."""

    measure: str = "uniform over answers, question by question"
    """The distribution sampling draws from, as reports print it."""

    _picks: ClassVar[type[Pick]] = Pick

    @abstractmethod
    def program(self, pick: Pick) -> object:
        """Ask the questions. Must ask the same ones whenever it gets the same answers."""

    @abstractmethod
    def build(self, architecture: Architecture, task: Signature, **skeleton: Scalar) -> nn.Module:
        """The network of `architecture` for a task of that signature: plain torch.nn, a pure function.
        Takes float[n, channels, height, width], gives float[n, classes] logits (with an auxiliary
        head in training mode: a pair of those). Raises Unbuildable with the path of the question
        whose shapes do not fit."""

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


@runtime_checkable
class Shares(Protocol):
    """Can hold all answers of its module forks in one network. Shared are the questions whose choice says
    `module`; every other one is outer: a supernet is made for one assignment of those."""

    def share(self, outer: Mapping[str, Answer], task: Signature, **skeleton: Scalar) -> Supernet:
        """The supernet with every candidate of the module forks that are asked when the outer questions are
        answered as in `outer`, which may be a whole architecture. Where `supernet.choose(architecture)` was
        called, its forward is, bit for bit, that of `build(architecture, task, **skeleton)` with
        `supernet.weights(architecture)` loaded."""
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
