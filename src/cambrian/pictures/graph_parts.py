"""The parts of a data-flow graph: cells side by side, blocks within, and an overview of a large one."""

from __future__ import annotations

import graphlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cambrian.errors import SpaceError
from cambrian.spaces.space import Graph

MANY = 150  # nodes, from which on an overview says more than the graph itself


@dataclass(frozen=True)
class Cell:
    """A part of a graph that shares no edge with the rest; `nodes[i]` is node i of `graph` there."""

    title: str
    nodes: tuple[int, ...]
    graph: Graph


def check_graph(graph: Graph) -> Graph:
    for u, v in graph.edges:
        if not 0 <= u < v < len(graph.labels):
            raise SpaceError(
                f"a graph's edges lead from earlier to later nodes of {len(graph.labels)}, got {(u, v)}"
            )
    return graph


def cells(graph: Graph) -> list[Cell]:
    """The cells whose names begin the names of all groups ("normal block 1", "reduction block 1"), where
    no edge leads from one to another; their names are left out inside. Else one without a title."""
    titles = [group.split(" ", 1)[0] if " " in group else "" for group in graph.groups]
    several = len(set(titles)) > 1 and all(titles)
    if not several or any(titles[u] != titles[v] for u, v in graph.edges):
        return [Cell("", tuple(range(len(graph.labels))), graph)]
    return [_cell(graph, title, titles) for title in dict.fromkeys(titles)]


def _cell(graph: Graph, title: str, titles: Sequence[str]) -> Cell:
    nodes = tuple(v for v, own in enumerate(titles) if own == title)
    return Cell(title, nodes, _strip_prefix(_within(graph, nodes), f"{title} "))


def _within(graph: Graph, nodes: Sequence[int]) -> Graph:
    index = {v: i for i, v in enumerate(nodes)}
    edges = tuple((index[u], index[v]) for u, v in graph.edges if u in index and v in index)
    groups = tuple(graph.groups[v] for v in nodes) if graph.groups else ()
    return Graph(tuple(graph.labels[v] for v in nodes), edges, groups)


def _strip_prefix(graph: Graph, prefix: str) -> Graph:
    labels = tuple(label.removeprefix(prefix) for label in graph.labels)
    return Graph(labels, graph.edges, tuple(group.removeprefix(prefix) for group in graph.groups))


def blocks(graph: Graph) -> dict[str, list[int]]:
    """The groups worth a frame: those with an edge inside, with a name that says more than the labels of
    their nodes, and without a path that leads out and back in."""
    members: dict[str, list[int]] = defaultdict(list)
    for node, group in enumerate(graph.groups):
        members[group].append(node)
    inside = {graph.groups[u] for u, v in graph.edges if graph.groups and graph.groups[u] == graph.groups[v]}
    framed = {
        group: nodes
        for group, nodes in members.items()
        if group and group in inside and any(graph.labels[v] != group for v in nodes)
    }
    # Each cycle names some group, which is given up: at most one pass for each group.
    while framed:
        try:
            order(graph, framed)
            break
        except graphlib.CycleError as error:
            framed = {group: nodes for group, nodes in framed.items() if group not in error.args[1]}
    return framed


def order(graph: Graph, groups: Mapping[str, Sequence[int]]) -> list[str | int]:
    """The groups, by name, and the nodes in none of them, so that every edge leads forward. Raises
    graphlib.CycleError where a group has to come before and after something else."""
    home: dict[int, str | int] = {v: group for group, nodes in groups.items() for v in nodes}
    sources: dict[str | int, set[str | int]] = {home.get(v, v): set() for v in range(len(graph.labels))}
    for u, v in graph.edges:
        if home.get(u, u) != home.get(v, v):
            sources[home.get(v, v)].add(home.get(u, u))
    return list(graphlib.TopologicalSorter(sources).static_order())


def overview(graph: Graph) -> Graph:
    """A large graph in fewer nodes: blocks become one, then rows of equal nodes. A small one as it is."""
    if len(graph.labels) > MANY:
        groups = blocks(graph)
        graph = _merge(graph, list(groups.values()), [_summary(graph, t, vs) for t, vs in groups.items()])
    # Blocks first: they are the space's own parts, and often suffice.
    if len(graph.labels) > MANY:
        runs = _runs(graph)
        graph = _merge(graph, runs, [f"{graph.labels[run[0]]} ×{len(run)}" for run in runs])
    return graph


def _summary(graph: Graph, title: str, nodes: Sequence[int]) -> str:
    """
    >>> _summary(Graph(("sep3x3", "sep3x3", "add"), ()), "block 1", [0, 1, 2])
    'block 1: sep3x3 ×2'
    """
    # Joining nodes are part of every block and tell none from another.
    names = [graph.labels[v] for v in nodes if not re.fullmatch(r"add|sum|concat|\+", graph.labels[v])]
    counts = {name: names.count(name) for name in names}
    return f"{title}: " + ", ".join(name + (f" ×{n}" if n > 1 else "") for name, n in counts.items())


def _runs(graph: Graph) -> list[list[int]]:
    """Nodes of one label in a row, each fed by the one before alone and feeding the next alone."""
    into: dict[int, list[int]] = defaultdict(list)
    out: dict[int, list[int]] = defaultdict(list)
    for u, v in graph.edges:
        into[v].append(u)
        out[u].append(v)
    runs: dict[int, list[int]] = {}  # by their last node
    for v in range(len(graph.labels)):
        (u,) = into[v] if len(into[v]) == 1 else (-1,)
        # Both ends alone: merging a node that feeds another one too would hide that edge.
        follows = u >= 0 and len(out[u]) == 1 and graph.labels[u] == graph.labels[v]
        runs[v] = [*runs.pop(u), v] if follows else [v]
    return [run for run in runs.values() if len(run) > 1]


def _merge(graph: Graph, merged: Sequence[Sequence[int]], labels: Sequence[str]) -> Graph:
    """The graph with each of the sets `merged` as one node, labelled by `labels`."""
    home = {v: str(i) for i, nodes in enumerate(merged) for v in nodes}
    # Numbered in an order in which edges still lead forward, as `check_graph` demands.
    at = {part: i for i, part in enumerate(order(graph, {str(i): nodes for i, nodes in enumerate(merged)}))}
    names = [labels[int(part)] if isinstance(part, str) else graph.labels[part] for part in at]
    firsts = [merged[int(part)][0] if isinstance(part, str) else part for part in at]
    ends = ((at[home.get(u, u)], at[home.get(v, v)]) for u, v in graph.edges)
    edges = tuple(dict.fromkeys((u, v) for u, v in ends if u != v))
    groups = tuple(graph.groups[v] for v in firsts) if graph.groups else ()
    return Graph(tuple(names), edges, groups)
