"""The meta-controller of path-level transformations (Cai et al., ICML 2018, Sec. 3.3): a bidirectional
tree-structured LSTM (Tai, Socher & Manning 2015, arXiv 1503.00075) reads a tree cell, and softmaxes over a
node's state say how it branches, and which operation leads to it.

From the leaves up, the states of branches that are added enter by their sum (Child-Sum Tree-LSTM), those of
halves that are concatenated by weights of their own (N-ary Tree-LSTM); from the root down each node reads its
parent's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from cambrian.architecture import Architecture, Walkable
from cambrian.choices import Answer, Choice, OneOf, Scalar
from cambrian.spaces.knowledge import Tree, Trees
from cambrian.strategies.morphing.decided import Decided
from cambrian.strategies.morphing.eas_actors import Sizes
from cambrian.strategies.morphing.named_weights import Memory, Reader, blank_memory, step_lstm

if TYPE_CHECKING:
    from collections.abc import Sequence

ORDERED = "concat"
"""The beginning of the merges whose branches have an order."""


class Grower(NamedTuple):
    """The space in which trees grow, the sizes of the controller, and whether its operations may be
    poolings."""

    space: Walkable
    trees: Trees
    sizes: Sizes
    pools: bool

    def list_options(self, choice: Choice) -> tuple[Scalar, ...]:
        """The answers to a question that the controller chooses from."""
        assert isinstance(choice, OneOf)
        left_out = () if self.pools else self.trees.weightless
        return tuple(option for option in choice.options if option not in left_out)


def grow(read: Reader, grower: Grower, decided: Decided) -> Architecture:
    """An architecture, question by question: each is answered by the state of its node in the tree so far."""
    answers: dict[str, Answer] = {}

    def decide(choice: Choice) -> Answer:
        states = encode(read, grower.trees.tree(answers), grower.sizes)
        node, _, question = choice.path.rpartition("/")
        state, options = states[f"{node}/" if node else ""], grower.list_options(choice)
        rows = read.embed("choose", tuple(f"{question} {o}" for o in options), len(state))
        answers[choice.path] = options[decided.choose(rows @ state)]
        return answers[choice.path]

    return grower.space.walk(decide)


def list_taken(grower: Grower, architecture: Architecture) -> list[int]:
    """The indices of the answers of an architecture, in the order of its questions."""
    taken: list[int] = []

    def decide(choice: Choice) -> Answer:
        answer = architecture[choice.path]
        taken.append(grower.list_options(choice).index(answer))
        return answer

    grower.space.walk(decide)
    return taken


def encode(read: Reader, tree: Tree, sizes: Sizes) -> Mapping[str, Tensor]:
    """The states [2 * hidden] of the nodes by their paths."""
    up: dict[str, Memory] = {}
    read_up(read, tree, sizes, up)
    down: dict[str, Memory] = {}
    read_down(read, tree, blank_memory(sizes.hidden), sizes, up, down)
    return {path: torch.cat([up[path][0], down[path][0]]) for path in up}


def read_up(read: Reader, tree: Tree, sizes: Sizes, states: dict[str, Memory]) -> Memory:
    """The memory of the operation that leads to the node and of all that is below it."""
    branches = [read_up(read, branch, sizes, states) for branch in tree.branches]
    merge = _embed(read, "merge", tree.merge, sizes)
    merged = merge_branches(read, merge, branches, tree.merge.startswith(ORDERED), sizes)
    operation = _embed(read, "operation", tree.operation, sizes)
    states[tree.path] = step_lstm(read, "edge", operation, merged)
    return states[tree.path]


def merge_branches(
    read: Reader, x: Tensor, branches: Sequence[Memory], ordered: bool, sizes: Sizes
) -> Memory:
    """The memory of a node that reads `x` and the memories of its branches: input, output and update gates by
    all of them, and a forget gate for each."""
    hidden, name = sizes.hidden, "ordered" if ordered else "sum"
    below = x @ read(f"{name} below", len(x), 4 * hidden) + read(f"{name} bias", 4 * hidden)
    i, o, u, f = below.chunk(4)
    cell = torch.zeros(hidden, dtype=torch.float64)
    for place, (h, c) in enumerate(branches):
        past = read(f"{name} past{place if ordered else ''}", hidden, 4 * hidden)
        to_i, to_o, to_u, to_f = (h @ past).chunk(4)
        i, o, u = i + to_i, o + to_o, u + to_u
        cell = cell + (f + to_f).sigmoid() * c
    cell = cell + i.sigmoid() * u.tanh()
    return o.sigmoid() * cell.tanh(), cell


def read_down(
    read: Reader,
    tree: Tree,
    above: Memory,
    sizes: Sizes,
    up: Mapping[str, Memory],
    states: dict[str, Memory],
) -> None:
    """The memory of all that is above a node, for it and all below it."""
    operation = _embed(read, "operation", tree.operation, sizes)
    states[tree.path] = step_lstm(read, "down", torch.cat([operation, up[tree.path][0]]), above)
    for branch in tree.branches:
        read_down(read, branch, states[tree.path], sizes, up, states)


def _embed(read: Reader, kind: str, name: str, sizes: Sizes) -> Tensor:
    return read(f"{kind} {name}", sizes.embedding)
