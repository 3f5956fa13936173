"""Cells of two-input blocks, the topology of NASNet (Zoph et al. 2018, Sec. 3.1) and its descendants: the
questions of a cell, and its answers as tokens.

Block k (from 1) is a row of tokens (I1, I2, O1, O2): operation O1 of state I1 combined with operation O2 of
state I2. State 0 is the output of the cell before the previous one, 1 of the previous cell, 1 + k of block k.
Where combiners are asked for, both operations' tokens count them in: operation + operations * combiner.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, NamedTuple

from cambrian.choices import Answer
from cambrian.errors import SpaceError, UnknownName
from cambrian.paths import Path, at
from cambrian.spaces.bounds import check_bounds
from cambrian.spaces.cells.block_growth import new_blocks
from cambrian.spaces.cells.isomorphism import Block
from cambrian.spaces.space import Pick

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cambrian.networks.skeletons.cell import Limits

MOST = 20  # blocks of a cell: the papers have five
CELL_INPUTS = ("previous-previous", "previous")


class BlockPaths(NamedTuple):
    """The paths of a block's questions; `operands` are (input, operation) pairs."""

    inputs: Path
    operands: tuple[tuple[Path, Path], ...]
    combiner: Path


@cache
def _paths(prefix: str, part: str, b: int) -> BlockPaths:
    block = (prefix, part, b)
    operands = tuple((at(*block, "/input", n), at(*block, "/operation", n)) for n in (1, 2))
    return BlockPaths(at(*block, "/inputs"), operands, at(*block, "/combiner"))


@dataclass(frozen=True)
class Blocks:
    """The questions of a cell of up to `most` blocks, each called `part`. With `distinct`, a block's two
    inputs are one question and differ."""

    most: int
    operations: tuple[str, ...]
    combiners: tuple[str, ...] = ("add",)
    distinct: bool = False
    part: str = "block"

    @cached_property
    def states(self) -> tuple[str, ...]:
        return (*CELL_INPUTS, *(f"{self.part}{b}" for b in range(1, self.most + 1)))

    @property
    def kinds(self) -> int:
        """How many tokens an operation may have."""
        return len(self.operations) * len(self.combiners)

    @cached_property
    def _tokens(self) -> tuple[dict[str, int], dict[tuple[str, str], int]]:
        """The tokens of every state, and of every operation in a block of every combiner."""
        kinds = [(operation, combiner) for combiner in self.combiners for operation in self.operations]
        return {name: i for i, name in enumerate(self.states)}, {kind: i for i, kind in enumerate(kinds)}

    def size(self, blocks: int) -> int:
        """How many ordered cells have so many blocks."""
        return math.prod(self._inputs(b) * len(self.operations) * self.kinds for b in range(1, blocks + 1))

    def _inputs(self, b: int) -> int:
        return math.comb(b + 1, 2) if self.distinct else (b + 1) ** 2

    def ask(self, pick: Pick, blocks: int, prefix: str = "") -> None:
        for b in range(1, blocks + 1):
            paths, states = _paths(prefix, self.part, b), self.states[: b + 1]
            if self.distinct:
                # One question for both, so that a mutation cannot make them equal.
                pick.some(paths.inputs, states, 2)
            for own_input, operation in paths.operands:
                if not self.distinct:
                    pick(own_input, states)
                pick(operation, self.operations)
            if len(self.combiners) > 1:
                pick(paths.combiner, self.combiners)

    def questions(self, prefix: str = "") -> tuple[str, ...]:
        """The paths that may be asked, # standing for a number."""
        at = f"{prefix}{self.part}#"
        names = ("inputs",) if self.distinct else ("input#",)
        combiner = ("combiner",) if len(self.combiners) > 1 else ()
        return tuple(f"{at}/{name}" for name in (*names, "operation#", *combiner))

    def cell(self, answers: Mapping[str, Answer], blocks: int, prefix: str = "") -> list[Block]:
        """The tokens of every block."""
        states, kinds = self._tokens
        cell = []
        for b in range(1, blocks + 1):
            place = f"{prefix}{self.part}{b}"
            operands = [f"{place}/input{n}" for n in "12"]
            inputs = answers[f"{place}/inputs"] if self.distinct else [answers[path] for path in operands]
            combiner = answers[f"{place}/combiner"] if len(self.combiners) > 1 else self.combiners[0]
            i1, i2 = (states[str(i)] for i in inputs)  # type: ignore[union-attr]
            o1, o2 = (kinds[str(answers[f"{place}/operation{n}"]), str(combiner)] for n in "12")
            cell.append((i1, i2, o1, o2))
        return cell

    def answers(self, cell: Sequence[Sequence[int]], prefix: str = "") -> dict[str, Answer]:
        """The inverse of `cell`."""
        answers: dict[str, Answer] = {}
        for b, (*inputs, o1, o2) in enumerate(cell, 1):
            place = f"{prefix}{self.part}{b}"
            if self.distinct:
                answers[f"{place}/inputs"] = tuple(self.states[i] for i in inputs)
            for operand, i, o in zip("12", inputs, (o1, o2), strict=True):
                if not self.distinct:
                    answers[f"{place}/input{operand}"] = self.states[i]
                answers[f"{place}/operation{operand}"] = self.operations[o % len(self.operations)]
            if len(self.combiners) > 1:
                answers[f"{place}/combiner"] = self.combiners[o1 // len(self.operations)]
        return answers

    def operation(self, kind: int) -> str:
        return self.operations[kind % len(self.operations)]

    def combiner(self, kind: int) -> str:
        return self.combiners[kind // len(self.operations)]

    def new(self, blocks: int) -> NDArray[np.int64]:
        """int[n, 4], the tokens a further block of a cell of `blocks` may have, its operands in one order.

        >>> [len(Blocks(5, tuple("abcdefgh")).new(b)) for b in range(5)]
        [136, 300, 528, 820, 1176]
        """
        rows = new_blocks(blocks + 2 if blocks < self.most else 0, self.kinds)
        # A block has one combiner, which both of its tokens carry.
        combined = rows[:, 2] // len(self.operations) == rows[:, 3] // len(self.operations)
        legal: NDArray[np.int64] = rows[combined & ~(self.distinct & (rows[:, 0] == rows[:, 1]))]
        return legal


def limits_of(form: Blocks, prefix: str = "", passes: bool = True) -> Limits:
    """The limits of the cells' wirings that one supernet holds."""
    from cambrian.networks.skeletons.cell import Limits

    block = f"{prefix}{form.part}{{}}"
    paths = f"{block}/operation{{}}", f"{block}/inputs" if form.distinct else f"{block}/input{{}}"
    concats = "concat" in form.combiners
    return Limits(form.most, form.operations, concats, passes, form.distinct, *paths, form.states)


def check(
    space: str, blocks: int, operations: Sequence[str], known: Sequence[str], part: str = "blocks"
) -> None:
    """Raise unless a cell has a number of blocks, which its space calls `part`, and distinct operations
    among those known."""
    check_bounds(space, MOST, **{part: blocks})
    for name in operations:
        if name not in known:
            raise UnknownName("operation", name, known)
    if not operations or len(set(operations)) != len(operations):
        raise SpaceError(
            f"space {space!r}: operations must be distinct and at least one, got {tuple(operations)}"
        )


def graph_of(
    form: Blocks, cell: Sequence[Block], output: Sequence[int], kind: str = ""
) -> tuple[list[str], list[tuple[int, int]], list[str]]:
    """Labels, edges and groups: two inputs; per block two operations and their combiner; "concat" of
    the states of `output`. `kind` tells a network's cells apart."""
    lead = f"{kind} " if kind else ""
    labels, groups = [f"{lead}{name}" for name in CELL_INPUTS], [f"{lead}inputs"] * 2
    edges: list[tuple[int, int]] = []
    source = [0, 1]  # the graph's node for each state
    for b, (i1, i2, o1, o2) in enumerate(cell, 1):
        first = len(labels)
        labels += [form.operation(o1), form.operation(o2), form.combiner(o1)]
        groups += [f"{lead}{form.part} {b}"] * 3
        edges += [(source[i1], first), (source[i2], first + 1), (first, first + 2), (first + 1, first + 2)]
        source.append(first + 2)
    edges += [(source[i], len(labels)) for i in output]
    return [*labels, "concat"], edges, [*groups, f"{lead}output"]
