"""From a data-flow graph to rectangles and routes: cells beside each other, blocks framed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cambrian.pictures.block_layout import FONT, PADDING, Part, part
from cambrian.pictures.fold import fold
from cambrian.pictures.graph_parts import blocks, cells, check_graph
from cambrian.pictures.layout import Box, Edge, Placed, Point, place_layers
from cambrian.spaces.space import Graph

GAP = 24.0  # between cells, and around what is in one
_WIDTH = 420.0  # a telephone's, for a small graph
_WIDEST = 940.0


@dataclass(frozen=True)
class Node:
    label: str
    box: Box
    framed: bool


@dataclass(frozen=True)
class Frame:
    """Around a block, its title at its foot, `x` from the left; or around a whole cell, its title on top."""

    title: str
    box: Box
    x: float
    cell: bool = False


@dataclass(frozen=True)
class Picture:
    """Boxes and routes for the renderers, within [0, width] x [0, height]; `nodes[i]` is node i of the
    graph."""

    nodes: list[Node]
    frames: list[Frame]
    routes: dict[Edge, list[Point]]
    width: float
    height: float


def picture(graph: Graph, width: float | None = None) -> Picture:
    """Lay out `graph`; without `width` a large one gets more than a small one."""
    parts = cells(check_graph(graph))
    # By the root of the number of nodes, so that a large graph grows both ways alike.
    layouts = [_compound(c.graph, width or max(_WIDTH, 100 * math.sqrt(len(c.nodes)))) for c in parts]
    if len(parts) == 1:
        return layouts[0]
    boxes = _shelve([(p.width + 2 * GAP, p.height + 2 * GAP + FONT) for p in layouts])
    nodes: dict[int, Node] = {}
    frames: list[Frame] = []
    routes: dict[Edge, list[Point]] = {}
    for cell, inside, box in zip(parts, layouts, boxes):
        dx, dy = box.left + GAP, box.top + GAP + FONT
        frames.append(Frame(cell.title, box, PADDING, cell=True))
        frames += [replace(f, box=f.box.move(dx, dy)) for f in inside.frames]
        nodes |= {v: replace(n, box=n.box.move(dx, dy)) for v, n in zip(cell.nodes, inside.nodes)}
        for (u, v), points in inside.routes.items():
            routes[cell.nodes[u], cell.nodes[v]] = _move_points(points, dx, dy)
    right, bottom = max(box.right for box in boxes), max(box.bottom for box in boxes)
    return Picture([nodes[v] for v in sorted(nodes)], frames, routes, right, bottom)


def _shelve(sizes: Sequence[tuple[float, float]]) -> list[Box]:
    """Boxes of these sizes beside each other, on the next shelf where there is no room."""
    boxes: list[Box] = []
    x = y = 0.0
    for width, height in sizes:
        if x and x + width > _WIDEST:
            x, y = 0.0, max(box.bottom for box in boxes) + GAP
        boxes.append(Box(x + width / 2, y + height / 2, width, height))
        x += width + GAP
    return boxes


def _compound(graph: Graph, width: float) -> Picture:
    """The parts laid out, then once more: their places tell the order of a block's nodes with the fewest
    crossings."""
    groups = blocks(graph)
    parts = [part(graph, title, members, width) for title, members in groups.items()]
    grouped = {v for p in parts for v in p.members}
    parts += [part(graph, "", [v], width) for v in range(len(graph.labels)) if v not in grouped]
    parts.sort(key=lambda p: p.members[0])
    home = {v: i for i, p in enumerate(parts) for v in p.members}
    outer = [(home[u], home[v]) for u, v in graph.edges if home[u] != home[v]]
    first = place_layers([p.size for p in parts], outer, width=width)
    parts = [_sort_part(graph, p, first, home, width) for p in parts]
    placed = fold(place_layers([p.size for p in parts], outer, width=width), _WIDEST)
    return _assemble(graph, parts, placed, home)


def _sort_part(graph: Graph, one: Part, placed: Placed, home: dict[int, int], width: float) -> Part:
    """The part with its nodes in the order in which edges from outside arrive."""

    def arrival(v: int) -> float:
        entering = [(home[u], home[v]) for u, w in graph.edges if w == v and home[u] != home[v]]
        # The last two points of a route stand over its end; the one before is where it comes from.
        columns = [placed.routes[edge][-3][0] for edge in entering]
        return sum(columns) / len(columns) if columns else 0.0

    return part(graph, one.title, sorted(one.members, key=arrival), width) if one.framed else one


def _assemble(graph: Graph, parts: list[Part], placed: Placed, home: dict[int, int]) -> Picture:
    boxes: dict[int, Box] = {}
    routes: dict[Edge, list[Point]] = {}
    ways: dict[tuple[int, Edge], list[Point]] = {}
    for i, (p, box) in enumerate(zip(parts, placed.boxes)):
        dx, dy = p.origin(box)
        boxes |= {v: inner.move(dx, dy) for v, inner in zip(p.members, p.inner.boxes)}
        for (u, v), points in p.inner.routes.items():
            # Higher numbers are doors, whose routes are the ways below.
            if max(u, v) < len(p.members):
                routes[p.members[u], p.members[v]] = _move_points(points, dx, dy)
        ways |= {(i, edge): _move_points(points, dx, dy) for edge, points in p.ways.items()}
    for edge in graph.edges:
        (u, v), (a, b) = edge, (home[edge[0]], home[edge[1]])
        # Inside a part the route is there already.
        if a != b:
            leaving = ways.get((a, edge), [(boxes[u].x, boxes[u].bottom)])
            entering = ways.get((b, edge), [(boxes[v].x, boxes[v].top)])
            routes[edge] = _join_routes(leaving, placed.routes[a, b], entering)
    frames = [Frame(p.title, box, p.title_x) for p, box in zip(parts, placed.boxes) if p.framed]
    nodes = [Node(label, boxes[v], parts[home[v]].framed) for v, label in enumerate(graph.labels)]
    return Picture(nodes, frames, routes, placed.width, placed.height)


def _join_routes(leaving: list[Point], route: list[Point], entering: list[Point]) -> list[Point]:
    """The route between two parts, begun and ended at the very nodes."""
    (_, leave), *between, (_, arrive) = route[1:-1]
    return [*leaving, (leaving[-1][0], leave), *between, (entering[0][0], arrive), *entering]


def _move_points(points: Sequence[Point], dx: float, dy: float) -> list[Point]:
    return [(x + dx, y + dy) for x, y in points]
