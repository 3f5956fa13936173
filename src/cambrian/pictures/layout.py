"""A layered drawing of a directed acyclic graph (Sugiyama, Tagawa & Toda 1981), inputs at the top.

Layers are filled greedily under a bound on their width (after Coffman & Graham 1972), ordered by
barycentres, and placed by isotonic regression, which keeps order and distance exactly. The edges of
one source share the lane in which they pass layers, so that many skip connections stay few lines.
Unit: pixels.
"""

from __future__ import annotations

import graphlib
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Edge = tuple[int, int]
Point = tuple[float, float]

GAP_X, GAP_Y = 14.0, 30.0
_LANE, _LANE_GAP = 6.0, 5.0  # width kept free for edges that pass a layer, and between two such lanes
_STRAIGHT = 8.0  # how much harder a lane is pulled to a lane than a box to a box (Gansner et al. 1993)
_SWEEPS = 12
_MANY = 4000  # links, from which on fewer sweeps have to do


@dataclass(frozen=True)
class Box:
    """A rectangle by its centre."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> float:
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        return self.x + self.width / 2

    @property
    def top(self) -> float:
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height / 2

    def move(self, dx: float, dy: float) -> Box:
        return Box(self.x + dx, self.y + dy, self.width, self.height)


@dataclass(frozen=True)
class Placed:
    """Boxes within [0, width] x [0, height]; `routes[e]` leads from the bottom of an edge's source to the
    top of its target: points of equal x in a row are joined straight, others by a curve."""

    boxes: list[Box]
    routes: dict[Edge, list[Point]]
    width: float
    height: float


def place_layers(
    sizes: Sequence[tuple[float, float]],
    edges: Sequence[Edge],
    *,
    width: float = 420.0,
    gap: float = GAP_Y,
    layers: Sequence[int] | None = None,
) -> Placed:
    """Place boxes of `sizes` (width, height) so that every edge points down and no two boxes overlap, in
    `layers` or else those of `layers_of`. Raises graphlib.CycleError on a cycle."""
    edges = list(dict.fromkeys(edges))
    layer = layers_of(sizes, edges, width) if layers is None else list(layers)
    chains = _chains(edges, layer, len(sizes))
    lanes = len({lane for chain in chains.values() for lane in chain[1:-1]})
    widths = [w for w, _ in sizes] + [_LANE] * lanes
    links = list(dict.fromkeys(pair for chain in chains.values() for pair in pairwise(chain)))
    rows = _order_rows(_rows(layer, chains), links)
    x = _columns(rows, links, widths, len(sizes))
    tops, bottoms = _bands(rows, sizes, gap)
    boxes = [Box(x[v], (tops[layer[v]] + bottoms[layer[v]]) / 2, w, h) for v, (w, h) in enumerate(sizes)]
    routes = {e: _route(c, layer[e[0]], boxes, x, tops, bottoms) for e, c in chains.items()}
    right = max((x[v] + w / 2 for v, w in enumerate(widths)), default=0.0)
    return Placed(boxes, routes, right, bottoms[-1] if bottoms else 0.0)


def layers_of(sizes: Sequence[tuple[float, float]], edges: Sequence[Edge], width: float) -> list[int]:
    """Each node below all its sources, in the first layer that still has room: a layer is wider than
    `width` only where a single box is."""
    sources: dict[int, list[int]] = {v: [] for v in range(len(sizes))}
    for u, v in edges:
        sources[v].append(u)
    layer = [0] * len(sizes)
    used: dict[int, float] = defaultdict(float)
    for v in graphlib.TopologicalSorter(sources).static_order():
        at = max((layer[u] + 1 for u in sources[v]), default=0)
        while used[at] and used[at] + sizes[v][0] > width:
            at += 1
        layer[v] = at
        used[at] += sizes[v][0] + GAP_X
    full = sorted(set(layer))
    return [full.index(at) for at in layer]


def _chains(edges: Sequence[Edge], layer: list[int], count: int) -> dict[Edge, list[int]]:
    """Per edge its nodes, one a layer: the ends, and between them the source's lanes, numbered from
    `count` on."""
    lanes: dict[Edge, int] = {}  # by source and layer
    return {
        (u, v): [
            u,
            *(lanes.setdefault((u, at), count + len(lanes)) for at in range(layer[u] + 1, layer[v])),
            v,
        ]
        for u, v in edges
    }


def _rows(layer: list[int], chains: dict[Edge, list[int]]) -> list[list[int]]:
    rows: list[list[int]] = [[] for _ in range(max(layer, default=-1) + 1)]
    for v, at in enumerate(layer):
        rows[at].append(v)
    passing = {lane: layer[u] + i for (u, _), c in chains.items() for i, lane in enumerate(c[1:-1], start=1)}
    for lane, at in passing.items():
        rows[at].append(lane)
    return rows


def _sweeps(links: Sequence[Edge]) -> int:
    return _SWEEPS if len(links) < _MANY else 3


def _order_rows(rows: list[list[int]], links: list[Edge]) -> list[list[int]]:
    """The order with the fewest crossings among barycentre sweeps down and up."""
    best, least = rows, _crossings(rows, links)
    for sweep in range(_sweeps(links)):
        if not least:
            break
        down = sweep % 2 == 0
        neighbours = _neighbours(links, up=down)
        rows = [list(row) for row in rows]
        place = {v: i for row in rows for i, v in enumerate(row)}
        # In place, so that the next row is sorted by this one's new order.
        for row in rows if down else reversed(rows):
            row.sort(key=lambda v: _mean([place[u] for u in neighbours[v]], place[v]))
            place.update((v, i) for i, v in enumerate(row))
        if (count := _crossings(rows, links)) < least:
            best, least = rows, count
    return best


def _neighbours(links: list[Edge], up: bool | None = None) -> dict[int, list[int]]:
    """Of each node the nodes above it (`up`), below it (`up=False`), or both."""
    neighbours: dict[int, list[int]] = defaultdict(list)
    for u, v in links:
        if up is not False:
            neighbours[v].append(u)
        if up is not True:
            neighbours[u].append(v)
    return neighbours


def _mean(values: list[int], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _crossings(rows: list[list[int]], links: list[Edge]) -> int:
    place = {v: (at, i) for at, row in enumerate(rows) for i, v in enumerate(row)}
    by_layer: dict[int, list[Edge]] = defaultdict(list)
    for u, v in links:
        by_layer[place[u][0]].append((place[u][1], place[v][1]))
    return sum(map(_inversions, by_layer.values()))


def _inversions(pairs: list[Edge]) -> int:
    """Pairs (a, b), (c, d) with a < c and b > d."""
    # Sorted by their first ends, a pair crosses those before it whose second end is higher.
    ends: list[int] = []
    count = 0
    for _, b in sorted(pairs):
        count += len(ends) - bisect_left(ends, b + 1)
        insort(ends, b)
    return count


def _columns(rows: list[list[int]], links: list[Edge], widths: list[float], nodes: int) -> list[float]:
    """Centres along x: every layer drawn towards its neighbours, lanes most towards their own
    continuation; order and gaps kept. Numbers from `nodes` on are lanes."""
    x = [0.0] * len(widths)
    for row in rows:
        for v, at in zip(row, _space_row(row, widths, [0.0] * len(row))):
            x[v] = at
    # Straight lanes read as one line; a box may stand off its neighbours' mean.
    pulls = [1.0 if v < nodes else _STRAIGHT for v in range(len(widths))]
    sweeps = _sweeps(links)
    # The last sweep looks both ways, so that a node does not end under its sources alone.
    for sweep in range(sweeps):
        neighbours = _neighbours(links, up=None if sweep == sweeps - 1 else sweep % 2 == 0)
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted = [_pull_towards(v, neighbours[v], x, pulls) for v in row]
            for v, at in zip(row, _space_row(row, widths, wanted, [pulls[v] for v in row])):
                x[v] = at
    left = min((x[v] - w / 2 for v, w in enumerate(widths)), default=0.0)
    return [at - left for at in x]


def _pull_towards(v: int, neighbours: list[int], x: list[float], pulls: list[float]) -> float:
    """The mean place of the neighbours; a link pulls by the product of its ends' weights."""
    total = sum(pulls[v] * pulls[u] for u in neighbours)
    return sum(pulls[v] * pulls[u] * x[u] for u in neighbours) / total if total else x[v]


def _space_row(
    row: list[int], widths: list[float], wanted: list[float], weights: Sequence[float] | None = None
) -> list[float]:
    """Weighted least squares to `wanted` under x[i+1] - x[i] >= half the widths + gap: subtracting the
    running distances leaves an isotonic regression, solved by pooling adjacent violators."""
    offsets = [0.0]
    for u, v in pairwise(row):
        offsets.append(offsets[-1] + (widths[u] + widths[v]) / 2 + gap_between(widths[u], widths[v]))
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip((w - o for w, o in zip(wanted, offsets)), weights or [1.0] * len(row)):
        mean, size = value, 1
        # A pool is a run of boxes pushed together; its mean is where all of them want to be together.
        while pools and pools[-1][0] > mean:
            before, heavy, n = pools.pop()
            mean, weight, size = (mean * weight + before * heavy) / (weight + heavy), weight + heavy, size + n
        pools.append((mean, weight, size))
    flat = [mean for mean, _, size in pools for _ in range(size)]
    return [f + o for f, o in zip(flat, offsets)]


def gap_between(a: float, b: float) -> float:
    """The least distance of two neighbours in a layer of such widths: lanes may come closer."""
    return GAP_X if max(a, b) > _LANE else _LANE_GAP


def _bands(
    rows: list[list[int]], sizes: Sequence[tuple[float, float]], gap: float
) -> tuple[list[float], list[float]]:
    """Top and bottom of each layer."""
    tops: list[float] = []
    bottoms: list[float] = []
    for row in rows:
        tops.append(bottoms[-1] + gap if bottoms else 0.0)
        bottoms.append(tops[-1] + max(sizes[v][1] for v in row if v < len(sizes)))
    return tops, bottoms


def _route(
    chain: list[int], first: int, boxes: list[Box], x: list[float], tops: list[float], bottoms: list[float]
) -> list[Point]:
    source, target = boxes[chain[0]], boxes[chain[-1]]
    points = [(source.x, source.bottom), (source.x, bottoms[first])]
    for at, lane in enumerate(chain[1:-1], start=first + 1):
        points += [(x[lane], tops[at]), (x[lane], bottoms[at])]
    return [*points, (target.x, tops[first + len(chain) - 1]), (target.x, target.top)]
