"""The networks of NAS-Bench-Macro (Su et al., CVPR 2021, arXiv 2103.11922): a chain of eight layers in
stages of two, three and three, each an inverted residual block or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.architecture import Architecture
from cambrian.choices import read_whole
from cambrian.paths import at
from cambrian.spaces.budgets import list_sizes
from cambrian.spaces.gates import ForkGates
from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.growth.answer_morphs import AnswerMorphs
from cambrian.spaces.growth.depth_growth import DepthGrowth
from cambrian.spaces.small_images import small
from cambrian.spaces.space import Graph, Pick, Signature, Space

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from cambrian.networks.sharing.reading import Reading

OPERATIONS = ("identity", "mb3_k3", "mb6_k5")
STAGES = (2, 3, 3)
LAYERS = sum(STAGES)
FIRST = frozenset({0, 2, 5})  # these layers halve the image: one that is nothing is a projection
SETTINGS = ("filters",)

Codes = tuple[int, ...]

MORPHS = {"layer#": "kernel"}


@dataclass(frozen=True)
class Macro(Space):
    """A level is the number of first layers that are decided; those after them are nothing. So the 3 + 9
    + ... + 6,561 architectures are the 6,561 networks, smaller ones more than once.

    All questions are shared: a layer's operations keep its shape."""

    skeleton = SETTINGS
    sizes = list_sizes(filters=(8, 16, 24, 32))
    shared = ("layers", "layer#")

    measure = "uniform over chains of all numbers of layers together"

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (DepthGrowth(self), ForkGates(self), AnswerMorphs(self, MORPHS))

    def program(self, pick: Pick) -> None:
        # As many chains as a depth has: all depths together are then uniform.
        weights = [float(len(OPERATIONS) ** d) for d in range(1, LAYERS + 1)]
        for n in range(1, pick.depth("layers", 1, LAYERS, weights) + 1):
            pick(at("layer", n), OPERATIONS)

    def plan(self, architecture: Architecture) -> Codes:
        """The code of every layer."""
        return self.codes(architecture)

    def make(self, read: Reading[Codes], task: Signature, **skeleton: Any) -> nn.Module:
        """The skeleton has one setting, `filters` of the stem (32; 8 for small images)."""
        from cambrian.spaces.chains.macro.network import network

        return network(read, STAGES, task.channels, task.classes, **small(task, skeleton, filters=8))

    def codes(self, architecture: Architecture) -> Codes:
        """The place in `OPERATIONS` of each of the eight layers."""
        names = (str(architecture.get(f"layer{n}", OPERATIONS[0])) for n in range(1, LAYERS + 1))
        return tuple(OPERATIONS.index(name) for name in names)

    def architecture(self, codes: Sequence[int]) -> Architecture:
        """The chain whose first layers have these codes."""
        layers = {f"layer{n}": OPERATIONS[code] for n, code in enumerate(codes, start=1)}
        return Architecture({"layers": len(codes), **layers})

    def canonical(self, architecture: Architecture) -> str:
        """Where in its stage a layer is nothing makes no difference, the stage's first layer aside."""
        codes, ends = self.codes(architecture), np.cumsum(STAGES).tolist()
        stages = [codes[end - size : end] for size, end in zip(STAGES, ends, strict=True)]
        # The first layer of a stage halves the image even as "identity": it is never dropped.
        return "|".join(str(s[0]) + "".join(str(c) for c in s[1:] if c) for s in stages)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("layer", "operation")

    @property
    def vocabulary(self) -> Mapping[str, int]:
        return {"layer": LAYERS, "operation": len(OPERATIONS)}

    def tokens(self, architectures: Sequence[Architecture]) -> NDArray[np.int64]:
        """int[n, layers of the longest, 2] (layer, operation) of every layer that is decided."""
        levels = [read_whole(a["layers"]) for a in architectures]
        tokens = np.full((len(levels), max(levels, default=0), 2), -1, np.int64)
        for token, architecture, level in zip(tokens, architectures, levels, strict=True):
            token[:level] = list(enumerate(self.codes(architecture)[:level]))
        return tokens

    def graph(self, architecture: Architecture) -> Graph:
        """A chain of the layers that compute."""
        codes = self.codes(architecture)
        kept = [n for n, c in enumerate(codes) if c or n in FIRST]
        labels = ("input", *(OPERATIONS[codes[n]] for n in kept), "output")
        groups = ("input", *(f"layer {n + 1}" for n in kept), "output")
        return build_graph(labels, tuple((i, i + 1) for i in range(len(kept) + 1)), groups)
