"""Which data-flow graphs are the same: an exact canonical text for labelled acyclic graphs.

Nodes are distinguished by their labels, their inputs and their readers, again and again until no more
of them differ (colour refinement; Weisfeiler & Lehman 1968). Where some stay alike, each of them in turn
is individualised, and the least text counts (McKay & Piperno 2014, arXiv 1301.1493, Sec. 2).

Of nodes with the very same neighbours one is enough; and where setting two of them apart leads to one and
the same text, an automorphism exchanges them, so that one is enough again. Twins and equal branches, which
such graphs are full of, cost little.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Inputs = Sequence[Sequence[int]]


def canonical_graph(labels: Sequence[str], inputs: Inputs, ordered: Sequence[bool] | None = None) -> str:
    """Equal for isomorphic graphs and for no others. Node i reads `inputs[i]`, some perhaps more than once,
    in that order where `ordered[i]`, else in any.

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
                # Where the order of inputs makes no difference all slots are 0, and so look alike.
                self.reads[node].append((slot * ordered[node], source))
                self.read_by[source].append((slot * ordered[node], node))

    def least(self, colours: list[int]) -> str:
        """The least text over all ways to individualise nodes that refinement leaves alike."""
        colours = self._refine(colours)
        alike = self._different(_first_alike(colours))
        if len(alike) == 1:
            return self.least(_apart(colours, alike[0]))
        least_below: dict[str, str] = {}  # first text below a node -> least text below it
        for node in alike:
            apart = _apart(colours, node)
            # Equal first texts prove an automorphism (McKay & Piperno 2014, Sec. 2): one branch is enough.
            first = self._first(apart)
            if first not in least_below:
                least_below[first] = self.least(apart)
        return min(least_below.values()) if least_below else self._text(colours)

    def _first(self, colours: list[int]) -> str:
        """The text when the first node alike is individualised each time."""
        colours = self._refine(colours)
        while alike := _first_alike(colours):
            colours = self._refine(_apart(colours, alike[0]))
        return self._text(colours)

    def _different(self, nodes: Sequence[int]) -> list[int]:
        """One node of each set of twins, which have exactly the same neighbours."""
        kinds = {(tuple(sorted(self.reads[n])), tuple(sorted(self.read_by[n]))): n for n in nodes}
        return list(kinds.values())

    def _refine(self, colours: list[int]) -> list[int]:
        while True:
            finer = _ranks([self._view(n, colours) for n in range(len(colours))])
            # A view contains the old colour, so classes only split: an equal count means a fixed point.
            if len(set(finer)) == len(set(colours)):
                return finer
            colours = finer

    def _view(self, node: int, colours: list[int]) -> tuple[Any, ...]:
        """A node's own colour, then those of its inputs and of its readers."""
        return (
            colours[node],
            tuple(sorted((slot, colours[n]) for slot, n in self.reads[node])),
            tuple(sorted((slot, colours[n]) for slot, n in self.read_by[node])),
        )

    def _text(self, names: list[int]) -> str:
        """The text of a graph whose colours all differ: every node in their order, and its inputs."""
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


def _apart(colours: Sequence[int], node: int) -> list[int]:
    # Doubling makes room for the node just below its class, and keeps the order of all others.
    return [2 * colour - (n == node) for n, colour in enumerate(colours)]
