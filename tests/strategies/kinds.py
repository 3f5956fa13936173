"""A space that asks every kind of question, some only after others, and rejects some walks."""

from __future__ import annotations

from dataclasses import dataclass

from cambrian.spaces.space import Space


@dataclass(frozen=True)
class Kinds(Space):
    """Finite unless `real`."""

    real: bool = False

    def program(self, pick):
        kind = pick("kind", ["narrow", "wide", "rare"], weights=[2, 1, 0])
        width = pick.integer("width", 3, 12)
        if kind == "wide":
            pick.some("inputs", ["x", "y", "z", "w"], 1, 2)
        if self.real:
            pick.real("rate", 0.01, 1.0, log=True)
        pick.require(kind != "narrow" or width < 9, "narrow is not wide")

    def build(self, architecture, task, **skeleton):
        raise NotImplementedError
