"""The stages of a search by gates: trainings of one supernet after another, each of which leaves fewer
options; and the architecture that the last one's gates stand for, with a bound on its skip connections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cambrian.architecture import Architecture
from cambrian.choices import Answer, Scalar
from cambrian.spaces.knowledge import Mixes

Gates = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Stage:
    """A supernet's training, in the run's skeleton with the changes in `skeleton`, by the method with these
    further `arguments`; after it, `keep` options of each gate are left (0: all)."""

    skeleton: Mapping[str, Scalar] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    keep: int = 0


@dataclass(frozen=True)
class Stages:
    """The stages in their order; the derived architecture has at most `most_skips` skip connections among
    those that its space counts (None: any number)."""

    stages: tuple[Stage, ...] = (Stage(),)
    most_skips: int | None = None

    def __len__(self) -> int:
        return len(self.stages)

    def __getitem__(self, number: int) -> Stage:
        return self.stages[number]


def find_strongest(gates: Gates, count: int) -> dict[str, tuple[int, ...]]:
    """The indices of the `count` most probable options of each gate, in their order.

    >>> find_strongest({"edge": [0.1, 0.4, 0.2, 0.3]}, 2)
    {'edge': (1, 3)}
    """
    return {
        site: tuple(sorted(sorted(range(len(gate)), key=lambda i: (-gate[i], i))[:count]))
        for site, gate in gates.items()
    }


def derive_with_few_skips(mixes: Mixes, gates: Gates, outer: Mapping[str, Answer], most: int) -> Architecture:
    """The architecture of the gates; while it has more than `most` skip connections, the least probable of
    them is given up and another one derived (Chen et al. 2019, Sec. 3.3)."""
    architecture, left = mixes.derive(gates, outer), dict(gates)
    while mixes.count_skips(architecture).count > most:
        fewer = next(_list_without_one(mixes, left, outer, architecture), None)
        if fewer is None:
            break
        left, architecture = fewer
    return architecture


def _list_without_one(
    mixes: Mixes, gates: Gates, outer: Mapping[str, Answer], architecture: Architecture
) -> Iterator[tuple[dict[str, Sequence[float]], Architecture]]:
    """Gates without one skip connection each, the least probable first, with an architecture that has fewer
    of them."""
    sites, count = mixes.list_sites(outer), mixes.count_skips(architecture).count
    strongest = {
        name: _find_strongest(gate, sites[name].nothing) for name, gate in gates.items() if name in sites
    }
    for name, i in sorted(strongest.items(), key=lambda item: gates[item[0]][item[1]]):
        left = {**gates, name: [0.0 if j == i else p for j, p in enumerate(gates[name])]}
        other = mixes.derive(left, outer)
        # Of another operation, or of a skip that is not derived or counted, there are as many as before.
        if mixes.count_skips(other).count < count:
            yield left, other


def _find_strongest(gate: Sequence[float], without: int | None) -> int:
    """The index of the most probable option, the first of several alike, leaving out index `without`."""
    return max((i for i in range(len(gate)) if i != without), key=lambda i: (gate[i], -i))
