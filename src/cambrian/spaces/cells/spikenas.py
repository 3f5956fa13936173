"""The cells of SpikeNAS-Bench (Sun et al., IEEE Trans. AI 2024): those of NAS-Bench-201 with spiking
convolutions, of three thresholds of the neuron, as operations. Results only: no network is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from cambrian.architecture import Architecture
from cambrian.choices import Answer, Scalar
from cambrian.errors import Unbuildable
from cambrian.spaces.cells.edge_cells import EdgeCells
from cambrian.spaces.cells.edges import Codes
from cambrian.spaces.space import Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class SpikingCells(Space):
    """15,625 cells that grow as those of NAS-Bench-201 do."""

    cells: ClassVar[EdgeCells] = EdgeCells(
        ("zero", "identity", "lif_low_conv3x3", "lif_middle_conv3x3", "lif_high_conv3x3")
    )

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (self.cells,)

    def program(self, pick: Pick) -> None:
        self.cells.ask(pick)

    def build(self, architecture: Architecture, task: Signature, **skeleton: Scalar) -> nn.Module:
        raise Unbuildable("spiking networks are looked up in SpikeNAS-Bench, not built")

    def codes(self, architecture: Mapping[str, Answer]) -> Codes:
        """The operation on each edge, by its place among the operations."""
        return self.cells.codes(architecture)

    def architecture(self, codes: Sequence[int]) -> Architecture:
        """The inverse of `codes`."""
        return self.cells.architecture(codes)
