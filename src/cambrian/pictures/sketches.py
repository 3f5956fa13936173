"""Sketches: cells, the stack of a network's stages, the tree of an architecture's answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from cambrian.architecture import Architecture
from cambrian.pictures.block_layout import SMALL, short, text_width
from cambrian.pictures.layout import Box, Edge, Point
from cambrian.pictures.picture import Frame, Node, Picture
from cambrian.pictures.shapes import Curve, Rect, Shape, Sketch, Text, join

MARGIN = 14.0
ROW = 22.0
_KINDS = (  # the first pattern found in an operation's name colours it
    (re.compile(r"pool|avg|max|^p\("), "green"),
    (re.compile(r"ident|skip|none|zero"), "grey"),
    (re.compile(r"dil|perceptron|dense|linear|^fc"), "orange"),
    (re.compile(r"1x[37]|[37]x1|attention"), "violet"),
    (re.compile(r"sep|conv|\dx\d|^mb|^c\(|^dw"), "blue"),
)
SIGNS = {"added": "+", "changed": "~", "removed": "−"}  # for readers who do not see colours
INKS = {"added": "plus", "changed": "tilde", "removed": "minus"}


@dataclass(frozen=True)
class Marks:
    """The nodes and edges that are "added", "changed" or "removed"; the rest is drawn faint."""

    nodes: Mapping[int, str] = field(default_factory=dict)
    edges: Mapping[Edge, str] = field(default_factory=dict)


def kind(node: Node) -> str:
    """The colour of a node, by the operation that its label names."""
    text = node.label.lower()
    # Inside a block such words are operations ("concat"); outside they are the cell's own ends.
    if not node.framed and re.search(r"prev|input|concat|output", text):
        return "teal"
    return next((colour for pattern, colour in _KINDS if pattern.search(text)), "plain")


def add_margin(sketch: Sketch, title: str) -> Sketch:
    """The sketch with a margin of paper."""
    width, height = sketch.width + 2 * MARGIN, sketch.height + 2 * MARGIN
    return Sketch(title, width, height, sketch.move(MARGIN, MARGIN))


def cell(picture: Picture, title: str, stages: Sequence[tuple[str, str]] = ()) -> Sketch:
    """The picture, and to the right of it the stack of stages, if any."""
    sketches = [draw_picture(picture), *([_stack(stages)] if stages else [])]
    return add_margin(join(title, sketches, 2 * MARGIN), title)


def network(stages: Sequence[tuple[str, str]], title: str = "network") -> Sketch:
    """The network as its stages from input to output: rows of (label, detail)."""
    return add_margin(_stack(stages), title)


def tree(architecture: Architecture, title: str) -> Sketch:
    """One line per answer, indented by the parts of its path."""
    rows = tree_rows(architecture)
    lines = [short(f"{name}: {answer}" if answer else name, 60) for _, name, answer in rows]
    shapes = tuple(
        Text(18.0 * depth, ROW * (i + 0.7), line, "" if answer else "soft")
        for i, (line, (depth, _, answer)) in enumerate(zip(lines, rows))
    )
    width = max((18 * r[0] + text_width(line, longest=60) for line, r in zip(lines, rows)), default=80.0)
    return add_margin(Sketch(title, width, ROW * len(rows), shapes), title)


def draw_picture(picture: Picture, marks: Marks | None = None) -> Sketch:
    """Frames, then edges, then nodes, so that nothing is hidden."""
    shapes: list[Shape] = [shape for frame in picture.frames for shape in _frame(frame)]
    # Edges of one source share lanes: a stretch is drawn once, lest lines on top of each other look bolder.
    drawn: set[object] = set()
    for edge, points in picture.routes.items():
        look = "" if marks is None else marks.edges.get(edge, "faint")
        shapes.append(Curve(_rest(points, look, drawn), f"flow {look}".strip()))
    for v, node in enumerate(picture.nodes):
        shapes += _node(node, "" if marks is None else marks.nodes.get(v, "faint"))
    return Sketch("", picture.width, picture.height, tuple(shapes))


def tree_rows(architecture: Architecture) -> list[tuple[int, str, str]]:
    """(depth, name, answer) in the order asked. The parts of a path are levels; a level that is not a
    question itself has an empty answer."""
    rows: list[tuple[int, str, str]] = []
    shown: list[str] = []
    for path, answer in architecture.items():
        *parents, name = path.split("/")
        common = 0
        while common < min(len(parents), len(shown)) and parents[common] == shown[common]:
            common += 1
        rows += [(depth, part, "") for depth, part in enumerate(parents) if depth >= common]
        text = ", ".join(map(str, answer)) if isinstance(answer, tuple) else str(answer)
        rows.append((len(parents), name, text or "(nothing)"))
        shown = parents
    return rows


def _rest(points: Sequence[Point], look: str, drawn: set[object]) -> tuple[Point, ...]:
    """The route from the point where it leaves those drawn before, but not from the middle of a turn."""
    steps = [(look, pair) for pair in pairwise(points)]
    new = next((i for i, step in enumerate(steps[:-1]) if step not in drawn), len(steps) - 1)
    while new and abs(points[new + 1][1] - points[new][1]) < 0.5:
        new -= 1
    drawn.update(steps)
    return tuple(points[new:])


def _frame(frame: Frame) -> list[Shape]:
    box = frame.box
    if frame.cell:
        title = Text(box.left + 12, box.top + 21, short(frame.title), "bold")
        return [Rect(box, "cell", 12), title]
    title = Text(box.left + frame.x, box.bottom - 7, short(frame.title), "soft")
    return [Rect(box, "frame", 10), title]


def _node(node: Node, mark: str) -> list[Shape]:
    """A node's box and label; a marked one has its sign before the label."""
    box = node.box
    shown = short(node.label)
    hint = node.label if shown != node.label else ""
    shape = Rect(box, f"{kind(node)} {mark}".strip(), 6.0 if node.framed else box.height / 2, hint)
    faint = " faint" if mark == "faint" else ""
    signed = f"{SIGNS[mark]} {shown}" if mark in SIGNS else shown
    return [shape, Text(box.x, box.y + 4.5, signed, f"middle{faint}")]


def _stack(stages: Sequence[tuple[str, str]]) -> Sketch:
    """Boxes one under the other, from the input down; a detail stands under its label."""
    wide = [text_width(name) for name, _ in stages] + [text_width(detail, SMALL) for _, detail in stages]
    size = max([110.0, *(width + 24 for width in wide)])
    shapes: list[Shape] = []
    y = 0.0
    for i, (name, detail) in enumerate(stages):
        height = 40.0 if detail else 26.0
        if i:
            shapes.append(Curve(((size / 2, y - 16), (size / 2, y))))
        colour = "blue" if "cell" in name.lower() else "plain"
        shapes.append(Rect(Box(size / 2, y + height / 2, size, height), colour))
        shapes.append(Text(size / 2, y + 17.5, short(name), "middle"))
        if detail:
            shapes.append(Text(size / 2, y + 32.5, short(detail), "soft middle"))
        y += height + 16
    return Sketch("", size, max(0.0, y - 16), tuple(shapes))
