"""Tree cells as values (Cai et al., ICML 2018, Sec. 3.2): read from answers, some of which may be missing."""

from __future__ import annotations

from collections.abc import Mapping

from cambrian.choices import Answer
from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.knowledge import Tree
from cambrian.spaces.space import Graph

LEAF, IDENTITY = "none", "identity"
BRANCHES = {LEAF: 0, "add2": 2, "add3": 3, "concat2": 2}
"""Branches by the way in which a node merges them: copies of its input whose mean is taken, or halves of its
channels that are concatenated."""


def read_tree(answers: Mapping[str, Answer], path: str = "", operation: str = "") -> Tree:
    """The tree below the node at `path`, to which `operation` leads; a question without an answer is a leaf,
    or an identity."""
    merge = str(answers.get(f"{path}merge", LEAF))
    inside = [f"{path}branch{n}/" for n in range(1, BRANCHES[merge] + 1)]
    branches = tuple(read_tree(answers, p, str(answers.get(f"{p}operation", IDENTITY))) for p in inside)
    return Tree(path, operation, merge, branches)


def write_text(tree: Tree) -> str:
    """The tree as text. The mean has no order; the halves of a split have."""
    inside = [write_text(branch) for branch in tree.branches]
    ordered = inside if tree.merge.startswith("concat") else sorted(inside)
    merged = f"{tree.merge}({', '.join(ordered)})" if ordered else ""
    return " ".join(filter(None, (tree.operation, merged)))


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
        entered = add(node.operation, group, [source]) if node.operation else source
        if not node.branches:
            return entered
        return add(node.merge, group, [place(branch, entered) for branch in node.branches])

    add("output", "output", [place(tree, 0)])
    return build_graph(tuple(labels), tuple(sorted(set(edges))), tuple(groups))
