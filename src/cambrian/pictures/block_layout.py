"""A block laid out by itself, with a way around its nodes for every edge from or to the outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cambrian.pictures.layout import Box, Edge, Placed, Point, layers_of, place_layers
from cambrian.spaces.space import Graph

FONT, SMALL = 13.0, 11.0
PADDING, FOOT = 10.0, 14.0  # around a block's nodes, and more below them for its title
_HEIGHT, _LEAST, _GAP = 26.0, 44.0, 18.0
_LONGEST = 26


@dataclass(frozen=True)
class Part:
    """A group with its title, or a node in no group, without one. `ways[u, v]` are the points inside the part
    of an edge from or to the outside that would run through other members; `title_x` is the title's
    distance from the left."""

    title: str
    members: list[int]
    inner: Placed
    ways: Mapping[Edge, list[Point]] = field(default_factory=dict)
    title_x: float = 0.0
    room: float = 0.0

    @property
    def framed(self) -> bool:
        return bool(self.title)

    @property
    def size(self) -> tuple[float, float]:
        if not self.framed:
            return self.inner.width, self.inner.height
        return self.room, self.inner.height + 2 * PADDING + FOOT

    def origin(self, box: Box) -> Point:
        return (box.left + PADDING, box.top + PADDING) if self.framed else (box.left, box.top)


def short(label: str, longest: int = _LONGEST) -> str:
    return label if len(label) <= longest else label[: longest - 1] + "…"


def text_width(label: str, font: float = FONT, longest: int = _LONGEST) -> float:
    """A generous estimate in pixels: no fonts are measured."""
    # An average glyph of a sans-serif font is half its size wide; 0.6 leaves room for capitals.
    return 0.6 * font * len(short(label, longest))


def part(graph: Graph, title: str, members: list[int], width: float) -> Part:
    """Lay out the members in the given order, as far as the layers leave it free."""
    sizes = [(max(text_width(graph.labels[v]) + 2 * PADDING, _LEAST), _HEIGHT) for v in members]
    if not title:
        return Part("", members, place_layers(sizes, []))
    index = {v: i for i, v in enumerate(members)}
    edges = [(index[u], index[v]) for u, v in graph.edges if u in index and v in index]
    layers = layers_of(sizes, edges, width)
    # A door is a node without size in the first or last layer: edges to the outside then keep a lane of their
    # own past the members between, as edges inside do.
    doors = _doors(graph, index, layers)
    number = {door: i for i, door in enumerate(dict.fromkeys(doors.values()), len(members))}
    placed = place_layers(
        [*sizes, *[(0.0, 0.0)] * len(number)],
        [*edges, *(_inside(edge, number[door], index) for edge, door in doors.items())],
        gap=_GAP,
        layers=[*layers, *(0 if side == "in" else max(layers) for side, _ in number)],
    )
    ways = {edge: _way(placed, _inside(edge, number[door], index), door) for edge, door in doors.items()}
    out = [(u, v) for u, v in graph.edges if u in index and v not in index]
    leaving = {ways[e][-1][0] if e in ways else placed.boxes[index[e[0]]].x for e in out}
    title_x, room = _title(text_width(title, SMALL), leaving, placed.width)
    return Part(title, members, placed, ways, title_x, room)


Door = tuple[str, int]


def _doors(graph: Graph, index: Mapping[int, int], layers: Sequence[int]) -> dict[Edge, Door]:
    """The edges from or to the outside that have to pass a layer, with their doors: one for all edges of a
    source."""
    doors: dict[Edge, Door] = {}
    for u, v in graph.edges:
        if u not in index and v in index and layers[index[v]] > 0:
            doors[u, v] = ("in", u)
        if u in index and v not in index and layers[index[u]] < max(layers):
            doors[u, v] = ("out", u)
    return doors


def _inside(edge: Edge, door: int, index: Mapping[int, int]) -> Edge:
    """The stretch of an edge between its door and its end inside."""
    u, v = edge
    return (index[u], door) if u in index else (door, index[v])


def _way(placed: Placed, edge: Edge, door: Door) -> list[Point]:
    points = placed.routes[edge]
    # The way goes on to the frame, which stands off the nodes by the padding, below by the title too.
    if door[0] == "in":
        return [(points[0][0], -PADDING), *points]
    return [*points, (points[-1][0], placed.height + PADDING + FOOT)]


def _title(wide: float, leaving: set[float], inner: float) -> tuple[float, float]:
    """The title's place, clear of the edges that leave at the foot, and the width of the frame with it."""
    walls = [1.0, *sorted(x + PADDING for x in leaving)]
    least = inner + 2 * PADDING
    for left, right in zip(walls, [*walls[1:], least]):
        if right - left >= wide + 14:
            return left + 8, least
    return walls[-1] + 8, max(least, walls[-1] + wide + 16)
