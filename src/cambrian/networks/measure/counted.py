"""Measures that count the parts of a network, with neither weights nor images: they are exact and the same on
every device."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn


class Count(ABC):
    """A count for a batch of one image. A concrete one is a frozen dataclass."""

    unit: ClassVar[str] = ""
    images: ClassVar[int] = 1
    noisy: ClassVar[bool] = False
    reads_batch: ClassVar[bool] = False

    def needs_weights(self, device: str) -> bool:
        return False

    @abstractmethod
    def protocol(self, device: str) -> str: ...

    @abstractmethod
    def __call__(self, network: nn.Module, batch: Tensor, device: str) -> float: ...
