"""The cells of SpikeNAS-Bench (Sun et al., IEEE Trans. AI 2024): those of NAS-Bench-201 with spiking
convolutions, of three thresholds of the neuron, as operations. Results only: no network is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from cambrian.architecture import Architecture
from cambrian.choices import Scalar
from cambrian.errors import Unbuildable
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.spaces.space import Signature

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class SpikingCells(NASBench201):
    operations: ClassVar[tuple[str, ...]] = (
        "zero",
        "identity",
        "lif_low_conv3x3",
        "lif_middle_conv3x3",
        "lif_high_conv3x3",
    )
    weightless: ClassVar[frozenset[int]] = frozenset()

    def build(self, architecture: Architecture, task: Signature, **skeleton: Scalar) -> nn.Module:
        raise Unbuildable("spiking networks are looked up in SpikeNAS-Bench, not built")
