"""A picture as a list of shapes, the common source of SVG and bitmaps. Unit: pixels, y downwards.

A shape's `kind` names its look, words of the classes in `markup.STYLE`; its `hint` is shown where
somebody points at it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from cambrian.pictures.layout import Box, Point

_BEND = 22.0  # how far a turn back reaches beyond its ends, at most


@dataclass(frozen=True)
class Rect:
    box: Box
    kind: str
    radius: float = 6.0
    hint: str = ""

    def move(self, dx: float, dy: float) -> Rect:
        return replace(self, box=self.box.move(dx, dy))


@dataclass(frozen=True)
class Text:
    """With its baseline at `y`."""

    x: float
    y: float
    value: str
    kind: str = ""
    hint: str = ""

    def move(self, dx: float, dy: float) -> Text:
        return replace(self, x=self.x + dx, y=self.y + dy)


@dataclass(frozen=True)
class Curve:
    """A route: straight where x stays, else a curve with vertical ends. `tip`: an arrow's, pointing down."""

    points: tuple[Point, ...]
    kind: str = "flow"
    tip: bool = True

    def move(self, dx: float, dy: float) -> Curve:
        return replace(self, points=tuple((x + dx, y + dy) for x, y in self.points))


@dataclass(frozen=True)
class Line:
    """Straight from point to point."""

    points: tuple[Point, ...]
    kind: str

    def move(self, dx: float, dy: float) -> Line:
        return replace(self, points=tuple((x + dx, y + dy) for x, y in self.points))


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    radius: float
    kind: str
    hint: str = ""

    def move(self, dx: float, dy: float) -> Dot:
        return replace(self, x=self.x + dx, y=self.y + dy)


Shape = Rect | Text | Curve | Line | Dot


@dataclass(frozen=True)
class Sketch:
    """Shapes within [0, width] x [0, height]."""

    title: str
    width: float
    height: float
    shapes: tuple[Shape, ...]

    def move(self, dx: float, dy: float) -> tuple[Shape, ...]:
        return tuple(shape.move(dx, dy) for shape in self.shapes)


def join(title: str, sketches: Sequence[Sketch], gap: float = 0.0, across: bool = True) -> Sketch:
    """Beside each other, or one under the other."""
    shapes: list[Shape] = []
    x = y = width = height = 0.0
    for sketch in sketches:
        shapes += sketch.move(x, y)
        width, height = max(width, x + sketch.width), max(height, y + sketch.height)
        x, y = (x + sketch.width + gap, y) if across else (x, y + sketch.height + gap)
    return Sketch(title, width, height, tuple(shapes))


def pieces(points: Sequence[Point]) -> list[tuple[Point, ...]]:
    """A route from its first point on: (end,) of straight pieces, (control, control, end) of curves. Where
    the height stays the same it turns back."""
    route: list[tuple[Point, ...]] = []
    down = True
    for (x0, y0), (x1, y1) in pairwise(points):
        if abs(x1 - x0) < 0.5:
            down = y1 >= y0
            # Straight pieces in a row are one: fewer and longer ones make smaller files.
            if route and len(route[-1]) == 1:
                route.pop()
            route.append(((x1, y1),))
        elif abs(y1 - y0) < 0.5:
            bend = y0 + (1 if down else -1) * min(_BEND, abs(x1 - x0))
            route.append(((x0, bend), (x1, bend), (x1, y1)))
            down = not down
        else:
            middle = (y0 + y1) / 2
            # Controls at half height keep both ends vertical, where the next piece joins on.
            route.append(((x0, middle), (x1, middle), (x1, y1)))
    return route


def tip(point: Point) -> tuple[Point, Point, Point]:
    """The arrow's head that ends in `point`."""
    x, y = point
    return (x, y), (x - 3.5, y - 7), (x + 3.5, y - 7)


def shaft(curve: Curve) -> tuple[Point, ...]:
    """The route up to its tip."""
    if not curve.tip:
        return curve.points
    x, y = curve.points[-1]
    return (*curve.points[:-1], (x, y - 5))
