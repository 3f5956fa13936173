"""Tree cells as values (Cai et al., ICML 2018, Sec. 3.2): read from answers, some of which may be missing."""

from __future__ import annotations

from collections.abc import Mapping

from cambrian.choices import Answer
from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.knowledge import Tree
from cambrian.spaces.space import Graph

LEAF, IDENTITY = "none", "identity"
POOLS = ("avg3x3", "max3x3")
OPERATIONS = (IDENTITY, "conv1x1", "sep3x3", "sep5x5", "sep7x7", *POOLS)
BRANCHES = {LEAF: 0, "add2": 2, "add3": 3, "concat2": 2}
"""Branches by the way in which a node merges them: copies of its input whose mean is taken, or halves of its
channels that are concatenated."""


def read_tree(answers: Mapping[str, Answer], path: str = "") -> Tree:
    """The tree of the node at `path`, with the operation that leads to it; a question without an answer is a
    leaf, or an identity."""
    operation, merge = str(answers.get(f"{path}operation", IDENTITY)), str(answers.get(f"{path}merge", LEAF))
    branches = (read_tree(answers, f"{path}branch{n}/") for n in range(1, BRANCHES[merge] + 1))
    return Tree(path, operation, merge, tuple(branches))


def read_merges(tree: Tree) -> Tree:
    """The tree without its operations."""
    return Tree(tree.path, "", tree.merge, tuple(map(read_merges, tree.branches)))


def find_node(tree: Tree, path: str) -> Tree:
    """The node at a path of the tree."""
    while tree.path != path:
        tree = next(branch for branch in tree.branches if path.startswith(branch.path))
    return tree


def write_text(tree: Tree) -> str:
    """The tree as text. The mean has no order; the halves of a split have."""
    inside = [write_text(branch) for branch in tree.branches]
    ordered = inside if tree.merge.startswith("concat") else sorted(inside)
    return f"{tree.operation} {tree.merge}({', '.join(ordered)})" if ordered else tree.operation


def draw_graph(tree: Tree) -> Graph:
    """A node for each operation and each merge."""
    labels, groups, edges = ["input"], ["input"], list[tuple[int, int]]()

    def add(label: str, group: str, sources: list[int]) -> int:
        labels.append(label)
        groups.append(group)
        edges.extend((source, len(labels) - 1) for source in sources)
        return len(labels) - 1

    def place(node: Tree, source: int) -> int:
        group = node.path.rstrip("/") or "root"
        entered = add(node.operation, group, [source])
        if not node.branches:
            return entered
        return add(node.merge, group, [place(branch, entered) for branch in node.branches])

    add("output", "output", [place(tree, 0)])
    return build_graph(tuple(labels), tuple(sorted(set(edges))), tuple(groups))
