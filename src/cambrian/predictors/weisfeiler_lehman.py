"""The Weisfeiler-Lehman subtree features of labelled graphs (Shervashidze et al., JMLR 2011).

A node's name is its label at first, then its name and those of the nodes that feed it, over and over.
Graphs are compared by how often each name occurs: isomorphic graphs cannot differ.
"""

from __future__ import annotations

import hashlib
from collections import Counter

from cambrian.spaces.space import Graph


def subtree_counts(graph: Graph, rounds: int) -> list[Counter[str]]:
    """`rounds + 1` counts of names: of the labels, then of what each round of renaming gave."""
    feeding: list[list[int]] = [[] for _ in graph.labels]
    for source, to in graph.edges:
        feeding[to].append(source)
    names = list(graph.labels)
    counts = [Counter(names)]
    for _ in range(rounds):
        names = [_name(own, sorted(names[i] for i in of)) for own, of in zip(names, feeding, strict=True)]
        counts.append(Counter(names))
    return counts


def _name(own: str, fed_by: list[str]) -> str:
    """Sixteen hexadecimal digits: names stay short, whatever the number of rounds."""
    return hashlib.blake2b(repr((own, fed_by)).encode(), digest_size=8).hexdigest()
