"""The same shapes as a bitmap, drawn by matplotlib without a display."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cambrian.pictures.layout import Box, Point
from cambrian.pictures.markup import STYLE
from cambrian.pictures.shapes import Curve, Dot, Line, Rect, Shape, Sketch, Text, pieces, shaft, tip

_COLOURS = dict(re.findall(r"--(\w+):(#[0-9a-f]+)", STYLE.split("@media")[0]))  # those of the light page
_DPI = 144  # two pixels of the bitmap per unit of the layout (72 points an inch)
_MOST = 2**15  # pixels a side


@dataclass(frozen=True)
class _Look:
    face: str = "none"
    edge: str = "none"
    width: float = 1.0
    dashes: tuple[float, ...] = ()
    alpha: float = 1.0


_STROKES = {  # word of a kind: colour, width, dashes
    "plain": ("line", 1.0, ()),
    "frame": ("edge", 1.0, ()),
    "cell": ("edge", 1.0, ()),
    "flow": ("line", 1.5, ()),
    "grid": ("edge", 1.0, ()),
    "ring": ("paper", 1.0, ()),
    "added": ("c", 2.5, ()),
    "changed": ("d", 2.5, ()),
    "removed": ("b", 2.0, (5.0, 3.0)),
    "descent": ("b", 3.0, ()),
}
_FACES = {"plain": "paper", "tip": "line", "frame": "frame"}
_INKS = {"soft": "soft", "plus": "c", "tilde": "d", "minus": "b"}


def png(sketch: Sketch, path: Path) -> None:
    """Write the sketch to `path`, two pixels per unit, less where it is very large."""
    axes, save = _canvas(sketch.width, sketch.height)
    for shape in sketch.shapes:
        _draw(axes, shape)
    save(path)


def _draw(axes: Any, shape: Shape) -> None:
    if isinstance(shape, Text):
        _text(axes, shape)
        return
    look = _look(shape.kind)
    if isinstance(shape, Rect):
        axes.add_patch(_patch(shape.box, shape.radius, look))
    elif isinstance(shape, Dot):
        box = Box(shape.x, shape.y, 2 * shape.radius, 2 * shape.radius)
        axes.add_patch(_patch(box, shape.radius, look))
    elif isinstance(shape, Curve):
        axes.add_patch(_outline(shaft(shape), pieces(shaft(shape)), look))
        if shape.tip:
            axes.add_patch(_polygon(tip(shape.points[-1]), replace(look, face=look.edge, edge="none")))
    else:
        assert isinstance(shape, Line)
        axes.add_patch(_outline(shape.points, [(p,) for p in shape.points[1:]], look))


def _look(kind: str) -> _Look:
    """The look that the words of a kind give together; a later word overrides an earlier one."""
    look = _Look()
    for word in kind.split():
        if word in _STROKES:
            colour, width, dashes = _STROKES[word]
            look = replace(look, edge=_COLOURS[colour], width=width, dashes=dashes)
        face = _FACES.get(word, word if word not in _STROKES else "")
        if face in _COLOURS:
            look = replace(look, face=_COLOURS[face])
        if word == "faint":
            look = replace(look, alpha=0.45)
    return look


def _canvas(width: float, height: float) -> tuple[Any, Callable[[Path], None]]:
    """Axes in the layout's units, y downwards, and the function that saves them. No pyplot: nothing is
    kept in global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # The renderer refuses sides of 2^16 pixels and more.
    dpi = min(_DPI, 72 * _MOST / max(width, height))
    figure = Figure(figsize=(width / 72, height / 72), dpi=dpi)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    return axes, lambda path: figure.savefig(path, dpi=dpi, facecolor="white", format="png")


def _style(look: _Look) -> dict[str, Any]:
    # matplotlib counts dashes in line widths, SVG in pixels.
    dashes = (0, tuple(d / look.width for d in look.dashes)) if look.dashes else "solid"
    colours = {"facecolor": look.face, "edgecolor": look.edge, "alpha": look.alpha}
    return {**colours, "linewidth": look.width, "linestyle": dashes}


def _patch(box: Box, radius: float, look: _Look) -> Any:
    from matplotlib.patches import FancyBboxPatch

    # A radius of half a side and more turns its outline inside out.
    rounding = max(0.0, min(radius, box.height / 2 - 0.1, box.width / 2 - 0.1))
    style = f"round,pad=0,rounding_size={rounding}"
    return FancyBboxPatch((box.left, box.top), box.width, box.height, boxstyle=style, **_style(look))


def _polygon(points: Sequence[Point], look: _Look) -> Any:
    from matplotlib.patches import Polygon

    return Polygon(list(points), **_style(look))


def _outline(start: Sequence[Point], ends: Sequence[tuple[Point, ...]], look: _Look) -> Any:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    vertices, codes = [start[0]], [Outline.MOVETO]
    for piece in ends:
        vertices += piece
        codes += [Outline.LINETO] if len(piece) == 1 else [Outline.CURVE4] * 3
    return PathPatch(Outline(vertices, codes), fill=False, **{**_style(look), "facecolor": "none"})


def _text(axes: Any, text: Text) -> None:
    words = text.kind.split()
    ink = next((_COLOURS[_INKS[w]] for w in words if w in _INKS), _COLOURS["ink"])
    axes.text(
        text.x,
        text.y,
        text.value,
        fontsize=(10.2 if "soft" in words else 12.0),
        color=ink,
        alpha=0.45 if "faint" in words else 1.0,
        ha="center" if "middle" in words else "right" if "end" in words else "left",
        va="baseline",
        family="monospace" if "mono" in words else None,
        weight="bold" if "bold" in words else None,
        parse_math=False,
    )
