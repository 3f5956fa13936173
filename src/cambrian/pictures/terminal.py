"""Pictures as text: rails as version control draws its history, a line for every block."""

from __future__ import annotations

from collections.abc import Sequence

from cambrian.architecture import Architecture
from cambrian.pictures.graph_parts import blocks, cells, check_graph
from cambrian.pictures.sketches import tree_rows
from cambrian.spaces.space import Graph


def graph_text(graph: Graph) -> str:
    """Blocks and single nodes from input to output, each with its inputs:

    ● previous
    ├─● block 1 = sep3x3(previous) + max3x3(previous)
    """
    parts = cells(check_graph(graph))
    if len(parts) == 1:
        return _rows(graph)
    return "\n\n".join(f"{printable(cell.title)}\n{_rows(cell.graph)}" for cell in parts)


def _rows(graph: Graph) -> str:
    names, sources = _parts(graph)
    rails = _rails(sources)
    width = max(map(len, rails), default=0)
    return "\n".join(f"{rail:<{width}} {printable(name)}" for rail, name in zip(rails, names))


def tree_text(architecture: Architecture) -> str:
    """One line per answer, indented by the parts of its path."""
    rows = tree_rows(architecture)
    return "\n".join(
        "  " * depth + printable(f"{name}: {answer}" if answer else name) for depth, name, answer in rows
    )


def printable(text: str) -> str:
    """`text` without control characters: a name must not move the reader's cursor."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def _parts(graph: Graph) -> tuple[list[str], list[list[int]]]:
    """The line of every block or single node, in order of their last node, and the parts feeding each."""
    framed = blocks(graph)
    members = list(framed.values())
    grouped = {v for nodes in members for v in nodes}
    members += [[v] for v in range(len(graph.labels)) if v not in grouped]
    members.sort(key=max)  # edges lead from earlier to later nodes: a part comes after all that feed it
    home = {v: p for p, nodes in enumerate(members) for v in nodes}
    title = {v: group for group, nodes in framed.items() for v in nodes}
    feeds = _feeds(graph)
    names = [
        f"{title[nodes[0]]} = {_expression(graph, feeds, nodes, title)}"
        if nodes[0] in title
        else graph.labels[nodes[0]]
        for nodes in members
    ]
    sources = [sorted({home[u] for v in nodes for u in feeds[v]} - {p}) for p, nodes in enumerate(members)]
    return names, sources


def _feeds(graph: Graph) -> list[list[int]]:
    feeds: list[list[int]] = [[] for _ in graph.labels]
    for u, v in graph.edges:
        feeds[v].append(u)
    return feeds


def _expression(graph: Graph, feeds: list[list[int]], nodes: list[int], title: dict[int, str]) -> str:
    """A block as an expression, written from its last nodes back to its inputs."""

    def write_node(v: int) -> str:
        if v not in nodes:
            return title.get(v, graph.labels[v])
        operands = [write_node(u) for u in feeds[v]]
        if graph.labels[v].lower() in ("add", "sum", "+"):
            return " + ".join(operands)
        return f"{graph.labels[v]}({', '.join(operands)})" if operands else graph.labels[v]

    # Nodes that feed no other one inside are the block's results; the rest is written within them.
    inner = {u for v in nodes for u in feeds[v]}
    return ", ".join(write_node(v) for v in nodes if v not in inner)


def _rails(sources: Sequence[Sequence[int]]) -> list[str]:
    """The drawing of each row: a column for every row whose result is still awaited."""
    last = {u: p for p, feeding in enumerate(sources) for u in feeding}
    columns: list[int | None] = []  # the row whose result runs down in each
    drawn = []
    for p, feeding in enumerate(sources):
        free = [
            c for c, owner in enumerate(columns) if owner is None or (owner in feeding and last[owner] == p)
        ]
        # The rightmost rail that ends in this row becomes the node's; others that end turn in from the left.
        own = max([c for c in free if columns[c] is not None], default=free[0] if free else len(columns))
        cells = [_cell(c, own, columns, feeding, last, p) for c in range(max(len(columns), own + 1))]
        drawn.append("".join(cells).rstrip("─ "))
        columns = [None if owner is not None and last[owner] == p else owner for owner in columns]
        columns += [None] * (own + 1 - len(columns))
        columns[own] = p if p in last else None
    return drawn


def _cell(
    c: int, own: int, columns: list[int | None], feeding: Sequence[int], last: dict[int, int], row: int
) -> str:
    """Two characters of column `c`: the node, a rail that passes, or one that turns to the node."""
    owner = columns[c] if c < len(columns) else None
    joined = [k for k, o in enumerate(columns) if o in feeding]
    across = any(k <= c < own or own <= c < k for k in joined)
    tail = "─" if across else " "
    if c == own:
        return "●" + tail
    if owner is None:
        return ("─" if _between(c, own, joined) else " ") + tail
    if owner not in feeding:
        return "│" + tail
    inner = _between(c, own, joined)  # an edge from further out passes through the corner
    ends = last[owner] == row
    corners = "┴╰╯" if ends else "┼├┤"
    return corners[0 if inner else 1 if c < own else 2] + tail


def _between(c: int, own: int, joined: list[int]) -> bool:
    return any(min(k, own) < c < max(k, own) for k in joined)
