"""The cells of NAS-Bench-201 (Dong & Yang, ICLR 2020, arXiv 2001.00326, Sec. 2.1).

Four nodes, each the sum of what its edges bring from the nodes before; on each of the six edges one
of five operations. Node 0 is the cell's input, node 3 its output.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np

from cambrian.architecture import Architecture, replay
from cambrian.choices import Answer, OneOf, Scalar
from cambrian.errors import SpaceError
from cambrian.settings import check_truths
from cambrian.spaces.cells.edges import EDGES, NODES, NONE, SKIP, Codes, cell_graph, cell_text, live_edges
from cambrian.spaces.program.shared import all_questions, forking
from cambrian.spaces.small_images import small
from cambrian.spaces.space import Graph, Pick, Pool, Signature, Space

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from cambrian.networks.sharing.supernet import Supernet

PATHS = tuple(f"node{to}/from{source}" for source, to in EDGES)
SETTINGS = ("filters", "cells", "whole")


@dataclass(frozen=True)
class NASBench201(Space):
    """Levels are the nodes that compute, 1 to 3: node b of a cell of level b is its output, by a skip
    connection; what other nodes would bring is none. So every cell is one of the 15,625, and growing
    rewrites the edges that close the cell (`settled` are those it keeps)."""

    skeleton = SETTINGS
    operations: ClassVar[tuple[str, ...]] = (
        "none",
        "skip_connect",
        "nor_conv_1x1",
        "nor_conv_3x3",
        "avg_pool_3x3",
    )
    weightless: ClassVar[frozenset[int]] = frozenset({4})
    """Operations of which two on the same input are one."""

    def program(self, pick: Pick) -> None:
        for path in PATHS:
            pick.ask(OneOf(path, self.operations, module=True))

    def build(self, architecture: Architecture, task: Signature, **skeleton: Scalar) -> nn.Module:
        """The skeleton has `filters` of the first stage (16) and `cells` per stage (5; 1 for small images).
        Operations the output does not depend on are left out unless `whole`, as the published parameter
        counts are."""
        from cambrian.spaces.cells.nasbench201.network import network

        settings = small(task, self.checked(skeleton), cells=1)
        answers = replay(self, architecture)
        every = settings.pop("whole", False)
        check_truths(whole=every)
        cell = answers if every else self._live(answers)
        return network(cast(Mapping[str, str], cell), task.channels, task.classes, **settings)

    def share(self, outer: Mapping[str, Answer], task: Signature, **skeleton: Scalar) -> Supernet:
        """See `Shares`: no question is outer."""
        from cambrian.networks.sharing.supernet import Supernet
        from cambrian.spaces.cells.nasbench201.network import network, operation

        settings = small(task, self.checked(skeleton), cells=1)
        settle = dict if settings.pop("whole", False) else self._live
        choices, _ = all_questions(self.walk, outer)
        cell = dict.fromkeys(PATHS, self.operations[0])
        settings["make"] = forking(operation, choices)
        supernet = network(cell, task.channels, task.classes, **settings)
        return Supernet(supernet, choices, {}, partial(self._draft, task, skeleton), settle)

    def _draft(
        self, task: Signature, skeleton: Mapping[str, Scalar], architecture: Mapping[str, Answer]
    ) -> nn.Module:
        import torch

        with torch.device("meta"):
            return self.build(Architecture(architecture), task, **skeleton)

    def _live(self, architecture: Mapping[str, Answer]) -> dict[str, Answer]:
        """The cell without the operations that its output does not depend on."""
        live = {PATHS[edge] for edge in live_edges(self.codes(architecture))}
        return {path: architecture[path] if path in live else self.operations[NONE] for path in PATHS}

    def codes(self, architecture: Mapping[str, Answer]) -> Codes:
        """The operation on each edge, by its place in `operations`, in the order of `EDGES`."""
        return tuple(self.operations.index(str(architecture[path])) for path in PATHS)

    def architecture(self, codes: Sequence[int]) -> Architecture:
        """The inverse of `codes`."""
        return Architecture({path: self.operations[code] for path, code in zip(PATHS, codes, strict=True)})

    # Canonical

    def canonical(self, architecture: Architecture) -> str:
        """Equal for cells that are the same function of the same weights: what is multiplied by none,
        or read by nobody, does not count, and a sum has no order."""
        return _text(self.codes(architecture), self.weightless)

    # Grows

    @property
    def levels(self) -> tuple[int, ...]:
        return tuple(range(1, NODES))

    def level(self, architecture: Architecture) -> int:
        return _level(self.codes(architecture))

    def settled(self, architecture: Architecture) -> tuple[str, ...]:
        """The paths that growing keeps."""
        return PATHS[: _edges(self.level(architecture))]

    def grow(self, parents: Sequence[Architecture], rng: np.random.Generator, cap: int | None = None) -> Pool:
        """Every parent with every way its next node may read the nodes before; what a parent already
        is (its next node skipped) is no child. Beyond `cap`, drawn uniformly from those."""
        cells = [self.codes(a) for a in parents]
        found = {_level(c) for c in cells}
        if len(found) > 1:
            raise SpaceError("only architectures of one level can be grown together")
        level = found.pop() + 1 if found else 1
        prefixes = [c[: _edges(level - 1)] for c in cells] if parents else [()]
        steps = list(product(range(len(self.operations)), repeat=level)) if level < NODES else []
        children = self._distinct(product(prefixes, steps), level)
        complete = cap is None or len(children) <= cap
        if not complete:
            children = [children[i] for i in np.sort(rng.permutation(len(children))[:cap]).tolist()]
        parent, step = np.divmod(np.array([pair for pair, _ in children], np.int64), max(len(steps), 1))
        return Pool(
            parents=tuple(parents),
            parent=parent if parents else np.full(len(children), -1, np.int64),
            step=_rows([steps[s] for s in step]),
            before=len(prefixes) * len(steps),
            complete=complete,
            materialise=lambda i: self.architecture(children[i][1]),
        )

    def _distinct(self, pairs: Iterable[tuple[Codes, Codes]], level: int) -> list[tuple[int, Codes]]:
        """(number of the pair, cell) of the first that is a function, or will grow into one, that none
        before it is: the next node may read each of the nodes there are, whichever is which."""
        first: dict[str, tuple[int, Codes]] = {}
        for number, (prefix, step) in enumerate(pairs):
            begun = (*prefix, *step)
            cell = _close(begun, level)
            if _level(cell) == level:
                first.setdefault(self._future(begun, level), (number, cell))
        return list(first.values())

    def _future(self, begun: Codes, level: int) -> str:
        """The same for cells that are the same function and grow into the same ones: the output is read
        as the set of all nodes."""
        if level == NODES - 1:
            return _text(begun, self.weightless)
        read = len(self.operations)  # an operation none of the space's
        open_edges = (read if 1 <= source <= level and to == NODES - 1 else NONE for source, to in EDGES)
        return _text((*begun, *tuple(open_edges)[len(begun) :]), self.weightless | {read})

    # Encodes

    @property
    def slots(self) -> tuple[str, ...]:
        return ("operation",) * (NODES - 1)

    @property
    def vocabulary(self) -> Mapping[str, int]:
        return {"operation": len(self.operations) + 1}

    def tokens(self, architectures: Sequence[Architecture]) -> NDArray[np.int64]:
        """int[n, nodes of the largest, 3]: node b's operations on what it reads from node 0, 1 and 2,
        counted from 1; 0 where there is no such node."""
        cells = [self.codes(a) for a in architectures]
        levels = [_level(c) for c in cells]
        tokens = np.full((len(cells), max(levels, default=0), NODES - 1), -1, np.int64)
        for row, cell, level in zip(tokens, cells, levels, strict=True):
            row[:level] = _rows([cell[_edges(b - 1) : _edges(b)] for b in range(1, level + 1)])
        return tokens

    # Graphs

    def graph(self, architecture: Architecture) -> Graph:
        """A node per operation the output depends on; sums are where edges meet."""
        return cell_graph(self.codes(architecture), self.operations)


_text = cache(cell_text)


def _edges(nodes: int) -> int:
    """How many edges end in the first `nodes` nodes that compute.

    >>> [_edges(n) for n in (1, 2, 3)]
    [1, 3, 6]
    """
    return nodes * (nodes + 1) // 2


def _close(begun: Codes, level: int) -> Codes:
    """The cell whose first `level` nodes are `begun`, the last of them being its output."""
    if level == NODES - 1:
        return begun
    skipped = [NONE] * (len(EDGES) - len(begun))
    skipped[EDGES.index((level, NODES - 1)) - len(begun)] = SKIP
    return (*begun, *skipped)


@cache
def _level(cell: Codes) -> int:
    return next(b for b in range(1, NODES) if _close(cell[: _edges(b)], b) == cell)


def _rows(steps: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """int[n, 3] of operations counted from 1, padded with 0."""
    rows = np.zeros((len(steps), NODES - 1), np.int64)
    for row, step in zip(rows, steps, strict=True):
        row[: len(step)] = np.add(step, 1)
    return rows
