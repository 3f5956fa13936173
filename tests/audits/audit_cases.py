"""A space of small networks of many kinds, for audits by real training. Subprocesses import it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cambrian.architecture import Architecture
from cambrian.choices import Scalar
from cambrian.spaces.space import Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Thin(Space):
    """One to three convolutions of 1 to 8 channels."""

    @property
    def skeleton(self) -> tuple[str, ...]:
        return ("times",)

    def program(self, pick: Pick) -> None:
        pick("width", [1, 2, 3, 4, 6, 8])
        for layer in range(int(pick("layers", [1, 2, 3]))):
            pick(f"kernel{layer}", [1, 3])

    def build(
        self, architecture: Architecture, task: Signature, times: int = 1, **skeleton: Scalar
    ) -> nn.Module:
        from torch import nn

        self.check_skeleton(skeleton)
        width, channels = int(architecture["width"]) * times, task.channels  # type: ignore[arg-type]
        layers: list[nn.Module] = []
        for layer in range(int(architecture["layers"])):  # type: ignore[arg-type]
            kernel = int(architecture[f"kernel{layer}"])  # type: ignore[arg-type]
            layers += [nn.Conv2d(channels, width, kernel, padding=kernel // 2), nn.ReLU()]
            channels = width
        return nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * width, task.classes)
        )
