"""The knowledge of a joint space: that of its space of networks, with the training as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cambrian.architecture import Architecture
from cambrian.choices import Answer
from cambrian.spaces.budgets import HasPaperSearch, HasPortfolio, PaperSearch, Scales, Shortens, Size
from cambrian.spaces.knowledge import (
    Canonical,
    Encodes,
    Graph,
    Graphs,
    Grows,
    Morphs,
    Moves,
    Pool,
    Settles,
    know,
)
from cambrian.spaces.space import Signature

if TYPE_CHECKING:
    from cambrian.spaces.joint.space import Joint

RETRAIN = "retrain"


def list_knowledge(joint: Joint) -> tuple[object, ...]:
    """An object for each protocol by which the space of networks is known."""
    known = {protocol: know(joint.networks, protocol) for protocol in JOINED}
    return tuple(JOINED[protocol](joint, inner) for protocol, inner in known.items() if inner is not None)


@dataclass(frozen=True)
class _Joined:
    """`inner` knows the networks of `joint`."""

    joint: Joint
    inner: Any

    def _strip(self, architecture: Architecture) -> Architecture:
        return self.joint.strip(architecture)

    def _join(self, network: Mapping[str, Answer] | None, like: Mapping[str, Answer]) -> Architecture | None:
        """The network with the training of `like`."""
        return None if network is None else Architecture({**network, **self.joint.read_training(like)})


class JointCanonical(_Joined):
    def canonical(self, architecture: Architecture) -> str:
        network = self.inner.canonical(self._strip(architecture))
        return f"{network} {self.joint.read_training(architecture)}"


class JointGraphs(_Joined):
    def graph(self, architecture: Architecture) -> Graph:
        """That of the network: a training has none."""
        graph: Graph = self.inner.graph(self._strip(architecture))
        return graph


class JointMoves(_Joined):
    @property
    def moves(self) -> tuple[str, ...]:
        return tuple(self.inner.moves)

    def move(self, kind: str, architecture: Architecture, rng: np.random.Generator) -> Architecture | None:
        return self._join(self.inner.move(kind, self._strip(architecture), rng), architecture)


class JointMorphs(_Joined):
    """The morphisms of the network, and "retrain": the next value of one setting of the training, which
    leaves the network as it is."""

    @property
    def morphs(self) -> tuple[str, ...]:
        return (*self.inner.morphs, RETRAIN)

    @property
    def shrinks(self) -> tuple[str, ...]:
        return tuple(self.inner.shrinks)

    def morph(self, kind: str, architecture: Architecture, rng: np.random.Generator) -> Architecture | None:
        if kind == RETRAIN:
            steps = _list_steps(self.joint, architecture)
            return steps[int(rng.integers(len(steps)))] if steps else None
        return self._join(self.inner.morph(kind, self._strip(architecture), rng), architecture)


class JointSettles(_Joined):
    def list_settled(self, architecture: Architecture) -> tuple[str, ...]:
        return (*self.inner.list_settled(self._strip(architecture)), *self.joint.paths)


class JointScales(_Joined):
    @property
    def sizes(self) -> tuple[Size, ...]:
        return tuple(self.inner.sizes)


class JointPaperSearch(_Joined):
    @property
    def paper_search(self) -> PaperSearch:
        paper: PaperSearch = self.inner.paper_search
        return paper


class JointShortens(_Joined):
    def up_to(self, level: int) -> Joint:
        return replace(self.joint, space=self.inner.up_to(level))


class JointPortfolio(_Joined):
    @property
    def portfolio(self) -> Mapping[str, Architecture]:
        """Each network with the usual training."""
        usual = self.joint.usual
        return {name: Architecture({**net, **usual}) for name, net in self.inner.portfolio.items()}

    def read_size(self, task: Signature) -> Size:
        size: Size = self.inner.read_size(task)
        return size


class JointEncoding(_Joined):
    """Each step of tokens ends with those of the training, one slot for each setting."""

    @property
    def slots(self) -> tuple[str, ...]:
        return (*self.inner.slots, *self.joint.paths)

    @property
    def vocabulary(self) -> Mapping[str, int]:
        counts = {f"train.{name}": len(values) for name, values in self.joint.training.items()}
        return {**self.inner.vocabulary, **counts}

    def tokens(self, architectures: Sequence[Architecture]) -> NDArray[np.int64]:
        networks = self.inner.tokens([self._strip(a) for a in architectures])
        trainings = np.array([index_training(self.joint, a) for a in architectures], dtype=np.int64)
        steps = np.repeat(trainings.reshape(len(architectures), 1, -1), networks.shape[1], axis=1)
        # Beyond an architecture's own steps there is nothing of its training either.
        steps[(networks == -1).all(axis=2)] = -1
        return np.concatenate([networks, steps], axis=2)


class JointGrowth(_Joined):
    """Growth of the networks: a child has its parent's training, and the first level has every one."""

    @property
    def levels(self) -> tuple[int, ...]:
        return tuple(self.inner.levels)

    def level(self, architecture: Architecture) -> int:
        return int(self.inner.level(self._strip(architecture)))

    def grow(self, parents: Sequence[Architecture], rng: np.random.Generator, cap: int | None = None) -> Pool:
        if parents:
            groups = self._group(parents)
            pools = [self.inner.grow([self._strip(p) for p, _ in group], rng, cap) for group in groups]
        else:
            trainings = self.joint.list_trainings()
            groups = [[(Architecture(training), -1)] for training in trainings]
            pools = [self.inner.grow((), rng, cap)] * len(groups)
        return _limit(self._merge(parents, groups, pools), rng, cap)

    def _group(self, parents: Sequence[Architecture]) -> list[list[tuple[Architecture, int]]]:
        """The parents with their places, by their trainings: networks that are the same function, trained in
        two ways, have children of both."""

        def index(member: tuple[Architecture, int]) -> list[int]:
            return index_training(self.joint, member[0])

        members = sorted(((parent, place) for place, parent in enumerate(parents)), key=index)
        return [list(group) for _, group in groupby(members, index)]

    def _merge(
        self,
        parents: Sequence[Architecture],
        groups: Sequence[Sequence[tuple[Architecture, int]]],
        pools: Sequence[Pool],
    ) -> Pool:
        """One pool of those of all groups."""
        places = [np.array([place for _, place in group], dtype=np.int64) for group in groups]
        counts = np.cumsum([0, *map(len, pools)])
        tokens = [index_training(self.joint, group[0][0]) for group in groups]
        steps = [
            np.concatenate([pool.step, np.tile(row, (len(pool), 1)).astype(np.int64)], axis=1)
            for pool, row in zip(pools, tokens, strict=True)
        ]

        def materialise(i: int) -> Architecture:
            group = int(np.searchsorted(counts, i, side="right")) - 1
            child = self._join(pools[group].architecture(i - int(counts[group])), groups[group][0][0])
            assert child is not None
            return child

        own = [
            place[pool.parent] if parents else pool.parent for place, pool in zip(places, pools, strict=True)
        ]
        return Pool(
            tuple(parents),
            np.concatenate(own),
            np.concatenate(steps),
            sum(pool.before for pool in pools),
            all(pool.complete for pool in pools),
            materialise,
        )


def _limit(pool: Pool, rng: np.random.Generator, cap: int | None) -> Pool:
    """The pool, or a sample of `cap` of its children."""
    if cap is None or len(pool) <= cap:
        return pool
    chosen = np.sort(rng.choice(len(pool), cap, replace=False))
    step, parent = pool.step[chosen], pool.parent[chosen]

    def materialise(i: int) -> Architecture:
        return pool.architecture(int(chosen[i]))

    return Pool(pool.parents, parent, step, pool.before, False, materialise)


def _list_steps(joint: Joint, architecture: Architecture) -> list[Architecture]:
    """The architecture with each of the settings one value up or down."""
    rows = zip(joint.paths, joint.training.values(), index_training(joint, architecture), strict=True)
    return [
        Architecture({**architecture, path: values[place + step]})
        for path, values, place in rows
        for step in (-1, 1)
        if 0 <= place + step < len(values)
    ]


def index_training(joint: Joint, architecture: Mapping[str, Answer]) -> list[int]:
    """The place of each answer about the training among its values."""
    rows = joint.training.items()
    return [values.index(architecture[f"train.{name}"]) for name, values in rows]


JOINED: dict[type, Callable[[Joint, Any], object]] = {
    Grows: JointGrowth,
    Settles: JointSettles,
    Encodes: JointEncoding,
    Canonical: JointCanonical,
    Graphs: JointGraphs,
    Moves: JointMoves,
    Morphs: JointMorphs,
    Scales: JointScales,
    Shortens: JointShortens,
    HasPaperSearch: JointPaperSearch,
    HasPortfolio: JointPortfolio,
}
"""The joint knowledge by the protocol of the networks' own."""
