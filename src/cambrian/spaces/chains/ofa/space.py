"""The space of once-for-all networks (Cai et al., "Once-for-All: Train One Network and Specialize It for
Efficient Deployment", ICLR 2020, arXiv 1908.09791, Sec. 3.1): each stage of a MobileNetV3 has an elastic
depth, and each of its units an elastic kernel and an elastic width, all of them slices of one network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture
from cambrian.choices import read_whole
from cambrian.errors import SpaceError
from cambrian.options import shorten
from cambrian.spaces.bounds import FILTERS, check_bounds
from cambrian.spaces.budgets import list_sizes
from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.small_images import small
from cambrian.spaces.space import Graph, Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.sharing.reading import Reading
    from cambrian.spaces.chains.ofa.network import Rows, Unit

STRIDES = (2, 2, 2, 1, 2)
SWISH = (False, False, True, True, True)
SQUEEZE = (False, True, False, True, True)
"""By stage (Howard et al. 2019, Table 1)."""
DEEPEST, WIDEST, LARGEST = 20, 64, 15


@dataclass(frozen=True)
class OFA(Space):
    """Stages of `widths` channels, each of so many units as one of `depths` says; a unit has one of `kernels`
    and one of `expansions`, which multiply its channels inside.

    All questions are shared."""

    skeleton = ("width", "stem", "features", "mixed")
    sizes = list_sizes(width=(0.25, 0.5, 0.75, 1.0))
    shared = ("stage#/depth", "stage#/unit#/kernel", "stage#/unit#/expand")

    widths: tuple[int, ...] = (24, 40, 80)
    depths: tuple[int, ...] = (2, 3, 4)
    kernels: tuple[int, ...] = (3, 5, 7)
    expansions: tuple[int, ...] = (3, 4, 6)

    measure = "uniform over answers, question by question"

    def __post_init__(self) -> None:
        check_bounds("ofa", FILTERS, widths=self.widths)
        check_bounds("ofa", DEEPEST, depths=self.depths)
        check_bounds("ofa", LARGEST, kernels=self.kernels)
        check_bounds("ofa", WIDEST, expansions=self.expansions)
        if not 1 <= len(self.widths) <= len(STRIDES):
            raise SpaceError(f"space 'ofa': expected 1 to {len(STRIDES)} widths, got {shorten(self.widths)}")
        if not all(self.kernels) or any(kernel % 2 == 0 for kernel in self.kernels):
            raise SpaceError(f"space 'ofa': kernels are odd numbers, got {shorten(self.kernels)}")

    @staticmethod
    def paper() -> OFA:
        """Five stages: 1e19 networks."""
        return OFA(widths=(24, 40, 80, 112, 160))

    def program(self, pick: Pick) -> None:
        for s in range(1, len(self.widths) + 1):
            stage = pick.inside("stage", s)
            for u in range(1, stage("depth", self.depths) + 1):
                unit = stage.inside("unit", u)
                unit("kernel", self.kernels)
                unit("expand", self.expansions)

    def plan(self, architecture: Architecture) -> Rows:
        """(expansion, kernel) of each unit that the deepest network has, None where a stage is shallower."""
        rows: list[tuple[int, int] | None] = []
        for s in range(1, len(self.widths) + 1):
            for u in range(1, max(self.depths) + 1):
                path = f"stage{s}/unit{u}"
                present = u <= read_whole(architecture[f"stage{s}/depth"])
                sizes = (f"{path}/expand", f"{path}/kernel")
                rows.append(tuple(read_whole(architecture[p]) for p in sizes) if present else None)  # type: ignore[arg-type]
        return rows

    def make(self, read: Reading[Rows], task: Signature, **skeleton: Any) -> nn.Module:
        """The skeleton has `width` (1; a half for small images), which multiplies all channels, those of the
        `stem` (16), the last `features` (960; 256 for small images) and the units that their means are
        `mixed` by (1280; none for small images) included. An image too small for all strides loses the first
        ones."""
        from cambrian.spaces.chains.ofa.network import network

        settings = small(task, skeleton, width=0.5, features=256, mixed=0)
        most = (max(self.expansions), max(self.kernels))
        shape = (task.channels, min(task.height, task.width), task.classes)
        return network(read, self._list_units(), most, self.kernels, shape, **settings)

    def _list_units(self) -> list[Unit]:
        """The places of all units of the deepest network."""
        from cambrian.spaces.chains.ofa.network import Unit

        stages = zip(self.widths, STRIDES, SWISH, SQUEEZE)
        return [
            Unit(out, 1 if u else stride, swish, squeeze)
            for out, stride, swish, squeeze in stages
            for u in range(max(self.depths))
        ]

    def graph(self, architecture: Architecture) -> Graph:
        """A chain; a shortcut beside a unit is part of its node."""
        width = [out for out in self.widths for _ in range(max(self.depths))]
        rows = list(zip(self.plan(architecture), width, strict=True))
        labels = [f"mb{row[0]}_k{row[1]} x{out}" for row, out in rows if row is not None]
        places = [f"stage {n // max(self.depths) + 1}" for n, (row, _) in enumerate(rows) if row is not None]
        edges = tuple((i, i + 1) for i in range(len(labels) + 1))
        return build_graph(("input", *labels, "output"), edges, ("input", *places, "output"))
