"""Protocols of knowledge that a space may have beyond its questions, and the way to ask for it.

A space knows by composition: it has the methods of a protocol itself, or an object among its `knowledge`
has them (`DepthGrowth`, `EdgeCells`, ...). Callers never test for a class, they ask `space.know(Grows)`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast, runtime_checkable

import msgspec

from cambrian.architecture import Architecture
from cambrian.choices import Answer, Scalar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cambrian.networks.sharing.supernet import Supernet
    from cambrian.spaces.space import Signature, Space

Knowledge = TypeVar("Knowledge")


def know(space: object, protocol: type[Knowledge]) -> Knowledge | None:
    """The object that fulfils the protocol for `space`, or None. A space that is not a subclass of `Space`
    has only its own methods."""
    ask = getattr(space, "know", None)
    return find_knowledge((space,), protocol) if ask is None else cast("Knowledge | None", ask(protocol))


def find_knowledge(candidates: Iterable[object], protocol: type[Knowledge]) -> Knowledge | None:
    """The first of `candidates` that fulfils `protocol`."""
    return next((known for known in candidates if isinstance(known, protocol)), None)


def name_function(space: object, architecture: Architecture) -> Hashable:
    """A key that architectures of the same function share, where the space knows them (see `Canonical`)."""
    names = know(space, Canonical)
    return architecture if names is None else names.canonical(architecture)


class Pool(msgspec.Struct, frozen=True):
    """Children by the hundred thousand, as arrays. `parent[i]` indexes `parents` (-1: no parent, for
    the first level), `step[i]` are the tokens that child i adds (see `Encodes`). No two children
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
    question asks for the level: `list_settled` gives the paths on which B agrees with the A it grows
    from. Two of them may be the same function and both stay in a pool: they grow into different ones."""

    def list_settled(self, architecture: Architecture) -> tuple[str, ...]: ...


@runtime_checkable
class Begins(Protocol):
    """Knows architectures that every search measures first, whatever its strategy, as that of the network
    that a user has already."""

    @property
    def begins(self) -> Mapping[str, Architecture]:
        """Architectures by the names that reports give them."""
        ...


@runtime_checkable
class Narrows(Protocol):
    """A `Begins` whose networks there are in several widths."""

    def narrow(self, keeps: Callable[[Architecture], bool]) -> Space:
        """The space that begins with the widest of each network for which `keeps` is true, and not with those
        of which none is."""
        ...


@runtime_checkable
class Lists(Protocol):
    """Holds its architectures in a list, as a table of results does: counting them takes no walk."""

    @property
    def count(self) -> int: ...
    def list_architectures(self) -> Sequence[Architecture]:
        """All architectures, each once, in the order of an enumeration."""
        ...


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
        """A random edit of that kind; None where none is possible, such as a layer less than the minimum."""
        ...


@runtime_checkable
class Morphs(Protocol):
    """Network morphisms: edits after which a network can begin with the function of its parent (see
    `cambrian.networks.morphisms`). `morphs` names the kinds that only enlarge; `shrinks` those that take
    something away, after which it begins near it (the approximate morphisms of Elsken et al. 2019)."""

    @property
    def morphs(self) -> tuple[str, ...]: ...
    @property
    def shrinks(self) -> tuple[str, ...]: ...
    def morph(self, kind: str, architecture: Architecture, rng: np.random.Generator) -> Architecture | None:
        """A random edit of that kind; None where none is possible."""
        ...


@runtime_checkable
class Shares(Protocol):
    """Can hold all answers of its module forks in one network. Questions whose choice is a `module` are
    shared; all others are outer: a supernet is made for one assignment of those."""

    def share(self, outer: Mapping[str, Answer], task: Signature, **skeleton: Scalar) -> Supernet:
        """The supernet with every candidate of the module forks that are asked when the outer questions are
        answered as in `outer`, which may be a whole architecture. Where `supernet.choose(architecture)` was
        called, its forward is, bit for bit, that of `build(architecture, task, **skeleton)` with
        `supernet.weights(architecture)` loaded."""
        ...


@runtime_checkable
class SharesPartly(Protocol):
    """Can make a supernet whose operations see a part of the channels (PC-DARTS, Xu et al. 2020)."""

    def share_partly(
        self, outer: Mapping[str, Answer], task: Signature, channel_share: int, **skeleton: Scalar
    ) -> Supernet:
        """As `Shares.share`; operations are made for one `channel_share` of the channels."""
        ...


class Site(msgspec.Struct, frozen=True):
    """A place of a supernet where candidates are mixed: its `options`, one gate for each. `edges`: the
    options are edges that are added, whose weights not every method learns. `nothing` is the index of the
    option that is no connection."""

    options: tuple[Scalar, ...]
    edges: bool = False
    nothing: int | None = None


class Skips(msgspec.Struct, frozen=True):
    """The skip connections of an architecture: `count` of its `operations`; from `most` on it has collapsed
    (Zela et al. 2020, arXiv 1909.09656, Sec. 3)."""

    count: int
    operations: int
    most: int


@runtime_checkable
class Mixes(Protocol):
    """Knows how its supernet is mixed, and the architecture that the gates of a mixture stand for (Liu et
    al. 2019, Sec. 2.4). `outer` are the answers that the supernet is made for."""

    def list_sites(self, outer: Mapping[str, Answer]) -> Mapping[str, Site]:
        """The sites of the supernet by the name of their gates."""
        ...

    def find_whole(self, outer: Mapping[str, Answer]) -> Architecture:
        """The architecture that a supernet runs as while all of its sites are mixed: the deepest one."""
        ...

    def derive(self, gates: Mapping[str, Sequence[float]], outer: Mapping[str, Answer]) -> Architecture:
        """The architecture of these probabilities of options, by site; sites of edges may be absent."""
        ...

    def count_skips(self, architecture: Architecture) -> Skips: ...


@runtime_checkable
class ContainsAll(Protocol):
    """Has an architecture of which every other one is a sub-network, its questions being the inputs of each
    node, as a convolutional neural fabric is (Saxena & Verbeek 2016)."""

    def find_all(self) -> Architecture:
        """The architecture that contains all others."""
        ...

    def cut(self, inputs: Mapping[str, tuple[str, ...]]) -> Architecture:
        """The sub-network in which nodes read these inputs, by question, and the others all of theirs."""
        ...


class Tree(msgspec.Struct, frozen=True):
    """A node of a tree-structured cell: `path` is the prefix of its questions, `operation` leads to it,
    `merge` says what becomes of its `branches`."""

    path: str
    operation: str
    merge: str
    branches: tuple[Tree, ...] = ()


@runtime_checkable
class Trees(Protocol):
    """Its cells are trees, whose questions are a node's `merge` and `operation` (Cai et al. 2018, "Path-Level
    Network Transformation", Sec. 3.2)."""

    @property
    def weightless(self) -> tuple[str, ...]:
        """Operations without weights that are not an identity, and so cannot pass their input on."""
        ...

    def tree(self, answers: Mapping[str, Answer]) -> Tree:
        """The tree of these answers; where some are missing, what is not asked yet does nothing."""
        ...


@runtime_checkable
class MapsBanks(Protocol):
    """Has layers that read memory banks by 1x1 convolutions, whose weights a hypernetwork may generate
    (SMASH, Brock et al. 2018)."""

    def map_banks(self, architecture: Mapping[str, Answer]) -> list[list[list[float]]]:
        """[features][layers][banks] of the architecture, of one size for all; feature 0 is 1 where the layer
        reads the bank."""
        ...

    def list_reading(self, supernet: Supernet) -> list[tuple[int, Any]]:
        """The convolutions of the supernet that read banks, each with its layer from 0."""
        ...


class Graph(msgspec.Struct, frozen=True):
    """A labelled directed acyclic graph: `labels[i]` of node i, nodes in a topological order, edges
    (from, to). `groups[i]` is the part of the architecture node i belongs to ("block 3", ...). `kinds[i]` is
    the same for nodes that differ in size alone, such as sep3x3 and sep5x5; without `kinds`, each
    label is a kind of its own."""

    labels: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    groups: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


@runtime_checkable
class Graphs(Protocol):
    """The data-flow graph, which kernels compare and pictures draw."""

    def graph(self, architecture: Architecture) -> Graph: ...


@runtime_checkable
class GraphsAlone(Graphs, Protocol):
    """A `Graphs` whose space asks of nothing else: its answers number the nodes, as those of a column of
    graphs do, and say nothing more."""

    alone: bool
