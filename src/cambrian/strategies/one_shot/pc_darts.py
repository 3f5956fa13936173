"""PC-DARTS: Xu et al., "PC-DARTS: Partial Channel Connections for Memory-Efficient Architecture Search" (ICLR
2020). DARTS whose operations see a part of the channels, with weights of edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from cambrian.settings import COUNT
from cambrian.spaces.knowledge import Mixes, Shares, SharesPartly
from cambrian.strategies.one_shot.deriving import Deriving


@dataclass(frozen=True)
class PCDARTS(Deriving):
    """Operations see one `channel_share` of the channels (K in the paper), which has to divide them."""

    channel_share: Annotated[int, COUNT] = 4
    needs: ClassVar[tuple[type, ...]] = (Shares, Mixes, SharesPartly)

    @staticmethod
    def paper() -> PCDARTS:
        """50 epochs, the first 15 without gates (Sec. 4.1)."""
        return PCDARTS(epochs=50, chunks=10, gate_rate=6e-4, frozen=15)

    @property
    def method(self) -> tuple[str, dict[str, Any]]:
        return "pc-darts", self.list_settings("channel_share")
