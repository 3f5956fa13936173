"""Pictures as SVG: cells, the stack of a network's stages, the tree of an architecture's answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from cambrian.architecture import Architecture
from cambrian.delivery.layout import Point
from cambrian.delivery.markup import escaped, label, number, rect, svg_document
from cambrian.delivery.picture import Frame, Node, Picture, short, text_width

MARGIN = 14.0
_ROW = 22.0
_KINDS = (  # the first pattern found in an operation's name colours it
    (re.compile(r"pool|avg|max"), "green"),
    (re.compile(r"ident|skip|none|zero"), "grey"),
    (re.compile(r"dil"), "orange"),
    (re.compile(r"1x[37]|[37]x1"), "violet"),
    (re.compile(r"sep|conv|\dx\d"), "blue"),
)


def kind(node: Node) -> str:
    """The colour of a node: by what its name says inside a block, plain outside."""
    text = node.label.lower()
    if not node.framed and re.search(r"prev|input|concat|output", text):
        return "teal"
    return next((colour for pattern, colour in _KINDS if pattern.search(text)), "plain")


def cell_svg(picture: Picture, title: str, stages: Sequence[tuple[str, str]] = ()) -> str:
    """The cell, and right of it the stack of stages where there are any."""
    body, width, height = _cell(picture, MARGIN, MARGIN)
    if stages:
        stack, right, bottom = _stack(stages, width + 2 * MARGIN, MARGIN)
        body += stack
        width, height = right, max(height, bottom)
    return svg_document(title, width + MARGIN, height + MARGIN, body)


def network_svg(stages: Sequence[tuple[str, str]], title: str = "network") -> str:
    """The network as its stages from input to output: rows of (label, detail)."""
    body, width, height = _stack(stages, MARGIN, MARGIN)
    return svg_document(title, width + MARGIN, height + MARGIN, body)


def tree_svg(architecture: Architecture, title: str) -> str:
    """One line per answer, indented by the parts of its path."""
    rows = tree_rows(architecture)
    lines = [f"{name}: {answer}" if answer else name for _, name, answer in rows]
    body = [
        label(MARGIN + 18 * depth, MARGIN + _ROW * (i + 0.7), short(line, 60), "" if answer else "soft")
        for i, (line, (depth, _, answer)) in enumerate(zip(lines, rows))
    ]
    width = max((18 * r[0] + 0.6 * 13 * min(len(line), 60) for line, r in zip(lines, rows)), default=80.0)
    return svg_document(title, width + 2 * MARGIN, _ROW * len(rows) + 2 * MARGIN, body)


def tree_rows(architecture: Architecture) -> list[tuple[int, str, str]]:
    """(depth, name, answer) in the order asked; a path's parts are levels, and one that is asked
    nothing itself has an empty answer."""
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


def path_data(points: Sequence[Point]) -> str:
    """A route as SVG path data: straight where x stays, else a curve with vertical ends."""
    data = [f"M{number(points[0][0])} {number(points[0][1])}"]
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = number((y0 + y1) / 2)
        if abs(x1 - x0) < 0.5:
            data.append(f"V{number(y1)}")
        else:
            data.append(f"C{number(x0)} {middle} {number(x1)} {middle} {number(x1)} {number(y1)}")
    return "".join(data)


def _cell(picture: Picture, dx: float, dy: float) -> tuple[list[str], float, float]:
    parts = [_frame(f) for f in picture.frames]
    for points in picture.routes.values():
        x, y = points[-1]
        parts.append(f'<path class="flow" d="{path_data([*points[:-1], (x, y - 5)])}"/>')
        parts.append(f'<path class="tip" d="M{number(x)} {number(y)}l-3.5 -7h7z"/>')
    parts += [_node(n) for n in picture.nodes]
    group = f'<g transform="translate({number(dx)} {number(dy)})">{"".join(parts)}</g>'
    return [group], picture.width + dx, picture.height + dy


def _frame(frame: Frame) -> str:
    box = frame.box
    return rect(box.left, box.top, box.width, box.height, "frame", 10) + label(
        box.left + 9, box.bottom - 7, short(frame.title), "soft halo"
    )


def _node(node: Node) -> str:
    box = node.box
    shape = rect(
        box.left, box.top, box.width, box.height, kind(node), box.height / 2 if not node.framed else 6
    )
    text = label(box.x, box.y + 4.5, short(node.label), "middle")
    whole = f"<title>{escaped(node.label)}</title>" if short(node.label) != node.label else ""
    return f"<g>{whole}{shape}{text}</g>"


def _stack(stages: Sequence[tuple[str, str]], left: float, top: float) -> tuple[list[str], float, float]:
    """Boxes one under the other, from the input down; a detail stands under its label."""
    size = max(
        [110.0, *(text_width(a) + 24 for a, _ in stages), *(text_width(b, 11) + 24 for _, b in stages)]
    )
    body: list[str] = []
    y = top
    for i, (name, detail) in enumerate(stages):
        height = 40.0 if detail else 26.0
        if i:
            x = left + size / 2
            body.append(f'<path class="flow" d="M{number(x)} {number(y - 16)}V{number(y - 5)}"/>')
            body.append(f'<path class="tip" d="M{number(x)} {number(y)}l-3.5 -7h7z"/>')
        shape = "blue" if "cell" in name.lower() else "plain"
        body.append(rect(left, y, size, height, shape))
        body.append(label(left + size / 2, y + 17.5, short(name), "middle"))
        if detail:
            body.append(label(left + size / 2, y + 32.5, short(detail), "soft middle"))
        y += height + 16
    return body, left + size, y - 16 if stages else top
