"""Shapes as a self-contained SVG."""

from __future__ import annotations

from cambrian.pictures.layout import Point
from cambrian.pictures.markup import escape, number, svg_document
from cambrian.pictures.shapes import Curve, Dot, Line, Rect, Shape, Sketch, Text, pieces, shaft


def svg(sketch: Sketch) -> str:
    return svg_document(sketch.title, sketch.width, sketch.height, [_draw_shape(s) for s in sketch.shapes])


def _draw_shape(shape: Shape) -> str:
    if isinstance(shape, Curve):
        return _curve(shape)
    if isinstance(shape, Line):
        return _element("path", {"d": "M" + "L".join(map(_at, shape.points))}, shape.kind)
    if isinstance(shape, Text):
        at = {"x": number(shape.x), "y": number(shape.y)}
        return _element("text", at, shape.kind, escape(shape.value), shape.hint)
    if isinstance(shape, Dot):
        at = {"cx": number(shape.x), "cy": number(shape.y), "r": number(shape.radius)}
        return _element("circle", at, shape.kind, hint=shape.hint)
    assert isinstance(shape, Rect)
    box = shape.box
    values = {"x": box.left, "y": box.top, "width": box.width, "height": box.height, "rx": shape.radius}
    return _element("rect", {k: number(v) for k, v in values.items()}, shape.kind, hint=shape.hint)


def _curve(curve: Curve) -> str:
    points = shaft(curve)
    data = f"M{_at(points[0])}"
    for piece in pieces(points):
        data += f"V{number(piece[0][1])}" if len(piece) == 1 else f"C{' '.join(map(_at, piece))}"
    route = _element("path", {"d": data}, curve.kind)
    if not curve.tip:
        return route
    head = f"M{_at(curve.points[-1])}l-3.5 -7h7z"
    return route + _element("path", {"d": head}, curve.kind.replace("flow", "tip"))


def _at(point: Point) -> str:
    return f"{number(point[0])} {number(point[1])}"


def _element(tag: str, attributes: dict[str, str], kind: str, content: str = "", hint: str = "") -> str:
    listed = "".join(f' {k}="{v}"' for k, v in ({"class": kind} | attributes if kind else attributes).items())
    inner = (f"<title>{escape(hint)}</title>" if hint else "") + content
    return f"<{tag}{listed}>{inner}</{tag}>" if inner else f"<{tag}{listed}/>"
