"""Which data-flow graphs are the same: an exact canonical text for labelled acyclic graphs.

Nodes are told apart by what they are, what they read and who reads them, over and over until that tells no
more of them apart (colour refinement; Weisfeiler & Lehman 1968). Where some stay alike, each of them in turn
is set apart and the least text counts; of nodes with the very same neighbours one is enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Inputs = Sequence[Sequence[int]]


def canonical_graph(labels: Sequence[str], inputs: Inputs, ordered: Sequence[bool] | None = None) -> str:
    """Equal for isomorphic graphs and for no others. Node i reads `inputs[i]`, in that order where
    `ordered[i]`, else in any.

    >>> canonical_graph(("in", "a", "b", "+"), ((), (0,), (0,), (1, 2)))
    '+<1,2 a<3 b<3 in<'
    >>> canonical_graph(("in", "b", "a", "+"), ((), (0,), (0,), (2, 1)))
    '+<1,2 a<3 b<3 in<'
    """
    kept = [False] * len(labels) if ordered is None else ordered
    return _Graph(labels, inputs, kept).least(_ranks(list(labels)))


class _Graph:
    def __init__(self, labels: Sequence[str], inputs: Inputs, ordered: Sequence[bool]) -> None:
        self.labels, self.inputs, self.ordered = labels, inputs, ordered
        self.reads: list[list[tuple[int, int]]] = [[] for _ in labels]  # (slot, node)
        self.read_by: list[list[tuple[int, int]]] = [[] for _ in labels]
        for node, sources in enumerate(inputs):
            for slot, source in enumerate(sources):
                self.reads[node].append((slot * ordered[node], source))
                self.read_by[source].append((slot * ordered[node], node))

    def least(self, colours: list[int]) -> str:
        """The least text over all ways to tell apart what refinement cannot."""
        colours = self._refined(colours)
        alike = _first_alike(colours)
        if not alike:
            return self._text(colours)
        different = {(tuple(sorted(self.reads[n])), tuple(sorted(self.read_by[n]))): n for n in alike}
        texts = []
        for node in different.values():
            apart = [2 * c for c in colours]
            apart[node] -= 1
            texts.append(self.least(apart))
        return min(texts)

    def _refined(self, colours: list[int]) -> list[int]:
        while True:
            finer = _ranks([self._seen(n, colours) for n in range(len(colours))])
            if len(set(finer)) == len(set(colours)):
                return finer
            colours = finer

    def _seen(self, node: int, colours: list[int]) -> tuple[Any, ...]:
        """A node's own colour, then what it reads and who reads it."""
        return (
            colours[node],
            tuple(sorted((slot, colours[n]) for slot, n in self.reads[node])),
            tuple(sorted((slot, colours[n]) for slot, n in self.read_by[node])),
        )

    def _text(self, names: list[int]) -> str:
        """With all colours different: every node in their order, and what it reads."""
        lines = []
        for node in sorted(range(len(names)), key=names.__getitem__):
            read = [names[n] for n in self.inputs[node]]
            read = read if self.ordered[node] else sorted(read)
            lines.append(f"{self.labels[node]}<{','.join(map(str, read))}")
        return " ".join(lines)


def _ranks(keys: list[Any]) -> list[int]:
    """The place of each key among the different ones, in their order."""
    place = {key: n for n, key in enumerate(sorted(set(keys)))}
    return [place[key] for key in keys]


def _first_alike(colours: list[int]) -> list[int]:
    """The nodes of the least colour that several have."""
    shared = [c for c in colours if colours.count(c) > 1]
    return [n for n, c in enumerate(colours) if shared and c == min(shared)]
