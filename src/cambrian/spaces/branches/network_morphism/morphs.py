"""The network morphisms of the space of that name (Elsken et al. 2017, Sec. 3; 2019, Sec. 4.1), and branches
(Cai et al. 2018, Sec. 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cambrian.architecture import Architecture
from cambrian.spaces.growth.answer_morphs import AnswerMorphs

if TYPE_CHECKING:
    import numpy as np

    from cambrian.spaces.branches.network_morphism.space import NetworkMorphism

OWN = ("deepen", "widen", "skip-concat")
"""Moves of the space that keep the function. A skip that adds is none of them: its sum has no gate that could
begin at zero. A branch that adds is one, since both of its layers begin with a part of the sum."""
KINDS = {"layer#/width": "widen", "layer#/kernel": "kernel", "layer#/skips": "skip"}


@dataclass(frozen=True)
class LayerMorphs:
    """`Morphs` of the space: its own moves, branches, larger kernels, and the way back."""

    space: NetworkMorphism

    @cached_property
    def _answers(self) -> AnswerMorphs:
        return AnswerMorphs(self.space, KINDS)

    @property
    def morphs(self) -> tuple[str, ...]:
        return (*OWN, "branch", "kernel")

    @property
    def shrinks(self) -> tuple[str, ...]:
        return ("shallow", *self._answers.shrinks)

    def morph(self, kind: str, architecture: Architecture, rng: np.random.Generator) -> Architecture | None:
        """A random edit of that kind; None where none is possible."""
        if kind in OWN:
            return self.space.move(kind, architecture, rng)
        if kind == "branch":
            return self.space.put_beside(architecture, rng)
        if kind == "shallow":
            return self.space.take_out(architecture, rng)
        return self._answers.morph(kind, architecture, rng)
