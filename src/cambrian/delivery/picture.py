"""From a data-flow graph to the rectangles and routes of its picture, blocks framed."""

from __future__ import annotations

import graphlib
from collections import defaultdict
from dataclasses import dataclass

from cambrian.delivery.layout import Box, Edge, Placed, Point, layered
from cambrian.errors import SpaceError
from cambrian.spaces.space import Graph

FONT = 13.0
_NODE_HEIGHT, _PADDING, _TITLE = 26.0, 10.0, 12.0
_LONGEST = 26


@dataclass(frozen=True)
class Node:
    label: str
    box: Box
    framed: bool


@dataclass(frozen=True)
class Frame:
    title: str
    box: Box


@dataclass(frozen=True)
class Picture:
    """What renderers draw, within [0, width] x [0, height]; `nodes[i]` is node i of the graph."""

    nodes: list[Node]
    frames: list[Frame]
    routes: dict[Edge, list[Point]]
    width: float
    height: float


@dataclass(frozen=True)
class _Part:
    """A group laid out by itself, or a node that is in none."""

    title: str
    members: list[int]
    inner: Placed

    @property
    def framed(self) -> bool:
        return bool(self.title)

    @property
    def size(self) -> tuple[float, float]:
        if not self.framed:
            return self.inner.width, self.inner.height
        width = max(self.inner.width, text_width(self.title))
        return width + 2 * _PADDING, self.inner.height + 2 * _PADDING + _TITLE

    def origin(self, box: Box) -> Point:
        return box.x - self.inner.width / 2, box.top + (_PADDING if self.framed else 0.0)


def short(label: str, longest: int = _LONGEST) -> str:
    return label if len(label) <= longest else label[: longest - 1] + "…"


def text_width(label: str, font: float = FONT) -> float:
    """A generous estimate: no fonts are measured."""
    return 0.6 * font * len(short(label))


def picture(graph: Graph, width: float = 420.0) -> Picture:
    """Lay out `graph`; groups that are no convex part of it are not framed."""
    for u, v in graph.edges:
        if not 0 <= u < v < len(graph.labels):
            raise SpaceError(
                f"a graph's edges lead from earlier to later nodes of {len(graph.labels)}, got {(u, v)}"
            )
    try:
        return _compound(graph, blocks(graph), width)
    except graphlib.CycleError:
        return _compound(graph, {}, width)


def blocks(graph: Graph) -> dict[str, list[int]]:
    """The groups worth a frame: those with an edge inside."""
    members: dict[str, list[int]] = defaultdict(list)
    for node, group in enumerate(graph.groups):
        members[group].append(node)
    inside = {graph.groups[u] for u, v in graph.edges if graph.groups and graph.groups[u] == graph.groups[v]}
    return {group: nodes for group, nodes in members.items() if group and group in inside}


def _compound(graph: Graph, groups: dict[str, list[int]], width: float) -> Picture:
    """Laid out twice: where the parts lie tells in which order a block's nodes cross fewest edges."""
    parts = [_part(graph, title, members, width) for title, members in groups.items()]
    grouped = {v for part in parts for v in part.members}
    parts += [_part(graph, "", [v], width) for v in range(len(graph.labels)) if v not in grouped]
    parts.sort(key=lambda part: part.members[0])
    home = {v: p for p, part in enumerate(parts) for v in part.members}
    outer = [(home[u], home[v]) for u, v in graph.edges if home[u] != home[v]]
    first = layered([part.size for part in parts], outer, width=width)
    parts = [_sorted(graph, part, first, home, width) for part in parts]
    return _assembled(graph, parts, layered([part.size for part in parts], outer, width=width), home)


def _sorted(graph: Graph, part: _Part, placed: Placed, home: dict[int, int], width: float) -> _Part:
    """The part with its nodes in the order in which edges from outside arrive."""

    def arrival(v: int) -> float:
        entering = [(home[u], home[v]) for u, w in graph.edges if w == v and home[u] != home[v]]
        columns = [placed.routes[edge][-3][0] for edge in entering]
        return sum(columns) / len(columns) if columns else 0.0

    return _part(graph, part.title, sorted(part.members, key=arrival), width) if part.framed else part


def _assembled(graph: Graph, parts: list[_Part], placed: Placed, home: dict[int, int]) -> Picture:
    boxes: dict[int, Box] = {}
    routes: dict[Edge, list[Point]] = {}
    for part, box in zip(parts, placed.boxes):
        dx, dy = part.origin(box)
        for v, inner in zip(part.members, part.inner.boxes):
            boxes[v] = inner.moved(dx, dy)
        for (u, v), points in part.inner.routes.items():
            routes[part.members[u], part.members[v]] = [(x + dx, y + dy) for x, y in points]
    for u, v in graph.edges:
        if home[u] != home[v]:
            routes[u, v] = _joined(boxes[u], placed.routes[home[u], home[v]], boxes[v])
    frames = [Frame(p.title, box) for p, box in zip(parts, placed.boxes) if p.framed]
    nodes = [Node(label, boxes[v], parts[home[v]].framed) for v, label in enumerate(graph.labels)]
    return Picture(nodes, frames, routes, placed.width, placed.height)


def _part(graph: Graph, title: str, members: list[int], width: float) -> _Part:
    index = {v: i for i, v in enumerate(members)}
    edges = [(index[u], index[v]) for u, v in graph.edges if u in index and v in index]
    sizes = [(max(text_width(graph.labels[v]) + 2 * _PADDING, 44.0), _NODE_HEIGHT) for v in members]
    return _Part(title, members, layered(sizes, edges, width=width, gap=18.0))


def _joined(source: Box, route: list[Point], target: Box) -> list[Point]:
    """The route between two parts, begun and ended at the very nodes."""
    (_, leave), *between, (_, arrive) = route[1:-1]
    return [
        (source.x, source.bottom),
        (source.x, leave),
        *between,
        (target.x, arrive),
        (target.x, target.top),
    ]
