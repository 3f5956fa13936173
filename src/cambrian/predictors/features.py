"""Architectures as sparse vectors: what is counted in their graph, and what was answered on their tree.

A vector is a mapping from a feature's name to its value; what is absent is 0. Distances between such
vectors are what kernels are made of.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log1p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cambrian.architecture import Architecture, questions
from cambrian.choices import Answer, Choice, Integer, OneOf, Real, SomeOf
from cambrian.paths import kind_of
from cambrian.predictors.paths import IDENTITIES, path_counts
from cambrian.spaces.knowledge import Graph, Graphs, know
from cambrian.spaces.space import Space

Vector = Mapping[Hashable, float]
Vectors = Sequence[Vector]
Array = NDArray[np.float64]
Singles = NDArray[np.float32]


class Whole(Sequence[Architecture]):
    """All architectures of a space, in an order. It is equal to itself alone, so that what is known of so
    many is found again without comparing them."""

    def __init__(self, architectures: Iterable[Architecture]) -> None:
        self._all = tuple(architectures)

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, place: Any) -> Any:
        return self._all[place]


@dataclass(frozen=True)
class Matrix:
    """Vectors as the rows of a sparse matrix of single precision."""

    columns: Mapping[Hashable, int]
    rows: Any
    norms: Singles
    """Squared, float[n]."""


def parts_of(space: Space) -> tuple[Callable[[Any, Architecture], Vector], ...]:
    """The parts of a description: the paths of the graph, where the space knows it, and the answers."""
    return (answers_of,) if know(space, Graphs) is None else (paths_of, answers_of)


def distances(space: Space, some: Sequence[Architecture], others: Sequence[Architecture]) -> list[Array]:
    """float[n, m] squared distances of `some` and `others` in each part of the description. Of a `Whole` they
    are kept column by column, in single precision."""
    if isinstance(some, Whole):
        columns = [_column(space, (some, other)) for other in others]
        return [np.stack(part, axis=1) for part in zip(*columns, strict=True)]
    return [
        compute_squared_distances([part(space, a) for a in some], [part(space, a) for a in others])
        for part in parts_of(space)
    ]


def answer_vector(space: Space, architecture: Architecture) -> Vector:
    """Two architectures that differ in one answer lie 1 apart: an answer of several is one-hot, a
    number or a depth is its place in its range, a subset one feature per option."""
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
            vector[path, answer] = 0.5**0.5
    return vector


def graph_vector(space: Space, architecture: Architecture) -> Vector:
    """log(1 + count) of every path, identities passed over: equal functions are equal vectors, and each
    further path of a kind says less."""
    counts = path_counts(graph_of(space, architecture), silent=IDENTITIES)
    return {path: log1p(count) for path, count in counts.items()}


def compute_squared_distances(some: Vectors, others: Vectors) -> Array:
    """float[n, m]: |x - y|^2 of every x of `some` and y of `others`."""
    apart: Array = _norms(some)[:, None] + _norms(others) - 2.0 * inner_products(some, others)
    return np.maximum(apart, 0.0)


def _norms(vectors: Vectors) -> Array:
    return np.array([sum(v * v for v in x.values()) for x in vectors])


def inner_products(some: Vectors, others: Vectors) -> Array:
    """float[n, m]: what every x of `some` and y of `others` have in common, summed."""
    columns = columns_of(others)
    product: Array = (_sparse(columns, some) @ _sparse(columns, others).T).toarray()
    return product


def _sparse(columns: Mapping[Hashable, int], vectors: Vectors) -> Any:
    """A row each; features without a column are left out."""
    from scipy.sparse import csr_array

    kept = [[(columns[k], v) for k, v in x.items() if k in columns] for x in vectors]
    start = np.cumsum([0, *map(len, kept)])
    index = np.fromiter((i for row in kept for i, _ in row), np.int64, start[-1])
    value = np.fromiter((v for row in kept for _, v in row), np.float64, start[-1])
    return csr_array((value, index, start), shape=(len(vectors), max(len(columns), 1)))


def columns_of(vectors: Vectors) -> dict[Hashable, int]:
    """A column for every feature somebody has, in the order met."""
    return {name: i for i, name in enumerate(dict.fromkeys(name for x in vectors for name in x))}


def dense(columns: Mapping[Hashable, int], vectors: Vectors, absent: float = 0.0) -> Array:
    """float[n, features]; features without a column are left out."""
    rows = np.full((len(vectors), len(columns)), absent)
    for row, vector in zip(rows, vectors, strict=True):
        for name, value in vector.items():
            if name in columns:
                row[columns[name]] = value
    return rows


def memoise(function: Callable[[Any, Any], Any], size: int = 1 << 14) -> Callable[..., Any]:
    """`function(space, what)`, not computed twice for the `size` last asked for; a space that cannot be a
    key is asked every time."""
    cached = lru_cache(size)(function)

    def lookup(space: Any, what: Any) -> Any:
        try:
            hash(space)
        except TypeError:
            return function(space, what)
        return cached(space, what)

    return lookup


answers_of = memoise(answer_vector)
paths_of = memoise(graph_vector)


def _describe(space: Any, whole: Whole) -> list[Matrix]:
    matrices = []
    for part in parts_of(space):
        vectors = [part(space, a) for a in whole]
        columns = columns_of(vectors)
        rows = _sparse(columns, vectors).astype(np.float32)
        matrices.append(Matrix(columns, rows, _norms(vectors).astype(np.float32)))
    return matrices


def _from_whole(space: Any, pair: tuple[Whole, Architecture]) -> list[Singles]:
    """float[n] squared distances of all architectures from one, in each part of the description."""
    whole, other = pair
    found = []
    for matrix, part in zip(_matrices(space, whole), parts_of(space), strict=True):
        vector = part(space, other)
        point = dense(matrix.columns, [vector])[0].astype(np.float32)
        norm = np.float32(sum(v * v for v in vector.values()))
        found.append(np.maximum(matrix.norms + norm - 2 * (matrix.rows @ point), np.float32(0)))
    return found


_matrices = memoise(_describe, 4)
_column = memoise(_from_whole, 512)


@memoise
def graph_of(space: Space, architecture: Architecture) -> Graph:
    """The data-flow graph; of a space without one, its tree of answers: a node per answer, children
    under the longest path that is a part of theirs."""
    known = know(space, Graphs)
    if known is not None:
        return known.graph(architecture)
    return answer_tree(architecture, questions(space, architecture))


def answer_tree(architecture: Architecture, asked: Iterable[Choice] = ()) -> Graph:
    """The tree of `a/b/c` paths as a graph from its root: a node per part of a path, a leaf per answer. Of
    one kind are parts that differ in an index, as the questions `asked` have it, and numbers.

    >>> answer_tree(Architecture({"block1/op": "conv"}))
    ... # doctest: +NORMALIZE_WHITESPACE
    Graph(labels=('architecture', 'block1', 'op', 'conv'), edges=((0, 1), (1, 2), (2, 3)), groups=(),
          kinds=('architecture', 'block1', 'op', 'conv'))
    """
    kind_at = {choice.path: kind_of(choice.parts or (choice.path,)) for choice in asked}
    labels, edges, number = ["architecture"], list[tuple[int, int]](), {"": 0}
    kinds = ["architecture"]
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
    """One for all numbers; a text, or a truth, is a kind of its own."""
    if isinstance(answer, tuple):
        return " ".join(map(_kind_of_answer, answer))
    number = isinstance(answer, int | float) and not isinstance(answer, bool)
    return kind_of((0 if number else str(answer),))
