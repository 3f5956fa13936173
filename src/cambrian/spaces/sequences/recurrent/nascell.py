"""The recurrent cells of Zoph & Le (ICLR 2017, arXiv 1611.01578, Sec. 3.4).

A cell is a binary tree. Each leaf combines a linear map of the input with one of the last output, each
join combines two nodes; both then apply an activation. A cell also has a memory: it enters at one node
and is kept from one.

The paper's trees have a number of leaves, the base, that is a power of two. Here they grow leaf by
leaf, each new one with the join that fits it in, and pass through the paper's on the way. So that a
tree keeps its answers when it grows, the cell does not name the nodes of the memory: a new leaf and its
join may claim them, and the last to do so has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

from cambrian.architecture import Architecture
from cambrian.choices import Scalar, read_whole
from cambrian.paths import at, extend
from cambrian.spaces.bounds import check_bounds
from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.sequences.recurrent.common import ACTIVATIONS, RecurrentCells
from cambrian.spaces.space import Graph, Pick

if TYPE_CHECKING:
    from cambrian.networks.sharing.reading import Reading
    from cambrian.spaces.sequences.recurrent.network import Joined, MakeCell

MOST = 30  # leaves
COMBINATIONS = ("add", "multiply")
QUESTIONS = ("combination", "activation")
CLAIMS = ("stay", "leaf", "join")

Step = tuple[str, str]  # combination, activation


@dataclass(frozen=True)
class Tree:
    """`steps` of the nodes, in the order of the paper's tree index: the leaves, then the joins of two
    leaves, of four, of eight. The memory is merged by `injection` into the result of node `inject`; the
    next memory is the combination of node `keep`, before its activation."""

    steps: tuple[Step, ...]
    inject: int
    injection: Step
    keep: int

    @property
    def leaves(self) -> int:
        return (len(self.steps) + 1) // 2


PUBLISHED = Tree(
    steps=(
        ("add", "sigmoid"),
        ("add", "relu"),
        ("add", "sigmoid"),
        ("multiply", "relu"),
        ("add", "tanh"),
        ("add", "sigmoid"),
        ("add", "tanh"),
        ("add", "sigmoid"),
        ("multiply", "tanh"),
        ("add", "tanh"),
        ("multiply", "tanh"),
        ("add", "sigmoid"),
        ("multiply", "identity"),
        ("add", "tanh"),
        ("multiply", "tanh"),
    ),
    inject=8,
    injection=("add", "tanh"),
    keep=12,
)
"""The cell found on Penn Treebank (Fig. 8), as released in TensorFlow under the name NASCell."""


@dataclass(frozen=True)
class NASCell(RecurrentCells):
    """`base`: the leaves of the largest tree (the paper's 8).

    All questions are shared: only leaves have weights, and a leaf keeps its own when the tree grows."""

    shared = (
        "leaves",
        *(f"{part}/{question}" for part in ("leaf#", "join#", "injection") for question in QUESTIONS),
        "inject#",
        "keep#",
    )

    base: int = 8

    measure = "uniform over numbers of leaves, then over labelled trees of as many and their memory's nodes"

    def __post_init__(self) -> None:
        check_bounds("nascell", MOST, base=self.base)

    def size(self, level: int) -> int:
        """How many labelled trees there are with `level` leaves, and nodes for their memory.

        >>> f"{NASCell().size(8):.0e}"
        '6e+16'
        """
        nodes = 2 * level - 1
        labels: int = (len(COMBINATIONS) * len(ACTIVATIONS)) ** (nodes + 1)  # of the nodes, and injection
        return labels * nodes**2

    def program(self, pick: Pick) -> None:
        leaves = pick.depth("leaves", 1, self.base)
        _ask_step(pick, "injection")
        for n in range(1, leaves + 1):
            _ask_step(pick, at("leaf", n))
            if n > 1:
                _ask_step(pick, at("join", n))
                for use in ("inject", "keep"):  # every node is equally likely to have it in the end
                    pick(at(use, n), CLAIMS, weights=(2 * n - 3, 1, 1))

    def plan(self, architecture: Architecture) -> Joined:
        """The tree, and which nodes its joins take."""
        from cambrian.spaces.sequences.recurrent.network import Joined

        tree = self.tree(architecture)
        return Joined(tree.steps, pairs_of(tree.leaves), tree.inject, tree.injection, tree.keep)

    def make_cell(self, read: Reading[Joined]) -> MakeCell:
        from cambrian.spaces.sequences.recurrent.network import TreeCell

        return partial(TreeCell, read, self.base)

    def tree(self, architecture: Architecture) -> Tree:
        nodes = node_names(read_whole(architecture["leaves"]))
        steps = tuple(_step(architecture, name) for name in nodes)
        places = {use: nodes.index(_holder(architecture, use)) for use in ("inject", "keep")}
        return Tree(steps, injection=_step(architecture, "injection"), **places)

    def architecture(self, tree: Tree) -> Architecture:
        """The inverse of `tree`: nobody claims the memory but the node that has it."""
        names = node_names(tree.leaves)
        answers: dict[str, Scalar] = {"leaves": tree.leaves}
        # The injection is a step like the nodes', with the same two questions.
        for name, step in (("injection", tree.injection), *zip(names, tree.steps, strict=True)):
            answers |= {f"{name}/combination": step[0], f"{name}/activation": step[1]}
        for use, node in (("inject", tree.inject), ("keep", tree.keep)):
            for n in range(2, tree.leaves + 1):
                claimed = [kind for kind in CLAIMS[1:] if names[node] == f"{kind}{n}"]
                answers[f"{use}{n}"] = claimed[0] if claimed else "stay"
        return Architecture(answers)

    def canonical(self, architecture: Architecture) -> str:
        """Equal for cells that differ only in which of two branches is the left one: the tree, written
        with the two branches of every join in alphabetical order."""
        tree = self.tree(architecture)
        texts: list[str] = []
        for k, step in enumerate(tree.steps):
            text = "-".join(step) + ("*" if k == tree.keep else "")
            if k == tree.inject:
                text += "+" + "-".join(tree.injection)
            if k >= tree.leaves:
                text += "(" + " ".join(sorted(texts[i] for i in pairs_of(tree.leaves)[k - tree.leaves])) + ")"
            texts.append(text)
        return texts[-1]

    def graph(self, architecture: Architecture) -> Graph:
        """Input, last output and memory; each node's combination and activation, and where the memory
        enters, two more; the output and the next memory."""
        tree = self.tree(architecture)
        labels, groups, edges = ["input", "last output", "memory"], ["inputs"] * 3, list[tuple[int, int]]()
        combined: list[int] = []  # the graph's node for each of the tree's, before and after activation
        results: list[int] = []

        def add(name: str, step: Step, *sources: int) -> int:
            at = len(labels)
            labels.extend(step)
            groups.extend([name] * 2)
            edges.extend([*((source, at) for source in sources), (at, at + 1)])
            return at

        for k, (name, step) in enumerate(zip(node_names(tree.leaves), tree.steps, strict=True)):
            sources = (0, 1) if k < tree.leaves else pairs_of(tree.leaves)[k - tree.leaves]
            combined.append(add(name, step, *(sources if k < tree.leaves else (results[i] for i in sources))))
            results.append(combined[-1] + 1)
            if k == tree.inject:
                results[k] = add(name, tree.injection, results[k], 2) + 1
        edges += [(results[-1], len(labels)), (combined[tree.keep], len(labels) + 1)]
        return build_graph((*labels, "output", "next memory"), tuple(edges), (*groups, "output", "output"))


@cache
def node_names(leaves: int) -> tuple[str, ...]:
    """The nodes of a tree in the order of the paper's tree index. The join that came with leaf n joins
    the subtree that ends before that leaf with the one that begins there.

    >>> node_names(4)
    ('leaf1', 'leaf2', 'leaf3', 'leaf4', 'join2', 'join4', 'join3')
    """
    return (*(f"leaf{n + 1}" for n in range(leaves)), *(f"join{n + 1}" for n in _joins(leaves)))


@cache
def pairs_of(leaves: int) -> tuple[tuple[int, int], ...]:
    """The two nodes that each join takes.

    >>> pairs_of(4), pairs_of(3)
    (((0, 1), (2, 3), (4, 5)), ((0, 1), (3, 2)))
    """
    # Joins are named by the leaf they came with, but numbered in the order in which they are computed.
    number = {n: leaves + k for k, n in enumerate(_joins(leaves))}

    def top(first: int, count: int) -> int:
        """The node above `count` leaves."""
        return first if count == 1 else number[first + (1 << (count - 1).bit_length() - 1)]

    sides = ((n, n & -n) for n in number)  # a join has as many leaves on its left as divide its place
    return tuple((top(n - left, left), top(n, min(left, leaves - n))) for n, left in sides)


def _joins(leaves: int) -> list[int]:
    """The joins, by the leaf (counted from 0) they came with: those of few leaves first."""
    return sorted(range(1, leaves), key=lambda n: (n & -n, n))


def _ask_step(pick: Pick, name: str) -> None:
    pick(extend(name, "/combination"), COMBINATIONS)
    pick(extend(name, "/activation"), ACTIVATIONS)


def _step(architecture: Architecture, name: str) -> Step:
    return str(architecture[f"{name}/combination"]), str(architecture[f"{name}/activation"])


def _holder(architecture: Architecture, use: str) -> str:
    """The node that was the last to claim the memory."""
    leaves = int(architecture["leaves"])  # type: ignore[arg-type]
    # Later claims win: an older tree keeps its answers when a new node takes the memory.
    claims = [(n, architecture[f"{use}{n}"]) for n in range(2, leaves + 1)]
    return next((f"{claim}{n}" for n, claim in reversed(claims) if claim != "stay"), "leaf1")
