"""Spaces that break one promise each of what they know beyond their questions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cambrian.architecture import Architecture, sample
from cambrian.randomness import stream
from cambrian.spaces.branches.fabric.space import Fabric
from cambrian.spaces.branches.memory_banks.space import MemoryBanks
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.spaces.chains.tabular.space import TabularNetworks
from cambrian.spaces.chains.tiny_chain import TinyChain
from cambrian.spaces.hierarchies.tree_cells.space import TreeCells
from cambrian.spaces.knowledge import Mixes, Morphs, Tree, know


class Edits:
    """The morphisms of a tiny chain, for classes that change one."""

    def __init__(self) -> None:
        known = know(TinyChain(), Morphs)
        assert known is not None
        self.known = known

    @property
    def morphs(self) -> tuple[str, ...]:
        return self.known.morphs

    @property
    def shrinks(self) -> tuple[str, ...]:
        return self.known.shrinks

    def morph(self, kind: str, architecture: Architecture, rng: Any) -> Architecture | None:
        return self.known.morph(kind, architecture, rng)


class Dreams(Edits):
    """Draws edits from a generator of its own."""

    def morph(self, kind: str, architecture: Architecture, rng: Any) -> Architecture | None:
        return self.known.morph(kind, architecture, np.random.default_rng())


class Idles(Edits):
    """Edits nothing."""

    def morph(self, kind: str, architecture: Architecture, rng: Any) -> Architecture | None:
        return architecture


class Prunes(Edits):
    """Takes what shrinks for what enlarges."""

    @property
    def morphs(self) -> tuple[str, ...]:
        return self.known.shrinks

    @property
    def shrinks(self) -> tuple[str, ...]:
        return self.known.morphs


class Gates:
    """The gates of NAS-Bench-201, for classes that change one."""

    def __init__(self) -> None:
        known = know(NASBench201(), Mixes)
        assert known is not None
        self.known = known

    def list_sites(self, outer: Any) -> Mapping[str, Any]:
        return self.known.list_sites(outer)

    def find_whole(self, outer: Any) -> Architecture:
        return self.known.find_whole(outer)

    def derive(self, gates: Any, outer: Any) -> Architecture:
        return self.known.derive(gates, outer)

    def count_skips(self, architecture: Architecture) -> Any:
        return self.known.count_skips(architecture)


class Overlooks(Gates):
    """Leaves a site out."""

    def list_sites(self, outer: Any) -> Mapping[str, Any]:
        return dict(list(self.known.list_sites(outer).items())[1:])


class Stubborn(Gates):
    """Derives the same architecture of all gates."""

    def derive(self, gates: Any, outer: Any) -> Architecture:
        return sample(NASBench201(), stream(1, "stubborn"))


class Contrary(Gates):
    """Derives the operations in another order than that of their gates."""

    def derive(self, gates: Any, outer: Any) -> Architecture:
        return self.known.derive({name: gate[::-1] for name, gate in gates.items()}, outer)


@dataclass(frozen=True)
class Unparted(NASBench201):
    """Lets operations see all channels, whatever part is asked for."""

    def share_partly(self, outer: Any, task: Any, channel_share: int, **skeleton: Any) -> Any:
        return self.share(outer, task, **skeleton)


@dataclass(frozen=True)
class FalseStart(TabularNetworks):
    """Begins with what it does not hold."""

    @property
    def begins(self) -> Mapping[str, Architecture]:
        return {"a network": Architecture({"blocks": 0})}


@dataclass(frozen=True)
class Unmoved(TabularNetworks):
    """Begins with all networks, whichever it is narrowed to."""

    def narrow(self, keeps: Any) -> TabularNetworks:
        return replace(self)


@dataclass(frozen=True)
class Repeats(TinyChain):
    """Lists an architecture twice."""

    @property
    def count(self) -> int:
        return 2

    def list_architectures(self) -> list[Architecture]:
        return [sample(self, stream(1, "conformance", 0))] * 2


@dataclass(frozen=True)
class Uncut(Fabric):
    """Cuts nothing."""

    def cut(self, inputs: Any) -> Architecture:
        return super().cut({})


@dataclass(frozen=True)
class Pruned(TreeCells):
    """Reads every tree as if it did nothing."""

    def tree(self, answers: Any) -> Tree:
        return super().tree({})


@dataclass(frozen=True)
class Blank(MemoryBanks):
    """Maps all architectures alike."""

    def map_banks(self, architecture: Any) -> list[list[list[float]]]:
        return super().map_banks(sample(self, stream(1, "blank")))


def knowing(base: type, knowledge: type) -> type:
    """The space `base` that knows itself by `knowledge`, under its name."""

    def know_both(self: Any) -> tuple[object, ...]:
        return (knowledge(), *base.knowledge.__get__(self))  # type: ignore[attr-defined]

    return type(knowledge.__name__, (base,), {"knowledge": property(know_both)})


BROKEN = [
    (knowing(TinyChain, Dreams), "morphs_are_legal"),
    (knowing(TinyChain, Idles), "morphs_are_legal"),
    (knowing(TinyChain, Prunes), "morphs_keep_the_function"),
    (knowing(NASBench201, Overlooks), "sites_are_the_supernets"),
    (knowing(NASBench201, Stubborn), "gates_lead_to_architectures"),
    (knowing(NASBench201, Contrary), "mixtures_of_ones_and_zeros_are_networks"),
    (Unparted, "partial_channels_run"),
    (FalseStart, "first_architectures_are_legal"),
    (Unmoved, "first_architectures_are_legal"),
    (Repeats, "listed_architectures_are_all"),
    (Uncut, "one_architecture_contains_all"),
    (Pruned, "trees_are_read"),
    (Blank, "maps_of_banks_are_of_one_size"),
]
