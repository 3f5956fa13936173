"""Architectures as sparse vectors, of the paths in their graph and of the answers on their tree.

A vector is a mapping from a feature's name to its value; an absent feature is 0. Kernels are functions of
the distances between such vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import log1p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cambrian.architecture import Architecture, questions
from cambrian.choices import Answer, Choice, Integer, OneOf, Real, SomeOf
from cambrian.paths import kind_of
from cambrian.predictors.paths import IDENTITIES, path_counts
from cambrian.spaces.knowledge import Graph, Graphs, GraphsAlone, Lists, know
from cambrian.spaces.space import Space

Vector = Mapping[Hashable, float]
Vectors = Sequence[Vector]
Array = NDArray[np.float64]
Singles = NDArray[np.float32]


class Whole(Sequence[Architecture]):
    """All architectures of a space, in a fixed order. It is equal only to itself, so that a cache finds its
    entry without comparing thousands of architectures."""

    def __init__(self, architectures: Iterable[Architecture]) -> None:
        self._all = tuple(architectures)

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, place: Any) -> Any:
        return self._all[place]

    @cached_property
    def places(self) -> Mapping[Architecture, int]:
        """The place of each architecture."""
        return {architecture: place for place, architecture in enumerate(self._all)}


LISTED = 20_000
"""The longest list of architectures of which whole columns of distances or correlations are kept."""


def list_whole(space: Space, most: int = LISTED) -> Whole | None:
    """All architectures of a space that lists at most `most`, the same object each time; else None."""
    lists = know(space, Lists)
    if lists is None or lists.count > most:
        return None
    whole: Whole = _whole_of(space, None)
    return whole


@dataclass(frozen=True)
class Rows:
    """Architectures of a space that lists all of them: `whole` is the list."""

    space: Any
    whole: Whole
    architectures: Sequence[Architecture]

    def read(self, columns: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """The rows of these architectures in columns that have one for each of the list: an architecture that
        is compared with all of the list once need not be compared with parts of it again."""
        if self.architectures is not self.whole:
            places = [self.whole.places[a] for a in self.architectures]
            columns = [column[places] for column in columns]
        return np.stack(columns, axis=1)


def find_rows(space: Space, architectures: Sequence[Architecture], most: int = LISTED) -> Rows | None:
    """The architectures as rows of the space's list, where that has at most `most`."""
    whole = list_whole(space, most)
    return None if whole is None else Rows(space, whole, architectures)


def _list_anew(space: Space, _: None) -> Whole:
    lists = know(space, Lists)
    assert lists is not None  # as the caller has seen
    return Whole(lists.list_architectures())


@dataclass(frozen=True)
class Matrix:
    """Vectors as the rows of a sparse matrix of single precision."""

    columns: Mapping[Hashable, int]
    rows: Any
    norms: Singles
    """The squared norms float[n] of the rows."""

    def multiply(self, vector: Vector) -> Singles:
        """The inner products float[n] of the rows with a vector."""
        product: Singles = self.rows @ dense(self.columns, [vector])[0].astype(np.float32)
        return product


def parts_of(space: Space) -> tuple[Callable[[Any, Architecture], Vector], ...]:
    """The parts of a description: the paths of the graph, if the space has graphs, and the answers, unless
    they only number its nodes."""
    if know(space, Graphs) is None:
        return (answers_of,)
    return (paths_of,) if is_graph_alone(space) else (paths_of, answers_of)


def is_graph_alone(space: Space) -> bool:
    """Whether a space asks of nothing but its graph, so that its answers only number the nodes."""
    return know(space, GraphsAlone) is not None


def distances(space: Space, some: Sequence[Architecture], others: Sequence[Architecture]) -> list[Array]:
    """The squared distances float[n, m] of `some` and `others`, in each part of the description. Those of a
    `Whole` are cached column by column, in single precision."""
    if isinstance(some, Whole):
        columns = [_column(space, (some, other)) for other in others]
        return [np.stack(part, axis=1) for part in zip(*columns, strict=True)]
    return [
        compute_squared_distances([part(space, a) for a in some], [part(space, a) for a in others])
        for part in parts_of(space)
    ]


def answer_vector(space: Space, architecture: Architecture) -> Vector:
    """The answers as a vector, in which a different option of a question means a distance of 1. An answer
    among several options is one-hot, a number or a depth is its position in the range, a subset has
    one feature per option."""
    vector: dict[Hashable, float] = {}
    for choice in questions(space, architecture):
        path, answer = choice.path, architecture[choice.path]
        if isinstance(choice, Real):
            vector[path] = choice.fraction(float(answer))  # type: ignore[arg-type]
        elif isinstance(choice, Integer):
            vector[path] = (int(answer) - choice.low) / max(choice.high - choice.low, 1)  # type: ignore[arg-type]
        elif isinstance(choice, SomeOf):
            vector |= {(path, option): 1.0 for option in answer}  # type: ignore[union-attr]
        elif isinstance(choice, OneOf) and choice.depth:
            vector[path] = choice.options.index(answer) / max(choice.size - 1, 1)
        else:
            vector[path, answer] = 0.5**0.5  # two one-hot answers differ in two features: 1/2 + 1/2
    return vector


def graph_vector(space: Space, architecture: Architecture) -> Vector:
    """log(1 + count) of every path, without identities: equal functions are equal vectors, and each
    further path of a kind adds less."""
    counts = path_counts(graph_of(space, architecture), silent=IDENTITIES)
    return {path: log1p(count) for path, count in counts.items()}


def compute_squared_distances(some: Vectors, others: Vectors) -> Array:
    """float[n, m]: |x - y|^2 of every x of `some` and y of `others`."""
    # |x|^2 + |y|^2 - 2 x.y: one sparse product. Rounding may take equal vectors below 0.
    apart: Array = _norms(some)[:, None] + _norms(others) - 2.0 * inner_products(some, others)
    return np.maximum(apart, 0.0)


def _norms(vectors: Vectors) -> Array:
    return np.array([sum(v * v for v in x.values()) for x in vectors])


def inner_products(some: Vectors, others: Vectors) -> Array:
    """float[n, m]: the inner product of every x of `some` and y of `others`."""
    # A feature that no vector of `others` has adds nothing to any product.
    columns = columns_of(others)
    product: Array = (_sparse(columns, some) @ _sparse(columns, others).T).toarray()
    return product


def _sparse(columns: Mapping[Hashable, int], vectors: Vectors) -> Any:
    """The vectors as rows of a sparse matrix; features without a column are left out."""
    from scipy.sparse import csr_array

    kept = [[(columns[k], v) for k, v in x.items() if k in columns] for x in vectors]
    start = np.cumsum([0, *map(len, kept)])
    index = np.fromiter((i for row in kept for i, _ in row), np.int64, start[-1])
    value = np.fromiter((v for row in kept for _, v in row), np.float64, start[-1])
    return csr_array((value, index, start), shape=(len(vectors), max(len(columns), 1)))


def columns_of(vectors: Vectors) -> dict[Hashable, int]:
    """A column for every feature of the vectors, in the order of their first occurrence."""
    return {name: i for i, name in enumerate(dict.fromkeys(name for x in vectors for name in x))}


def dense(columns: Mapping[Hashable, int], vectors: Vectors, absent: float = 0.0) -> Array:
    """The vectors as float[n, features]; features without a column are left out."""
    rows = np.full((len(vectors), len(columns)), absent)
    for row, vector in zip(rows, vectors, strict=True):
        for name, value in vector.items():
            if name in columns:
                row[columns[name]] = value
    return rows


def memoise(function: Callable[[Any, Any], Any], size: int = 1 << 14) -> Callable[..., Any]:
    """`function(space, key)` with a cache of the `size` last results. A space that cannot be hashed is not
    cached."""
    cached = lru_cache(size)(function)

    def lookup(space: Any, key: Any) -> Any:
        # Only the space is tried: a TypeError of the function itself must come through.
        try:
            hash(space)
        except TypeError:
            return function(space, key)
        return cached(space, key)

    return lookup


answers_of = memoise(answer_vector)
_whole_of = memoise(_list_anew, 4)
paths_of = memoise(graph_vector)


def matrix_of(vectors: Vectors) -> Matrix:
    columns = columns_of(vectors)
    rows = _sparse(columns, vectors).astype(np.float32)
    return Matrix(columns, rows, _norms(vectors).astype(np.float32))


def _describe(space: Any, whole: Whole) -> list[Matrix]:
    return [matrix_of([part(space, a) for a in whole]) for part in parts_of(space)]


def _from_whole(space: Any, pair: tuple[Whole, Architecture]) -> list[Singles]:
    """The squared distances float[n] of all architectures from one, in each part of the description."""
    whole, other = pair
    distances = []
    for matrix, part in zip(_matrices(space, whole), parts_of(space), strict=True):
        vector = part(space, other)
        norm = np.float32(sum(v * v for v in vector.values()))
        distances.append(np.maximum(matrix.norms + norm - 2 * matrix.multiply(vector), np.float32(0)))
    return distances


_matrices = memoise(_describe, 4)
_column = memoise(_from_whole, 512)


@memoise
def graph_of(space: Space, architecture: Architecture) -> Graph:
    """The data-flow graph of an architecture; in a space without graphs, its tree of answers (see
    `answer_tree`)."""
    graphs = know(space, Graphs)
    if graphs is not None:
        return graphs.graph(architecture)
    return answer_tree(architecture, questions(space, architecture))


def answer_tree(architecture: Architecture, asked: Iterable[Choice] = ()) -> Graph:
    """The tree of `a/b/c` paths as a graph from its root, with a node for each part of a path and a leaf for
    each answer. Parts that differ only in an index (see the `parts` of the questions `asked`) have the same
    kind, and so have all numbers.

    >>> answer_tree(Architecture({"block1/op": "conv"}))
    ... # doctest: +NORMALIZE_WHITESPACE
    Graph(labels=('architecture', 'block1', 'op', 'conv'), edges=((0, 1), (1, 2), (2, 3)), groups=(),
          kinds=('architecture', 'block1', 'op', 'conv'))
    """
    kind_at = {choice.path: kind_of(choice.parts or (choice.path,)) for choice in asked}
    labels, edges, number = ["architecture"], list[tuple[int, int]](), {"": 0}
    kinds = ["architecture"]
    # The root is "" in `number`; every prefix of a path gets a node the first time it occurs.
    for path, answer in architecture.items():
        parts, above = path.split("/"), 0
        kinds_here = kind_at.get(path, kind_of((path,))).split("/")  # as many: an index has no slash
        for depth, (part, kind) in enumerate(zip(parts, kinds_here, strict=True), 1):
            prefix = "/".join(parts[:depth])
            if prefix not in number:
                number[prefix] = len(labels)
                labels.append(part)
                kinds.append(kind)
                edges.append((above, number[prefix]))
            above = number[prefix]
        edges.append((above, len(labels)))
        labels.append(str(answer))
        kinds.append(_kind_of_answer(answer))
    return Graph(tuple(labels), tuple(edges), kinds=tuple(kinds))


def _kind_of_answer(answer: Answer) -> str:
    """The kind of an answer: one for all numbers, and one for each text or truth value."""
    if isinstance(answer, tuple):
        return " ".join(map(_kind_of_answer, answer))
    number = isinstance(answer, int | float) and not isinstance(answer, bool)
    return kind_of((0 if number else str(answer),))
