"""The difference of two architectures of a space: in their answers, and in the graphs of these."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

from cambrian.architecture import Architecture
from cambrian.choices import Answer
from cambrian.pictures.block_layout import short, text_width
from cambrian.pictures.layout import Box
from cambrian.pictures.picture import GAP, picture
from cambrian.pictures.shapes import Rect, Shape, Sketch, Text, join
from cambrian.pictures.sketches import INKS, MARGIN, ROW, SIGNS, Marks, add_margin, draw_picture
from cambrian.pictures.terminal import printable
from cambrian.spaces.knowledge import Graph, Graphs, know
from cambrian.spaces.space import Space

SAME = "same"
_KINDS = (SAME, "changed", "added", "removed")
_WIDEST = 1100.0
_LONGEST = 90


@dataclass(frozen=True)
class Entry:
    """A path and its answer in each architecture; None where it was not asked. `kind` is same, changed,
    added or removed."""

    path: str
    kind: str
    old: Answer | None
    new: Answer | None

    def __str__(self) -> str:
        shown = [_text(a) for a in (self.old, self.new) if a is not None]
        return f"{self.path}: {' → '.join(shown[: 1 if self.kind == SAME else 2])}"


def difference(old: Architecture, new: Architecture) -> list[Entry]:
    """An entry for each path of either architecture, in the order of `new`; a path that only `old` has
    follows the common path that preceded it there.

    >>> a = Architecture({"depth": 1, "op0": "conv"})
    >>> b = Architecture({"depth": 2, "op0": "conv", "op1": "skip"})
    >>> [str(entry) for entry in difference(a, b) if entry.kind != "same"]
    ['depth: 1 → 2', 'op1: skip']
    """
    return [_entry(path, old, new) for path in _paths(list(old), list(new))]


def changes(old: Architecture, new: Architecture) -> list[Entry]:
    """The entries that are not the same."""
    return [entry for entry in difference(old, new) if entry.kind != SAME]


def _entry(path: str, old: Mapping[str, Answer], new: Mapping[str, Answer]) -> Entry:
    if path not in old:
        return Entry(path, "added", None, new[path])
    if path not in new:
        return Entry(path, "removed", old[path], None)
    equal = (type(old[path]), old[path]) == (type(new[path]), new[path])  # 1, 1.0 and True differ
    return Entry(path, SAME if equal else "changed", old[path], new[path])


def _paths(old: list[str], new: list[str]) -> list[str]:
    after: dict[str, list[str]] = defaultdict(list)  # paths of `old` alone, by the common path before them
    before, common = "", set(new)
    for path in old:
        if path in common:
            before = path
        else:
            after[before].append(path)
    return after[""] + [p for path in new for p in (path, *after[path])]


def summary(entries: list[Entry]) -> str:
    """
    >>> summary(difference(Architecture({"a": 1}), Architecture({"a": 2})))
    '0 the same, 1 changed, 0 added, 0 removed'
    """
    counts = {kind: sum(entry.kind == kind for entry in entries) for kind in _KINDS}
    return ", ".join(f"{n} {'the same' if kind == SAME else kind}" for kind, n in counts.items())


def difference_text(old: Architecture, new: Architecture) -> str:
    """For a terminal: a line for each differing answer, and the number of equal ones."""
    entries = difference(old, new)
    lines = [f"{SIGNS[e.kind]} {printable(str(e))}" for e in entries if e.kind != SAME]
    return "\n".join([*lines, summary(entries)])


def difference_sketch(space: Space, old: Architecture, new: Architecture, title: str) -> Sketch:
    """The differing answers, and where the space has a graph, both graphs with their differences marked."""
    rows = _rows(difference(old, new))
    knowledge = know(space, Graphs)
    if knowledge is None:
        return add_margin(rows, title)
    graphs = knowledge.graph(old), knowledge.graph(new)
    pictures = [
        _add_heading(name, draw_picture(picture(graph), marks))
        for name, graph, marks in zip(("before", "after"), graphs, mark_changes(*graphs))
    ]
    # Beside each other they are compared at a glance; two wide ones would be scaled until illegible.
    across = sum(p.width for p in pictures) + GAP <= _WIDEST
    both = join(title, pictures, 2 * GAP, across)
    return add_margin(join(title, [rows, both], GAP, across=False), title)


def _rows(entries: list[Entry]) -> Sketch:
    """The legend with its counts, then a line for every answer that differs."""
    shapes: list[Shape] = [Text(0, 13, summary(entries), "bold")]
    lines = [(e.kind, short(str(e), _LONGEST)) for e in entries if e.kind != SAME]
    for i, (kind, line) in enumerate(lines, start=1):
        y = ROW * i + 13
        shapes.append(Rect(Box(8, y - 4.5, 16, 16), f"plain {kind}", 4))
        shapes.append(Text(8, y, SIGNS[kind], f"bold middle {INKS[kind]}"))
        shapes.append(Text(24, y, line))
    wide = [24 + text_width(line, longest=_LONGEST) for _, line in lines]
    width = max([text_width(summary(entries), longest=_LONGEST) + MARGIN, *wide])
    return Sketch("", width, ROW * (len(lines) + 1), tuple(shapes))


def _add_heading(name: str, sketch: Sketch) -> Sketch:
    head = Text(0, 13, name, "soft")
    return Sketch("", max(sketch.width, 40.0), sketch.height + ROW, (head, *sketch.move(0, ROW)))


def mark_changes(old: Graph, new: Graph) -> tuple[Marks, Marks]:
    """The marks of both graphs. Nodes are matched group by group, in order, by their labels first; edges are
    the same where they join matched nodes."""
    match = match_nodes(old, new)
    back = {w: v for v, w in match.items()}
    differs = {v: "changed" for v, w in match.items() if old.labels[v] != new.labels[w]}
    before = differs | {v: "removed" for v in range(len(old.labels)) if v not in match}
    after = {match[v]: kind for v, kind in differs.items()}
    after |= {w: "added" for w in range(len(new.labels)) if w not in back}
    # An edge with an unmatched end maps to -1, which no edge has: it counts as gone or come.
    kept = {(match.get(u, -1), match.get(v, -1)) for u, v in old.edges}
    had = {(back.get(u, -1), back.get(v, -1)) for u, v in new.edges}
    gone = {edge: "removed" for edge in old.edges if edge not in had}
    come = {edge: "added" for edge in new.edges if edge not in kept}
    return Marks(before, gone), Marks(after, come)


def match_nodes(old: Graph, new: Graph) -> dict[int, int]:
    """Each node of `old` that has a counterpart in `new`, with that."""
    groups_old, groups_new = _groups(old), _groups(new)
    match: dict[int, int] = {}
    for group, nodes in groups_old.items():
        others = groups_new.get(group, [])
        names, labels = [old.labels[v] for v in nodes], [new.labels[w] for w in others]
        for tag, a, b, c, d in SequenceMatcher(None, names, labels, autojunk=False).get_opcodes():
            # A replaced run matches in order: a node with another label is a changed one. Where one run is
            # longer, `zip` leaves its rest as removed or added.
            if tag in ("equal", "replace"):
                match |= dict(zip(nodes[a:b], others[c:d]))
    return match


def _groups(graph: Graph) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for v in range(len(graph.labels)):
        groups[graph.groups[v] if graph.groups else ""].append(v)
    return groups


def _text(answer: Answer) -> str:
    return (", ".join(map(str, answer)) or "(nothing)") if isinstance(answer, tuple) else str(answer)
