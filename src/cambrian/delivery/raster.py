"""The same picture as a bitmap, drawn by matplotlib without a display."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from cambrian.delivery.drawings import kind
from cambrian.delivery.layout import Box, Point
from cambrian.delivery.picture import FONT, Picture, short

_COLOURS = {
    "blue": "#d9e8ff",
    "green": "#d8f2df",
    "orange": "#ffe6cc",
    "violet": "#eadfff",
    "grey": "#e7eaef",
    "teal": "#d3f1f0",
    "plain": "#ffffff",
}
_INK, _LINE, _FRAME, _EDGE = "#1c2430", "#98a2b3", "#f4f6f9", "#d0d5dd"
_DPI = 144  # two pixels of the bitmap per unit of the layout (72 points an inch)
_MARGIN = 14.0


def picture_png(picture: Picture, path: Path) -> None:
    """Write the picture to `path`, two pixels per unit."""
    from matplotlib.patches import PathPatch, Polygon

    axes, save = _canvas(picture.width, picture.height)
    for frame in picture.frames:
        axes.add_patch(_patch(frame.box, 10, _FRAME, _EDGE))
        _text(axes, frame.box.left + 9, frame.box.bottom - 11, frame.title, 11, ha="left")
    for points in picture.routes.values():
        axes.add_patch(PathPatch(_curve(points), fill=False, edgecolor=_LINE, linewidth=1.5))
        x, y = points[-1]
        axes.add_patch(Polygon([(x, y), (x - 3.5, y - 7), (x + 3.5, y - 7)], facecolor=_LINE))
    for node in picture.nodes:
        radius = 6 if node.framed else node.box.height / 2 - 0.1
        colour = kind(node)
        axes.add_patch(_patch(node.box, radius, _COLOURS[colour], _LINE if colour == "plain" else "none"))
        _text(axes, node.box.x, node.box.y, node.label, FONT)
    save(path)


def lines_png(lines: Sequence[str], path: Path) -> None:
    """Write lines of text as they would stand in a terminal."""
    axes, save = _canvas(max(map(len, lines), default=1) * 8.0, 20.0 * len(lines))
    for i, line in enumerate(lines):
        axes.text(
            0, 20 * i + 10, line, fontsize=12, color=_INK, va="center", family="monospace", parse_math=False
        )
    save(path)


def _canvas(width: float, height: float):  # type: ignore[no-untyped-def]
    """Axes in the layout's units, y downwards, and the function that saves them. No pyplot: nothing is
    kept in global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = (width + 2 * _MARGIN) / 72, (height + 2 * _MARGIN) / 72
    figure = Figure(figsize=size, dpi=_DPI)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(-_MARGIN, width + _MARGIN)
    axes.set_ylim(height + _MARGIN, -_MARGIN)
    axes.axis("off")
    return axes, lambda path: figure.savefig(path, dpi=_DPI, facecolor="white", format="png")


def _patch(box: Box, radius: float, face: str, edge: str):  # type: ignore[no-untyped-def]
    from matplotlib.patches import FancyBboxPatch

    style = f"round,pad=0,rounding_size={radius}"
    return FancyBboxPatch(
        (box.left, box.top), box.width, box.height, boxstyle=style, facecolor=face, edgecolor=edge
    )


def _text(axes, x: float, y: float, value: str, size: float, ha: str = "center") -> None:  # type: ignore[no-untyped-def]
    axes.text(x, y, short(value), fontsize=size * 0.92, color=_INK, ha=ha, va="center", parse_math=False)


def _curve(points: Sequence[Point]):  # type: ignore[no-untyped-def]
    """As `drawings.path_data`: straight where x stays, else a cubic curve with vertical ends."""
    from matplotlib.path import Path as Outline

    vertices, codes = [points[0]], [Outline.MOVETO]
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (y0 + y1) / 2
        vertices += [(x0, middle), (x1, middle), (x1, y1)]
        codes += [Outline.CURVE4] * 3
    return Outline(vertices, codes)
