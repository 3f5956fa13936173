"""Architectures as sparse vectors: what is counted in their graph, and what was answered on their tree.

A vector is a mapping from a feature's name to its value; what is absent is 0. Array between such
vectors are what kernels are made of.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cambrian.architecture import Architecture, questions
from cambrian.choices import Integer, OneOf, Real, SomeOf
from cambrian.predictors.paths import path_counts
from cambrian.spaces.space import Graph, Graphs, Space

Vector = Mapping[Hashable, float]
Vectors = Sequence[Vector]
Array = NDArray[np.float64]


def describe(space: Space, architectures: Sequence[Architecture]) -> tuple[list[Vector], ...]:
    """Per part of the description a vector for each architecture: the paths of its graph, where the
    space tells it, and its answers."""
    parts: list[Callable[[Any, Architecture], Vector]] = [answers_of]
    if isinstance(space, Graphs):
        parts.insert(0, paths_of)
    return tuple([part(space, a) for a in architectures] for part in parts)


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


def graph_vector(space: Graphs, architecture: Architecture) -> Vector:
    return {path: float(count) for path, count in path_counts(space.graph(architecture)).items()}


def squared_distances(some: Vectors, others: Vectors) -> Array:
    """float[n, m]: |x - y|^2 of every x of `some` and y of `others`."""
    norms = [np.array([sum(v * v for v in x.values()) for x in xs]) for xs in (some, others)]
    apart: Array = norms[0][:, None] + norms[1] - 2.0 * inner_products(some, others)
    return np.maximum(apart, 0.0)


def inner_products(some: Vectors, others: Vectors) -> Array:
    """float[n, m]: what every x of `some` and y of `others` have in common, summed."""
    from scipy.sparse import csr_array

    column = columns_of(others)

    def rows(vectors: Vectors) -> Any:
        kept = [[(column[k], v) for k, v in x.items() if k in column] for x in vectors]
        start = np.cumsum([0, *map(len, kept)])
        flat = [pair for row in kept for pair in row]
        index, value = np.array([i for i, _ in flat], np.int64), np.array([v for _, v in flat])
        return csr_array((value, index, start), shape=(len(vectors), max(len(column), 1)))

    product: Array = (rows(some) @ rows(others).T).toarray()
    return product


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


def remembered(function: Callable[[Any, Architecture], Any], size: int = 1 << 14) -> Callable[..., Any]:
    """`function(space, architecture)`, not computed twice for the `size` last asked for; a space that
    cannot be a key is asked every time."""
    cached = lru_cache(size)(function)

    def lookup(space: Any, architecture: Architecture) -> Any:
        try:
            hash(space)
        except TypeError:
            return function(space, architecture)
        return cached(space, architecture)

    return lookup


answers_of = remembered(answer_vector)
paths_of = remembered(graph_vector)


@remembered
def graph_of(space: Graphs, architecture: Architecture) -> Graph:
    """The data-flow graph; of a space without one, its tree of answers: a node per answer, children
    under the longest path that is a part of theirs."""
    if isinstance(space, Graphs):
        return space.graph(architecture)
    return answer_tree(architecture)


def answer_tree(architecture: Architecture) -> Graph:
    """The tree of `a/b/c` paths as a graph from its root: a node per part of a path, a leaf per answer.

    >>> answer_tree(Architecture({"block1/op": "conv"}))
    Graph(labels=('architecture', 'block1', 'op', 'conv'), edges=((0, 1), (1, 2), (2, 3)), groups=())
    """
    labels, edges, number = ["architecture"], list[tuple[int, int]](), {"": 0}
    for path, answer in architecture.items():
        parts, above = path.split("/"), 0
        for depth, part in enumerate(parts, 1):
            prefix = "/".join(parts[:depth])
            if prefix not in number:
                number[prefix] = len(labels)
                labels.append(part)
                edges.append((above, number[prefix]))
            above = number[prefix]
        edges.append((above, len(labels)))
        labels.append(str(answer))
    return Graph(tuple(labels), tuple(edges))
