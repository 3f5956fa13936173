"""The cells of NAS-Bench-201 (Dong & Yang, ICLR 2020, arXiv 2001.00326, Sec. 2.1).

Four nodes, each the sum of its edges from the nodes before; on each of the six edges one
of five operations. Node 0 is the cell's input, node 3 its output.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar

from cambrian.architecture import Architecture
from cambrian.choices import Answer
from cambrian.settings import check_truths
from cambrian.spaces.budgets import list_sizes
from cambrian.spaces.cells.edge_cells import PATHS as PATHS
from cambrian.spaces.cells.edge_cells import EdgeCells
from cambrian.spaces.cells.edge_gates import EdgeGates
from cambrian.spaces.cells.edges import NONE, Codes, live_edges
from cambrian.spaces.growth.answer_morphs import AnswerMorphs
from cambrian.spaces.sharing import PartialSharing
from cambrian.spaces.small_images import small
from cambrian.spaces.space import Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.sharing.reading import Reading

SETTINGS = ("filters", "cells", "whole")
COLLAPSED = 4
"""Skip connections from which on a cell is poor: the mean test accuracy of all cells with 4, 5 and 6 of them
is 82.7, 75.0 and 54.3, against 86 to 88 of those with fewer."""

MORPHS = {"node#/from#": "operation"}


@dataclass(frozen=True)
class NASBench201(Space):
    """15,625 cells. Levels are the nodes that compute, 1 to 3 (see `EdgeCells`)."""

    skeleton = SETTINGS
    sizes = list_sizes(filters=(8, 16, 16, 16, 16), cells=(1, 1, 2, 3, 5))
    operations: ClassVar[tuple[str, ...]] = (
        "none",
        "skip_connect",
        "nor_conv_1x1",
        "nor_conv_3x3",
        "avg_pool_3x3",
    )
    cells: ClassVar[EdgeCells] = EdgeCells(operations, weightless=frozenset({4}))

    @property
    def knowledge(self) -> tuple[object, ...]:
        gates = EdgeGates(self, COLLAPSED, self.cells)
        return (self.cells, gates, PartialSharing(self), AnswerMorphs(self, MORPHS))

    def program(self, pick: Pick) -> None:
        self.cells.ask(pick)

    @property
    def shared(self) -> tuple[str, ...]:
        """Every question."""
        return ("node#/from#",)

    def plan(self, architecture: Architecture) -> tuple[list[str], list[str]]:
        """The operations on the edges, and the same with "none" on dead edges."""
        names = [str(architecture[path]) for path in PATHS]
        live = live_edges(self.codes(architecture))
        return names, [n if e in live else self.operations[NONE] for e, n in enumerate(names)]

    def make(self, read: Reading[Any], task: Signature, **skeleton: Any) -> nn.Module:
        """The skeleton has `filters` of the first stage (16) and `cells` per stage (5; 1 for small images).
        Operations the output does not depend on are left out unless `whole`, as the published parameter
        counts are."""
        from cambrian.spaces.cells.nasbench201.network import network

        settings = small(task, skeleton, cells=1)
        every = settings.pop("whole", False)
        check_truths(whole=every)
        cell = read.within(itemgetter(0 if every else 1))
        return network(cell, task.channels, task.classes, **settings)

    def codes(self, architecture: Mapping[str, Answer]) -> Codes:
        """The operation on each edge, by its place in `operations`, in the order of `EDGES`."""
        return self.cells.codes(architecture)

    def architecture(self, codes: Sequence[int]) -> Architecture:
        """The inverse of `codes`."""
        return self.cells.architecture(codes)
