"""An exact canonical form for labelled directed graphs of any shape: nodes are told apart by their
neighbours as far as that goes (colour refinement), then one of those that are left is singled out, and
so on; of all ways to single out, the least form counts (McKay & Piperno 2014, arXiv 1301.1493, Sec. 2).

Where two of the nodes to single out lead to a form that is the same, an automorphism exchanges them, and
one is enough. So what graphs of motifs are full of, twins and equal branches, costs little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Form = tuple[tuple[int, int, int], ...]
Neighbours = list[list[tuple[int, int]]]  # per node: (neighbour, multiplicity)


def canonical_graph(labels: Sequence[str], edges: Mapping[tuple[int, int], int]) -> str:
    """Equal for isomorphic graphs only: labels, and edges (from, to) with their multiplicities.

    >>> canonical_graph("ab", {(0, 1): 2}) == canonical_graph("ba", {(1, 0): 2})
    True
    >>> canonical_graph("ab", {(0, 1): 2}) == canonical_graph("ab", {(0, 1): 1})
    False
    """
    before: Neighbours = [[] for _ in labels]
    after: Neighbours = [[] for _ in labels]
    for (a, b), times in edges.items():
        before[b].append((a, times))
        after[a].append((b, times))
    ranks = {label: n for n, label in enumerate(sorted(set(labels)))}
    form = _Search(before, after).least([ranks[label] for label in labels])
    return " ".join([*sorted(labels), *(f"{a}-{b}" + f"*{n}" * (n > 1) for a, b, n in form)])


class _Search:
    def __init__(self, before: Neighbours, after: Neighbours) -> None:
        self.before, self.after = before, after

    def least(self, colours: list[int]) -> Form:
        """The least form of all orders of the nodes that agree with the colours."""
        colours = self._refined(colours)
        found: dict[Form, Form] = {}  # first form below a node -> least form below it
        for node in _open(colours):
            split = _single_out(colours, node)
            first = self._first(split)
            if first not in found:
                found[first] = self.least(split)
        return min(found.values()) if found else self._form(colours)

    def _first(self, colours: list[int]) -> Form:
        """The form where always the first node is singled out."""
        colours = self._refined(colours)
        while nodes := _open(colours):
            colours = self._refined(_single_out(colours, nodes[0]))
        return self._form(colours)

    def _refined(self, colours: list[int]) -> list[int]:
        """Colours that tell apart, beyond what these do, nodes whose neighbours' colours differ; their
        order continues the old one."""
        kinds = len(set(colours))
        while True:
            signs = [
                (
                    colour,
                    tuple(sorted((colours[a], n) for a, n in self.before[node])),
                    tuple(sorted((colours[a], n) for a, n in self.after[node])),
                )
                for node, colour in enumerate(colours)
            ]
            ranks = {sign: n for n, sign in enumerate(sorted(set(signs)))}
            colours = [ranks[sign] for sign in signs]
            if len(ranks) == kinds:
                return colours
            kinds = len(ranks)

    def _form(self, colours: list[int]) -> Form:
        return tuple(
            sorted((colours[a], colours[b], n) for a, around in enumerate(self.after) for b, n in around)
        )


def _open(colours: list[int]) -> list[int]:
    """The nodes of the first colour that several have."""
    several = [colour for colour in set(colours) if colours.count(colour) > 1]
    return [node for node, colour in enumerate(colours) if colour == min(several)] if several else []


def _single_out(colours: list[int], node: int) -> list[int]:
    return [2 * colour - (n == node) for n, colour in enumerate(colours)]
