"""The networks of NAS-Bench-Macro (Su et al., CVPR 2021, arXiv 2103.11922): a chain of eight layers in
stages of two, three and three, each an inverted residual block or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.architecture import Architecture, replay
from cambrian.choices import Scalar
from cambrian.errors import SpaceError, UnknownName
from cambrian.spaces.space import Graph, Pick, Pool, Signature, Space

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

OPERATIONS = ("identity", "mb3_k3", "mb6_k5")
STAGES = (2, 3, 3)
LAYERS = sum(STAGES)
FIRST = frozenset({0, 2, 5})  # these layers halve the image: one that is nothing is a projection
PATHS = tuple(f"layer{n}" for n in range(1, LAYERS + 1))
SETTINGS = ("filters",)

Codes = tuple[int, ...]


@dataclass(frozen=True)
class Macro(Space):
    """Levels are the numbers of blocks, 1 to 8 (the network without any counts to the first). A network
    grows by one block after its last."""

    def program(self, pick: Pick) -> None:
        for path in PATHS:
            pick(path, OPERATIONS)

    def build(self, architecture: Architecture, task: Signature, **skeleton: Scalar) -> nn.Module:
        """The skeleton has one setting, `filters` of the stem (32)."""
        from cambrian.networks.macro import network

        settings: dict[str, Any] = dict(skeleton)
        for name in settings:
            if name not in SETTINGS:
                raise UnknownName("skeleton setting", name, SETTINGS)
        return network(
            self.codes(replay(self, architecture)), STAGES, task.channels, task.classes, **settings
        )

    def codes(self, architecture: Architecture) -> Codes:
        """Each layer's place in `OPERATIONS`."""
        return tuple(OPERATIONS.index(str(architecture[path])) for path in PATHS)

    def architecture(self, codes: Sequence[int]) -> Architecture:
        """The inverse of `codes`."""
        return Architecture({path: OPERATIONS[code] for path, code in zip(PATHS, codes, strict=True)})

    def canonical(self, architecture: Architecture) -> str:
        """Where in its stage a layer is nothing makes no difference, the stage's first layer aside."""
        return _text(self.codes(architecture))

    @property
    def levels(self) -> tuple[int, ...]:
        return tuple(range(1, LAYERS + 1))

    def level(self, architecture: Architecture) -> int:
        return max(1, sum(map(bool, self.codes(architecture))))

    def grow(self, parents: Sequence[Architecture], rng: np.random.Generator, cap: int | None = None) -> Pool:
        """Every parent with every block at every layer after its last; beyond `cap`, drawn uniformly."""
        cells = [self.codes(a) for a in parents] or [(0,) * LAYERS]
        if len({max(1, sum(map(bool, c))) for c in cells}) > 1:
            raise SpaceError("only architectures of one level can be grown together")
        pairs = [] if parents else [(-1, (0, 0), cells[0])]
        for number, cell in enumerate(cells):
            if any(cell) or not parents:
                pairs += [(number if parents else -1, step, _with(cell, step)) for step in _steps(cell)]
        first: dict[str, tuple[int, tuple[int, int], Codes]] = {}
        for pair in pairs:
            first.setdefault(_text(pair[2]), pair)
        chosen = list(first.values())
        if cap is not None and len(chosen) > cap:
            chosen = [chosen[i] for i in np.sort(rng.permutation(len(chosen))[:cap]).tolist()]
        return Pool(
            parents=tuple(parents),
            parent=np.array([number for number, _, _ in chosen], np.int64),
            step=np.array([step for _, step, _ in chosen], np.int64).reshape(-1, 2),
            before=len(pairs),
            complete=cap is None or len(first) <= cap,
            materialise=lambda i: self.architecture(chosen[i][2]),
        )

    @property
    def slots(self) -> tuple[str, ...]:
        return ("layer", "operation")

    @property
    def vocabulary(self) -> Mapping[str, int]:
        return {"layer": LAYERS, "operation": len(OPERATIONS)}

    def tokens(self, architectures: Sequence[Architecture]) -> NDArray[np.int64]:
        """int[n, blocks of the largest, 2] (layer, operation) of every block, -1 beyond its own; the
        network without blocks is (0, identity)."""
        rows = [[(n, c) for n, c in enumerate(self.codes(a)) if c] or [(0, 0)] for a in architectures]
        tokens = np.full((len(rows), max(map(len, rows), default=0), 2), -1, np.int64)
        for token, row in zip(tokens, rows, strict=True):
            token[: len(row)] = row
        return tokens

    def graph(self, architecture: Architecture) -> Graph:
        """A chain: every layer that does something."""
        codes = self.codes(architecture)
        kept = [n for n, c in enumerate(codes) if c or n in FIRST]
        labels = ("input", *(OPERATIONS[codes[n]] for n in kept), "output")
        groups = ("input", *(f"layer {n + 1}" for n in kept), "output")
        return Graph(labels, tuple((i, i + 1) for i in range(len(kept) + 1)), groups)


def _text(codes: Codes) -> str:
    ends = np.cumsum(STAGES).tolist()
    stages = [codes[end - size : end] for size, end in zip(STAGES, ends, strict=True)]
    return "|".join(str(s[0]) + "".join(str(c) for c in s[1:] if c) for s in stages)


def _steps(codes: Codes) -> list[tuple[int, int]]:
    last = max((n for n, c in enumerate(codes) if c), default=-1)
    return [(n, c) for n in range(last + 1, LAYERS) for c in range(1, len(OPERATIONS))]


def _with(codes: Codes, step: tuple[int, int]) -> Codes:
    layer, code = step
    return (*codes[:layer], code, *codes[layer + 1 :])
