"""Spaces that break one promise each."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import count
from typing import Any, ClassVar

import msgspec
import numpy as np
import torch
from torch import nn

from cambrian.architecture import Architecture
from cambrian.choices import OneOf
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.spaces.chains.tiny_chain import TinyChain
from cambrian.spaces.growth.depth_growth import DepthGrowth
from cambrian.spaces.knowledge import Graph, Pool
from cambrian.spaces.space import Pick


@dataclass(frozen=True)
class Remembers(TinyChain):
    """Asks another question on every other walk."""

    walks: ClassVar[Any] = count()

    def program(self, pick: Pick) -> None:
        super().program(pick)
        pick(f"walk{next(self.walks) % 2}", ["a", "b"])


@dataclass(frozen=True)
class Moody(TinyChain):
    """Rejects walks by dice of its own."""

    def program(self, pick: Pick) -> None:
        super().program(pick)
        pick.require(random.random() < 0.7, "not today")


@dataclass(frozen=True)
class AsksTwice(TinyChain):
    """Asks under one path twice."""

    def program(self, pick: Pick) -> None:
        super().program(pick)
        pick("layers", [1, 2])


@dataclass(frozen=True)
class LooksAhead(TinyChain):
    """Asks questions whose options change as a walk is repeated."""

    seen: ClassVar[list[int]] = []

    def program(self, pick: Pick) -> None:
        self.seen.append(1)
        pick("walk", [f"option {n}" for n in range(1 + len(self.seen))])
        super().program(pick)


@dataclass(frozen=True)
class Miscounts(TinyChain):
    """Says that a question is about another layer than its path does."""

    def program(self, pick: Pick) -> None:
        super().program(pick)
        pick.ask(OneOf("layer1/bias", (True, False), parts=("layer", 2, "/bias")))


@dataclass(frozen=True)
class HashedNames(TinyChain):
    """Canonical texts from Python's `hash`, another in every process."""

    def canonical(self, architecture: Architecture) -> str:
        return str(hash(super().canonical(architecture)))


@dataclass(frozen=True)
class OrderedNames(TinyChain):
    """Canonical texts that depend on the order of the answers."""

    def canonical(self, architecture: Architecture) -> str:
        return repr(list(architecture.items()))


@dataclass(frozen=True)
class OneName(TinyChain):
    """Everything is the same function."""

    def canonical(self, architecture: Architecture) -> str:
        return "network"


@dataclass(frozen=True)
class CoarseNames(TinyChain):
    """Chains of one length are the same function, whatever their widths."""

    def canonical(self, architecture: Architecture) -> str:
        return f"{architecture['layers']} layers"


def edited(pool: Pool, chosen: Any, **changes: Any) -> Pool:
    """The pool with only the chosen children, in that order."""
    chosen = np.asarray(chosen, dtype=np.int64)
    kept = {
        "parent": pool.parent[chosen],
        "step": pool.step[chosen],
        "materialise": lambda i: pool.architecture(int(chosen[i])),
    }
    return msgspec.structs.replace(pool, **{**kept, **changes})


class Growth(DepthGrowth):
    """A chain's growth, tokens and moves, of which a subclass breaks one."""


@dataclass(frozen=True)
class Chain(TinyChain):
    """A chain that knows itself by `growth`."""

    growth: ClassVar[type[Growth]] = Growth

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (self.growth(self),)


class Unfaithful(Growth):
    """Children that forget what their parents are."""

    def grow(self, parents: Any, rng: Any, cap: int | None = None) -> Pool:
        pool = super().grow(parents, rng, cap)
        return edited(pool, np.arange(len(pool)), parent=np.roll(pool.parent, 5) if parents else pool.parent)


class Leaps(Growth):
    """Children two levels up."""

    def grow(self, parents: Any, rng: Any, cap: int | None = None) -> Pool:
        pool = super().grow(parents, rng, cap)
        if parents:
            return pool
        return super().grow([pool.architecture(i) for i in range(len(pool))], rng, cap)


class Twins(Growth):
    """Each child twice."""

    def grow(self, parents: Any, rng: Any, cap: int | None = None) -> Pool:
        pool = super().grow(parents, rng, cap)
        return edited(pool, np.repeat(np.arange(len(pool)), 2), before=2 * len(pool))


class Uncapped(Growth):
    """Does not keep to the cap."""

    def grow(self, parents: Any, rng: Any, cap: int | None = None) -> Pool:
        return super().grow(parents, rng, None)


class FirstFew(Growth):
    """Keeps to the cap by taking the first, whatever the seed."""

    def grow(self, parents: Any, rng: Any, cap: int | None = None) -> Pool:
        pool = super().grow(parents, rng, None)
        return edited(pool, np.arange(min(len(pool), cap or len(pool))), complete=cap is None)


class Forgets(Growth):
    """Grows half of the children and says that is all."""

    def grow(self, parents: Any, rng: Any, cap: int | None = None) -> Pool:
        pool = super().grow(parents, rng, cap)
        return edited(pool, np.arange(0, len(pool), 2))


class Shuffles(Growth):
    """Children in another order each time."""

    def grow(self, parents: Any, rng: Any, cap: int | None = None) -> Pool:
        pool = super().grow(parents, rng, cap)
        return edited(pool, np.random.default_rng().permutation(len(pool)))


class WrongSteps(Growth):
    """Steps that are not the tokens children add."""

    def grow(self, parents: Any, rng: Any, cap: int | None = None) -> Pool:
        pool = super().grow(parents, rng, cap)
        return edited(pool, np.arange(len(pool)), step=pool.step[::-1].copy())


class LargeTokens(Growth):
    """Tokens beyond the vocabulary."""

    def tokens(self, architectures: Any) -> Any:
        tokens = super().tokens(architectures)
        return np.where(tokens >= 0, tokens + 1, tokens)


class SameTokens(Growth):
    """The same tokens for everything."""

    def tokens(self, architectures: Any) -> Any:
        return np.zeros_like(super().tokens(architectures))


class PaddedInFront(Growth):
    """Padding before the tokens."""

    def tokens(self, architectures: Any) -> Any:
        return super().tokens(architectures)[:, ::-1]


class Sociable(Growth):
    """Tokens that depend on what else is encoded."""

    def tokens(self, architectures: Any) -> Any:
        tokens = super().tokens(architectures)
        return np.where(tokens > 0, np.maximum(tokens - len(architectures) // 5, 0), tokens)


@dataclass(frozen=True)
class Cyclic(TinyChain):
    """A graph with an edge back."""

    def graph(self, architecture: Architecture) -> Graph:
        graph = super().graph(architecture)
        return msgspec.structs.replace(graph, edges=(*graph.edges, (len(graph.labels) - 1, 0)))


@dataclass(frozen=True)
class Impure(TinyChain):
    """Weights that do not come from torch's seed."""

    def build(self, architecture: Any, task: Any, **skeleton: Any) -> nn.Module:
        network = super().build(architecture, task, **skeleton)
        with torch.no_grad():
            for p in network.parameters():
                p.add_(random.random())
        return network


@dataclass(frozen=True)
class OneMoreClass(TinyChain):
    """A logit too many."""

    def build(self, architecture: Any, task: Any, **skeleton: Any) -> nn.Module:
        network = super().build(architecture, task, **skeleton)
        return nn.Sequential(network, nn.Linear(task.classes, task.classes + 1))


class Explode(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / 0


class Detach(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.detach()


class Keeper(nn.Identity):
    def __init__(self, kept: Any) -> None:
        super().__init__()
        self.kept = kept


@dataclass(frozen=True)
class Explodes(TinyChain):
    """Logits that are not finite."""

    def build(self, architecture: Any, task: Any, **skeleton: Any) -> nn.Module:
        return nn.Sequential(super().build(architecture, task, **skeleton), Explode())


class Counts(nn.Module):
    """Looks at how many images there are as a number of Python's."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs.reshape(len(inputs), -1)


@dataclass(frozen=True)
class Fixed(TinyChain):
    """Its program takes as many images as it was exported with."""

    def build(self, architecture: Any, task: Any, **skeleton: Any) -> nn.Module:
        return nn.Sequential(super().build(architecture, task, **skeleton), Counts())


@dataclass(frozen=True)
class Unteachable(TinyChain):
    """A network that no gradient enters."""

    def build(self, architecture: Any, task: Any, **skeleton: Any) -> nn.Module:
        return nn.Sequential(super().build(architecture, task, **skeleton), Detach())


@dataclass(frozen=True)
class Clings(TinyChain):
    """A network that holds its architecture."""

    def build(self, architecture: Any, task: Any, **skeleton: Any) -> nn.Module:
        return nn.Sequential(super().build(architecture, task, **skeleton), Keeper([architecture]))


@dataclass(frozen=True)
class Heavy(TinyChain):
    """Allocates weights to ask a question."""

    def program(self, pick: Pick) -> None:
        nn.Linear(8, 8)
        super().program(pick)


@dataclass(frozen=True)
class Materialises(TinyChain):
    """Builds on the CPU even where it is told to allocate nothing."""

    def build(self, architecture: Any, task: Any, **skeleton: Any) -> nn.Module:
        with torch.device("cpu"):
            return super().build(architecture, task, **skeleton)


@dataclass(frozen=True)
class Lenient(TinyChain):
    """Builds what it does not know."""

    def build(self, architecture: Any, task: Any, **skeleton: Any) -> nn.Module:
        known = {p: a for p, a in architecture.items() if p != "no such question"}
        skeleton = {k: v for k, v in skeleton.items() if k == "filters"}
        return super().build(Architecture(known), task, **skeleton)


class Lossy(Growth):
    """Moves layers and forgets what is asked of them."""

    def move(self, kind: str, architecture: Any, rng: Any) -> Any:
        return Architecture({"layers": 1})


class Fickle(Growth):
    """Draws moves from a generator of its own."""

    def move(self, kind: str, architecture: Any, rng: Any) -> Any:
        return super().move(kind, architecture, np.random.default_rng())


class Stuck(Growth):
    """Names moves that lead nowhere."""

    def move(self, kind: str, architecture: Any, rng: Any) -> Any:
        return None


@dataclass(frozen=True)
class Deaf(NASBench201):
    """Shares weights, and runs as one architecture whichever is chosen."""

    def share(self, outer: Any, task: Any, **skeleton: Any) -> Any:
        supernet = super().share(outer, task, **skeleton)
        choose = supernet.choose
        supernet.choose = lambda _: choose(self.architecture((4, 4, 4, 4, 4, 4)))
        return supernet


@dataclass(frozen=True)
class Leaky(NASBench201):
    """Shares weights, and adds nothing times all of them."""

    def share(self, outer: Any, task: Any, **skeleton: Any) -> Any:
        supernet = super().share(outer, task, **skeleton)
        supernet.register_forward_hook(
            lambda net, inputs, logits: logits + 0 * sum(p.sum() for p in net.parameters())
        )
        return supernet


def chain_that_knows(growth: type[Growth]) -> type[Chain]:
    """The chains that know themselves by `growth`, under its name."""
    return type(growth.__name__, (Chain,), {"growth": growth})


BROKEN = [
    (Remembers, "program_depends_on_answers_alone"),
    (Moody, "sampling_depends_on_the_seed_alone"),
    (AsksTwice, "replay_gives_a_sample_back"),
    (LooksAhead, "program_depends_on_answers_alone"),
    (Miscounts, "numbers_of_paths_are_in_them"),
    (HashedNames, "names_are_the_same_in_every_process"),
    (OrderedNames, "canonical_is_a_function_of_the_answers"),
    (OneName, "canonical_tells_functions_apart"),
    (CoarseNames, "canonical_tells_functions_apart"),
    (chain_that_knows(Unfaithful), "children_keep_what_their_parents_are"),
    (chain_that_knows(Leaps), "growth_goes_one_level_up"),
    (chain_that_knows(Twins), "children_are_distinct"),
    (chain_that_knows(Uncapped), "growth_keeps_the_cap"),
    (chain_that_knows(FirstFew), "growth_keeps_the_cap"),
    (chain_that_knows(Forgets), "growth_misses_nothing"),
    (chain_that_knows(Shuffles), "growth_depends_on_the_seed_alone"),
    (chain_that_knows(WrongSteps), "steps_continue_their_parents_tokens"),
    (chain_that_knows(LargeTokens), "tokens_are_in_their_vocabulary"),
    (chain_that_knows(SameTokens), "tokens_tell_architectures_apart"),
    (chain_that_knows(PaddedInFront), "tokens_are_in_their_vocabulary"),
    (chain_that_knows(Sociable), "tokens_do_not_depend_on_the_company"),
    (chain_that_knows(Lossy), "moves_are_legal"),
    (chain_that_knows(Fickle), "moves_are_legal"),
    (chain_that_knows(Stuck), "moves_are_legal"),
    (Cyclic, "graphs_are_acyclic"),
    (Impure, "build_depends_on_the_seed_alone"),
    (OneMoreClass, "build_gives_a_logit_per_class"),
    (Explodes, "build_gives_a_logit_per_class"),
    (Fixed, "networks_are_exported"),
    (Deaf, "supernets_are_their_networks"),
    (Leaky, "supernets_are_their_networks"),
    (Unteachable, "networks_train"),
    (Clings, "networks_are_plain_torch"),
    (Heavy, "sampling_allocates_no_weights"),
    (Materialises, "build_works_without_memory"),
    (Lenient, "build_refuses_foreign_answers"),
    (Lenient, "unknown_skeleton_settings_are_refused"),
]
