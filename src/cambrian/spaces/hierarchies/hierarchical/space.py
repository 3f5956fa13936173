"""Hierarchical representations (Liu et al., ICLR 2018, arXiv 1711.00436, Sec. 2): motifs of primitives,
a cell of motifs.

Every level above the first holds graphs with an operation of the level below on every edge, or none. Edges
that meet at a node are concatenated by depth (Sec. 2.1); a motif that is not the cell ends in a 1x1
convolution to as many channels as it reads (Sec. 4.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from cambrian.architecture import Architecture
from cambrian.choices import Answer
from cambrian.errors import SpaceError
from cambrian.options import shorten
from cambrian.paths import Parts, Path, at
from cambrian.spaces.bounds import check_bounds
from cambrian.spaces.budgets import list_sizes
from cambrian.spaces.growth.depth_growth import DepthGrowth
from cambrian.spaces.hierarchies.hierarchical.motifs import NONE, Motif, live, motif_graph, motif_text
from cambrian.spaces.small_images import small
from cambrian.spaces.space import Graph, Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.sharing.reading import Reading
    from cambrian.spaces.hierarchies.hierarchical.network import Form, Plan

LEVELS, MOTIFS, NODES = 3, 12, 11  # at most: the paper has two levels, 6 motifs, 5 nodes; 11 in a flat cell
SETTINGS = ("filters", "cells")


@dataclass(frozen=True)
class Hierarchical(Space):
    """`motifs` of every level between the primitives and the cell, `nodes` of each of them and, last, of
    the cell. So `motifs=(), nodes=(11,)` is the paper's flat representation.

    A level of growth is a number of nodes of the cell, from `least` on, all motifs being there from the
    first. The paper's cells all have the most nodes (`paper`). Where its evolution begins is the first
    answer to every question, a chain of identities; after a thousand mutations, one answer each, each of
    the 46 has been drawn anew some twenty times, so that the measure is uniform but for rejected cells.
    (The paper mutates a random level first, which this space leaves to the strategy.)"""

    skeleton = SETTINGS
    sizes = list_sizes(filters=(8, 16, 16, 32, 64), cells=(1, 1, 2, 2, 2))

    primitives: ClassVar[tuple[str, ...]] = ("identity", "conv1x1", "dw3x3", "sep3x3", "max3x3", "avg3x3")

    motifs: tuple[int, ...] = (6,)
    nodes: tuple[int, ...] = (4, 5)
    least: int = 2

    measure = "uniform over answers, question by question, of cells whose output is reached"

    def __post_init__(self) -> None:
        check_bounds("hierarchical", MOTIFS, motifs=self.motifs)
        check_bounds("hierarchical", NODES, 2, nodes=self.nodes)
        if not 1 <= len(self.nodes) == len(self.motifs) + 1 <= LEVELS:
            raise SpaceError(
                "space 'hierarchical': expected as many numbers of nodes as of motifs and one for the cell, "
                f"{LEVELS} at most, got motifs={shorten(self.motifs)} and nodes={shorten(self.nodes)}"
            )
        check_bounds("hierarchical", self.nodes[-1], 2, least=self.least)

    @staticmethod
    def paper() -> Hierarchical:
        """Six motifs of four nodes, a cell of five (Sec. 4.1)."""
        return Hierarchical(least=5)

    def size(self) -> int:
        """The number of answers for the largest cell, including those in which nothing is reached.

        >>> Hierarchical().size() == 7**46
        True
        """
        answers, below = 1, len(self.primitives)
        for motifs, nodes in zip((*self.motifs, 1), self.nodes, strict=True):
            answers *= (below + 1) ** (motifs * _pairs(nodes))
            below = motifs
        return answers

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (DepthGrowth(self),)

    def program(self, pick: Pick) -> None:
        answers: dict[str, Answer] = {}
        below = self.primitives
        for level, (motifs, nodes) in enumerate(zip(self.motifs, self.nodes), 2):
            for m in range(1, motifs + 1):
                _ask_edges(pick, ("level", level, "/motif", m), nodes, below, answers)
            below = tuple(f"motif{m}" for m in range(1, motifs + 1))
        nodes = answers["nodes"] = pick.depth("nodes", self.least, self.nodes[-1])
        _ask_edges(pick, ("cell",), nodes, below, answers)
        pick.require(self.cell(answers), "nothing reaches the output of the cell")

    def cell(self, answers: Mapping[str, Answer]) -> Motif:
        """The cell, as far as it is alive; empty where its output is not reached."""
        return self._motif(answers, "cell", int(answers["nodes"]), len(self.motifs) + 1)  # type: ignore[arg-type]

    def _motif(self, answers: Mapping[str, Answer], path: str, nodes: int, level: int) -> Motif:
        """The motif at a path, as far as it is alive, made of the motifs of `level`, or of primitives (1)."""
        operations: list[str | Motif] = [str(answers[edge]) for edge in _edges(path, nodes)]
        if level > 1:
            # By name: a motif on several edges is made once.
            motifs = {
                name: self._motif(answers, f"level{level}/{name}", self.nodes[level - 2], level - 1)
                for name in set(operations) - {NONE}
            }
            motifs = {name: alive and _close(alive, self.nodes[level - 2]) for name, alive in motifs.items()}
            operations = [motifs.get(str(name), NONE) for name in operations]
        return _alive(nodes, tuple(operations))

    @property
    def shared(self) -> tuple[str, ...]:
        """Every question: a motif has weights of its own for every edge that it may lie on, and where it
        reads fewer channels, its convolutions have the first ones of the widest."""
        return ("level#/motif#/node#/from#", "nodes", "cell/node#/from#")

    def plan(self, architecture: Architecture) -> Plan:
        """The cell, as far as it is alive, its motifs by name."""
        return self._plan(architecture, "cell", self.cell(architecture), len(self.motifs) + 1)

    def _plan(self, answers: Mapping[str, Answer], path: str, motif: Motif, level: int) -> Plan:
        from cambrian.spaces.hierarchies.hierarchical.network import Plan

        edges, motifs = [], {}
        for source, to, operation, like in motif:
            name = operation if isinstance(operation, str) else str(answers[f"{path}/node{to}/from{source}"])
            edges.append((source, to, name, like))
            if not isinstance(operation, str):
                motifs[name] = self._plan(answers, f"level{level}/{name}", operation, level - 1)
        return Plan(tuple(edges), motifs)

    def form(self, level: int | None = None, path: str = "cell") -> Form:
        """The form, for a supernet, of the cell or of the motifs of a level."""
        from cambrian.spaces.hierarchies.hierarchical.network import Form

        top = len(self.motifs) + 1
        level = top if level is None else level
        names: tuple[str, ...] = self.primitives
        inner: dict[str, Form] = {}
        if level > 1:
            names = tuple(f"motif{m}" for m in range(1, self.motifs[level - 2] + 1))
            inner = {name: self.form(level - 1, f"level{level}/{name}") for name in names}
        nodes = self.nodes[level - 1]
        ends = [(source, to) for to in range(2, nodes + 1) for source in range(1, to)]
        # It gives as many channels as node 1 has, which keeps the widths of motifs bounded.
        closing = () if path == "cell" else ((nodes, nodes + 1, ("conv1x1",), 1),)
        return Form((*((source, to, names, 0) for source, to in ends), *closing), inner, path)

    def make(self, read: Reading[Plan], task: Signature, **skeleton: Any) -> nn.Module:
        """The skeleton has `filters` of the first of three stages (16; 8 for small images) and
        `cells` per stage (1). Dead edges
        are left out. Every shape fits every other, so no forward is spent on checking."""
        from cambrian.spaces.hierarchies.hierarchical.network import network

        settings = small(task, skeleton, filters=8)
        side = min(task.height, task.width)
        return network(read, self.form(), task.channels, side, task.classes, **settings)

    def canonical(self, architecture: Architecture) -> str:
        """Equal for cells that are the same function of the same weights, whichever motifs they are made
        of: of the flattened graph, exactly (see `motif_text`)."""
        return _text(self.cell(architecture))

    def graph(self, architecture: Architecture) -> Graph:
        """The flattened graph of the live edges."""
        return motif_graph(self.cell(architecture))


_text = lru_cache(maxsize=1 << 16)(motif_text)


def _pairs(nodes: int) -> int:
    return nodes * (nodes - 1) // 2


def _ask_edges(
    pick: Pick, motif: Parts, nodes: int, below: tuple[str, ...], answers: dict[str, Answer]
) -> None:
    """Ask for the operation on every edge of the motif at that path, and add the `answers`."""
    for path, question, options in _questions(motif, nodes, below):
        answers[path] = pick(question, options)


@cache
def _questions(
    motif: Parts, nodes: int, below: tuple[str, ...]
) -> tuple[tuple[str, Path, tuple[str, ...]], ...]:
    """(path as text, path, operations) of the question of every edge of a motif. First on the chain of nodes
    is the first operation, first beside it none."""
    ends = [(source, to) for to in range(2, nodes + 1) for source in range(1, to)]
    paths = [at(*motif, "/node", to, "/from", source) for source, to in ends]
    # The first answer to everything is thus the chain where the paper's evolution begins.
    chain, beside = (*below, NONE), (NONE, *below)
    options = [chain if source == to - 1 else beside for source, to in ends]
    return tuple(zip(map(str, paths), paths, options, strict=True))


@cache
def _edges(path: str, nodes: int) -> tuple[str, ...]:
    """The paths of a motif's edges."""
    return tuple(f"{path}/node{to}/from{source}" for to in range(2, nodes + 1) for source in range(1, to))


@lru_cache(maxsize=1 << 16)
def _alive(nodes: int, operations: tuple[str | Motif, ...]) -> Motif:
    ends = [(source, to) for to in range(2, nodes + 1) for source in range(1, to)]
    edges = [(a, b, operation, 0) for (a, b), operation in zip(ends, operations, strict=True)]
    return live(edges, nodes)


def _close(alive: Motif, nodes: int) -> Motif:
    """The motif with the convolution that ends all motifs but the cell."""
    return (*alive, (nodes, nodes + 1, "conv1x1", 1))
