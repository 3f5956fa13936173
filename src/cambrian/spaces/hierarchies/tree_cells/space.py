"""Tree cells (Cai et al., "Path-Level Network Transformation for Efficient Architecture Search", ICML 2018,
arXiv 1806.02639, Sec. 3.2): a node passes its input on, or copies or splits it to branches, each of which is
an operation and another node, and merges what comes of them.

A cell of one leaf behind an identity is a layer. Path-level transformations turn leaves into motifs of
identities, and these into layers; both keep the function of a trained network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture
from cambrian.choices import Answer
from cambrian.spaces.bounds import check_bounds
from cambrian.spaces.budgets import list_sizes
from cambrian.spaces.hierarchies.tree_cells.morphs import TreeMorphs
from cambrian.spaces.hierarchies.tree_cells.trees import (
    BRANCHES,
    OPERATIONS,
    POOLS,
    draw_graph,
    read_tree,
    write_text,
)
from cambrian.spaces.knowledge import Tree
from cambrian.spaces.small_images import small
from cambrian.spaces.space import Graph, Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.sharing.reading import Reading

DEEPEST = 4
"""Levels of branches; three have 13 nodes of three branches."""


@dataclass(frozen=True)
class TreeCells(Space):
    """Trees of at most `depth` levels of branches; one cell makes a network.

    Operations are shared; the merges, which decide the tree, are outer."""

    depth: int = 2

    skeleton = ("filters", "cells")
    sizes = list_sizes(filters=(8, 16, 16, 32, 32), cells=(1, 1, 2, 2, 4))
    measure = "uniform over answers, node by node"

    def __post_init__(self) -> None:
        check_bounds("tree-cells", DEEPEST, depth=self.depth)

    @staticmethod
    def paper() -> TreeCells:
        """Three levels (Sec. 4.1)."""
        return TreeCells(depth=3)

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (TreeMorphs(self),)

    @property
    def shared(self) -> tuple[str, ...]:
        return tuple(f"{'branch#/' * level}operation" for level in range(self.depth + 1))

    def program(self, pick: Pick) -> None:
        self._ask(pick, 0)

    def _ask(self, pick: Pick, level: int) -> None:
        """The questions of a node: the operation that leads to it, and its branches."""
        pick("operation", OPERATIONS)
        if level < self.depth:
            for n in range(1, BRANCHES[pick("merge", tuple(BRANCHES))] + 1):
                self._ask(pick.inside("branch", n), level + 1)

    @property
    def weightless(self) -> tuple[str, ...]:
        return POOLS

    def tree(self, answers: Mapping[str, Answer]) -> Tree:
        """The tree of these answers, of which some may be missing."""
        return read_tree(answers)

    def plan(self, architecture: Architecture) -> Tree:
        return read_tree(architecture)

    def make(self, read: Reading[Tree], task: Signature, **skeleton: Any) -> nn.Module:
        """The skeleton has `filters` of the first of three stages (16; 8 for small images) and `cells` per
        stage (1)."""
        from cambrian.spaces.hierarchies.tree_cells.network import network

        side = min(task.height, task.width)
        return network(read, task.channels, side, task.classes, **small(task, skeleton, filters=8))

    def canonical(self, architecture: Architecture) -> str:
        """Equal for trees that differ in the order of added branches."""
        return write_text(read_tree(architecture))

    def graph(self, architecture: Architecture) -> Graph:
        return draw_graph(read_tree(architecture))
