"""The cells of NAS-Bench-201 (Dong & Yang, ICLR 2020, arXiv 2001.00326, Sec. 2.1).

Four nodes, each the sum of what its edges bring from the nodes before; on each of the six edges one
of five operations. Node 0 is the cell's input, node 3 its output.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from cambrian.architecture import Architecture, replay
from cambrian.choices import Answer, Scalar
from cambrian.spaces.cells.edge_cells import PATHS as PATHS
from cambrian.spaces.cells.edge_cells import EdgeCells
from cambrian.spaces.cells.edges import NONE, Codes, live_edges
from cambrian.spaces.program.shared import all_questions, forking
from cambrian.spaces.small_images import small
from cambrian.spaces.space import Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.sharing.supernet import Supernet

SETTINGS = ("filters", "cells", "whole")


@dataclass(frozen=True)
class NASBench201(Space):
    """15,625 cells. Levels are the nodes that compute, 1 to 3 (see `EdgeCells`)."""

    skeleton = SETTINGS
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
        return (self.cells,)

    def program(self, pick: Pick) -> None:
        self.cells.ask(pick)

    def build(self, architecture: Architecture, task: Signature, **skeleton: Scalar) -> nn.Module:
        """The skeleton has `filters` of the first stage (16) and `cells` per stage (5; 1 for small images).
        Operations the output does not depend on are left out unless `whole`, as the published parameter
        counts are."""
        from cambrian.networks.settings import truth
        from cambrian.spaces.cells.nasbench201.network import network

        settings = small(task, self.checked(skeleton), cells=1)
        answers = replay(self, architecture)
        every = settings.pop("whole", False)
        truth(whole=every)
        cell = answers if every else self._live(answers)
        return network(cast(Mapping[str, str], cell), task.channels, task.classes, **settings)

    def share(self, outer: Mapping[str, Answer], task: Signature, **skeleton: Scalar) -> Supernet:
        """See `Shares`: no question is outer."""
        from cambrian.networks.sharing.supernet import Supernet
        from cambrian.spaces.cells.nasbench201.network import network, operation

        settings = small(task, self.checked(skeleton), cells=1)
        settle = dict if settings.pop("whole", False) else self._live
        choices, _ = all_questions(self.walk, outer)
        cell = dict.fromkeys(PATHS, self.operations[0])
        settings["make"] = forking(operation, choices)
        supernet = network(cell, task.channels, task.classes, **settings)
        return Supernet(supernet, choices, {}, partial(self._draft, task, skeleton), settle)

    def _draft(
        self, task: Signature, skeleton: Mapping[str, Scalar], architecture: Mapping[str, Answer]
    ) -> nn.Module:
        import torch

        with torch.device("meta"):
            return self.build(Architecture(architecture), task, **skeleton)

    def _live(self, architecture: Mapping[str, Answer]) -> dict[str, Answer]:
        """The cell without the operations that its output does not depend on."""
        live = {PATHS[edge] for edge in live_edges(self.codes(architecture))}
        return {path: architecture[path] if path in live else self.operations[NONE] for path in PATHS}

    def codes(self, architecture: Mapping[str, Answer]) -> Codes:
        """The operation on each edge, by its place in `operations`, in the order of `EDGES`."""
        return self.cells.codes(architecture)

    def architecture(self, codes: Sequence[int]) -> Architecture:
        """The inverse of `codes`."""
        return self.cells.architecture(codes)
