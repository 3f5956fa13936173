"""A normal and a reduction cell, searched together (NASNet, Zoph et al. 2018, Sec. 3.1).

A cell without blocks passes its two inputs on, side by side.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from cambrian.architecture import Architecture
from cambrian.spaces.cells.block_gates import BlockGates
from cambrian.spaces.cells.blocks import Blocks, limits_of
from cambrian.spaces.cells.isomorphism import Block
from cambrian.spaces.cells.pair_cells import KINDS, PairCells, blocks_of
from cambrian.spaces.cells.skeleton import SETTINGS, settings_of
from cambrian.spaces.sharing import PartialSharing
from cambrian.spaces.space import Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.sharing.reading import Reading
    from cambrian.networks.skeletons.cell import Wiring


class CellPair(Space):
    """Abstract: a space has the questions of a cell (`form`), the `family` of its networks, and the
    states a cell concatenates (`also` or `concatenates_all`, see `PairCells`); `projects_twice` is the
    `twice` of its wirings."""

    measure = "uniform over ordered pairs of cells, of all numbers of blocks together"
    skeleton = SETTINGS
    family: ClassVar[str]
    concatenates_all: ClassVar[bool] = False
    projects_twice: ClassVar[bool] = False
    also: tuple[str, ...] = ()

    @property
    @abstractmethod
    def form(self) -> Blocks: ...

    @cached_property
    def pair(self) -> PairCells:
        return PairCells(self.form, self.also, self.concatenates_all)

    @property
    def knowledge(self) -> tuple[object, ...]:
        gates = BlockGates(self.form, tuple(f"{kind}/" for kind in KINDS), self._collapsed)
        # Results that are concatenated have two widths, which no sum can mix.
        return (self.pair,) if "concat" in self.form.combiners else (self.pair, gates, PartialSharing(self))

    @property
    def _collapsed(self) -> int:
        """Skip connections of a normal cell from which on it has collapsed: three of eight."""
        return max(2, 3 * self.form.most // 4)

    def size(self, level: int) -> int:
        """How many ordered pairs of cells have `level` blocks together."""
        return self.form.size(blocks_of(level)[0]) * self.form.size(blocks_of(level)[1])

    def program(self, pick: Pick) -> None:
        # As many pairs as a level has: all levels together are then uniform.
        weights = [float(self.size(n)) for n in self.pair.levels]
        level = pick.depth("blocks", 1, 2 * self.form.most, weights)
        for kind, blocks in zip(KINDS, blocks_of(level), strict=True):
            self.form.ask(pick, blocks, f"{kind}/")

    @property
    def shared(self) -> tuple[str, ...]:
        """Every question: an operation has weights for each input it may have, and for each width of that, a
        concatenation for each state."""
        return ("blocks", *(path for kind in KINDS for path in self.form.questions(f"{kind}/")))

    def plan(self, architecture: Architecture) -> tuple[Wiring, Wiring]:
        """The wirings of both cells."""
        return self.wirings(architecture)

    def make(self, read: Reading[tuple[Wiring, Wiring]], task: Signature, **skeleton: Any) -> nn.Module:
        """See `cambrian.networks.skeletons.cell_network.pair_network` for the settings of a skeleton; the
        image's size decides which skeleton of the family it is, unless `skeleton=` names it."""
        from cambrian.networks.skeletons.cell_network import pair_network
        from cambrian.networks.skeletons.defaults import FAMILIES

        known = FAMILIES[self.family]
        settings = settings_of(task, skeleton, known)
        normal, reduction = (limits_of(self.form, f"{kind}/") for kind in KINDS)
        return pair_network(read, task.channels, task.classes, known, (normal, reduction), **settings)

    def wirings(self, architecture: Architecture) -> tuple[Wiring, Wiring]:
        """The computations of the normal and of the reduction cell, from which networks are made."""
        normal, reduction = self.cells(architecture)
        return self._wiring("normal", normal), self._wiring("reduction", reduction)

    def _wiring(self, kind: str, cell: Sequence[Block]) -> Wiring:
        from cambrian.networks.skeletons.cell import Wiring

        form = self.form
        blocks = tuple((i1, form.operation(o1), i2, form.operation(o2)) for i1, i2, o1, o2 in cell)
        # Both operations of a block carry its combiner: the first one is enough.
        concat = frozenset(k for k, block in enumerate(cell) if form.combiner(block[2]) == "concat")
        return Wiring(blocks, self.pair.output(kind, cell), concat, self.projects_twice)

    def cells(self, architecture: Architecture) -> tuple[list[Block], list[Block]]:
        """The tokens (I1, I2, O1, O2) of every block of the normal and of the reduction cell."""
        return self.pair.cells(architecture)

    def architecture(
        self, normal: Sequence[Sequence[int]], reduction: Sequence[Sequence[int]]
    ) -> Architecture:
        """The inverse of `cells`."""
        return self.pair.architecture(normal, reduction)
