"""The case of a check of spaces: a space, and the task that its networks are built for."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from cambrian.architecture import Architecture, sample
from cambrian.choices import Scalar
from cambrian.randomness import stream
from cambrian.spaces.knowledge import Canonical, Grows, Pool, know
from cambrian.spaces.program.function_space import Shape
from cambrian.spaces.space import Signature, Space

SAMPLES = 20


@dataclass(frozen=True)
class SpaceCase:
    """A space under test. Networks are built for `task` with `skeleton`: keep them small. `cap` bounds
    the number of children of a pool."""

    space: Space
    task: Signature = Shape(channels=2, height=8, width=8, classes=3)
    skeleton: dict[str, Scalar] = field(default_factory=dict)
    cap: int = 2000

    @cached_property
    def samples(self) -> list[Architecture]:
        return [sample(self.space, stream(1, "conformance", n)) for n in range(SAMPLES)]

    @cached_property
    def pools(self) -> list[tuple[list[Architecture], Pool]]:
        """(parents, children) of the first three levels: each grown from the whole level before, or from some
        sixteen of it. The space must be a `Grows`."""
        space = know(self.space, Grows)
        assert space is not None
        pools: list[tuple[list[Architecture], Pool]] = []
        parents: list[Architecture] = []
        for _level in space.levels[:3]:
            pool = space.grow(parents, stream(1, "grow"), cap=self.cap)
            pools.append((parents, pool))
            # Small levels whole, so that a check can hold the next one to be complete; of large ones a few,
            # evenly spread: children number hundreds for each parent.
            chosen = range(0, len(pool), 1 if len(pool) <= 64 else len(pool) // 16)
            parents = [pool.architecture(i) for i in chosen]
        return pools

    def same(self, one: Architecture, other: Architecture) -> bool:
        """Whether both are the same function, as far as the space knows."""
        # A space without canonical texts tells architectures apart by their answers alone.
        names = know(self.space, Canonical)
        return one == other if names is None else names.canonical(one) == names.canonical(other)
