"""Partial channels and weights of edges: Xu et al., "PC-DARTS: Partial Channel Connections for
Memory-Efficient Architecture Search" (ICLR 2020, arXiv 1907.05737), Sec. 3: operations see a part of the
channels, the others pass; the edges into a node have weights of their own, which steadies the choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cambrian.networks.sharing.methods.gate_rules import Rules
from cambrian.networks.sharing.methods.gate_step import GateSettings, GateStep
from cambrian.networks.sharing.supernet import Supernet
from cambrian.settings import COUNT, check_settings

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw
    from cambrian.networks.training.batch_stream import BatchStream
    from cambrian.networks.training.recipe import Recipe
    from cambrian.networks.training.step import Step


@dataclass(frozen=True)
class PCDARTS(GateSettings):
    """Operations see one `channel_share` of the channels (K in the paper)."""

    channel_share: Annotated[int, COUNT] = 4

    def __post_init__(self) -> None:
        check_settings(self, "supernet method 'pc-darts'")

    def step(self, supernet: Supernet, recipe: Recipe, draw: Draw, validation: BatchStream) -> Step:
        return GateStep(self, Rules(edges=True), supernet, recipe, validation)
