"""Gates of cells of two-input blocks. Mixed, an operation has a gate on each state that it may read.

A node of DARTS is then the sum of all its edges, each a mixture of all operations and no connection (Liu et
al. 2019, Eq. 1 and 2): fourteen edges of eight options for four nodes. An operand of PNAS, which reads one
state, is a mixture of its states, each a mixture of all operations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cambrian.architecture import Architecture
from cambrian.choices import Answer
from cambrian.spaces.gates import NONE, SKIPS, find_largest, find_nothing
from cambrian.spaces.knowledge import Site, Skips

if TYPE_CHECKING:
    from cambrian.spaces.cells.blocks import Blocks


@dataclass(frozen=True)
class BlockGates:
    """`Mixes` of the cells of `form` whose questions begin with `prefixes`, in a space without outer
    questions. From `collapsed` skip connections on, the first of them, the normal cell, has collapsed."""

    form: Blocks
    prefixes: tuple[str, ...]
    collapsed: int

    def list_sites(self, outer: Mapping[str, Answer]) -> dict[str, Site]:
        options = self._options
        nothing = find_nothing(options)
        sites: dict[str, Site] = {}
        for b, path in self._inputs():
            states = self.form.states[: b + 1]
            sites[path] = Site(states, edges=self.form.distinct)
            sites |= {f"{path}/{state}": Site(options, nothing=nothing) for state in states}
        return sites

    def find_whole(self, outer: Mapping[str, Answer]) -> Architecture:
        # Every block reads both inputs, so that both are projected and all cells are read.
        return self._architecture({prefix: [(0, 1, 0, 0)] * self.form.most for prefix in self.prefixes})

    def derive(self, gates: Mapping[str, Sequence[float]], outer: Mapping[str, Answer]) -> Architecture:
        """Each operand has the state and operation whose gates have the largest product. Where a node adds
        all of its edges, it keeps the two whose best operations are the strongest (Liu et al., Sec. 2.4)."""
        cells = {
            prefix: [self._derive_block(gates, prefix, b) for b in range(1, self.form.most + 1)]
            for prefix in self.prefixes
        }
        return self._architecture(cells)

    def count_skips(self, architecture: Architecture) -> Skips:
        begin = f"{self.prefixes[0]}{self.form.part}"
        kinds = [a for p, a in architecture.items() if p.startswith(begin) and "/operation" in p]
        return Skips(sum(kind in SKIPS for kind in kinds), len(kinds), self.collapsed)

    @property
    def _options(self) -> tuple[str, ...]:
        """The operations; a sum of edges may also be without one of them."""
        operations = self.form.operations
        return operations if NONE in operations or not self.form.distinct else (*operations, NONE)

    def _inputs(self) -> Iterator[tuple[int, str]]:
        """The blocks, from 1, and the paths of the questions of their inputs."""
        names = ("inputs",) if self.form.distinct else ("input1", "input2")
        for prefix in self.prefixes:
            for b in range(1, self.form.most + 1):
                yield from ((b, f"{prefix}{self.form.part}{b}/{name}") for name in names)

    def _derive_block(
        self, gates: Mapping[str, Sequence[float]], prefix: str, b: int
    ) -> tuple[int, int, int, int]:
        """The tokens (I1, I2, O1, O2) of block b."""
        place = f"{prefix}{self.form.part}{b}"
        if self.form.distinct:
            (i1, o1), (i2, o2) = sorted(self._rank_edges(gates, f"{place}/inputs", b)[:2])
        else:
            (i1, o1), (i2, o2) = (self._rank_edges(gates, f"{place}/input{n}", b)[0] for n in "12")
        return i1, i2, o1, o2

    def _rank_edges(self, gates: Mapping[str, Sequence[float]], path: str, b: int) -> list[tuple[int, int]]:
        """(state, best operation on it) of every state, the strongest edge first."""
        without = find_nothing(self._options)
        edges: list[tuple[float, int, int]] = []
        for i, state in enumerate(self.form.states[: b + 1]):
            # A cell that the network does not have has no gates: all its options are alike.
            gate = gates.get(f"{path}/{state}", [0.0] * len(self._options))
            best = find_largest(gate, without)
            weight = gates[path][i] if path in gates else 1.0
            edges.append((weight * gate[best], i, best))
        return [(i, best) for _, i, best in sorted(edges, key=lambda edge: (-edge[0], edge[1]))]

    def _architecture(self, cells: Mapping[str, Sequence[tuple[int, int, int, int]]]) -> Architecture:
        answers: dict[str, Answer] = {"blocks": sum(map(len, cells.values()))}
        for prefix, cell in cells.items():
            answers |= self.form.answers(cell, prefix)
        return Architecture(answers)
