"""Graphs and trees in the cells of a user's table, as JSON.

A graph is a list of nodes `[operation, input, ...]`, whose inputs are numbers of earlier nodes; 0 is the
input of all: `[["conv", 0], ["pool", 0], ["add", 1, 2]]`. A tree is one node whose inputs are nodes or words:
`["add", ["conv", "x"], "x"]`. A column of them becomes the questions NAME/nodes, NAME/node1/operation,
NAME/node1/inputs, NAME/node2/operation, ...
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from cambrian.errors import DataError
from cambrian.spaces.knowledge import Graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

ABSENT, NOTHING = "", "nothing"
EXPECTED = (
    'expected a list of nodes such as [["conv", 0], ["add", 0, 1]], whose inputs are numbers of earlier'
    ' nodes, or a tree such as ["add", ["conv", "x"], "x"]'
)

Node = tuple[str, tuple[int, ...]]
"""An operation and the nodes it reads, counted from 1; 0 is the input of all."""


def split_graphs(
    name: str, columns: Mapping[str, NDArray[Any]]
) -> tuple[dict[str, NDArray[Any]], dict[str, tuple[str, ...]]]:
    """The columns with those of graphs split into questions, and the questions of each of those. Raises
    DataError with the row of a cell that is not a graph in a column of graphs."""
    split: dict[str, NDArray[Any]] = {}
    questions: dict[str, tuple[str, ...]] = {}
    for column, values in columns.items():
        cells = list(map(_decode, values.tolist()))
        parts = {column: values}
        if any(map(_is_nested, cells)):
            parts = _list_questions(
                column, [_read_cell(name, column, n, cell) for n, cell in enumerate(cells, 1)]
            )
            questions[column] = tuple(parts)
        for part in parts:
            if part in split or (part != column and part in columns):
                raise DataError(f"{name}: two columns would be called {part!r}: rename the column {column!r}")
        split |= parts
    return split, questions


def join_graphs(columns: Iterable[str], architecture: Mapping[str, Any]) -> Graph:
    """The graphs that the answers to these columns' questions describe, side by side; the nodes of each are
    in a group of its column's name."""
    labels: list[str] = []
    edges: list[tuple[int, int]] = []
    groups: list[str] = []
    for column in columns:
        nodes = list(_read_answers(column, architecture))
        # Only where it is read: the words of a tree stand for its inputs.
        labels += ["input"] if any(0 in inputs for _, inputs in nodes) else []
        zero = len(labels) - 1
        labels += [operation for operation, _ in nodes]
        edges += [(zero + a, zero + b) for b, (_, inputs) in enumerate(nodes, 1) for a in inputs]
        groups += [column] * (len(labels) - len(groups))
    return Graph(tuple(labels), tuple(edges), tuple(groups))


def _read_answers(column: str, architecture: Mapping[str, Any]) -> Iterator[Node]:
    for n in range(1, int(architecture[f"{column}/nodes"]) + 1):
        inputs = str(architecture[f"{column}/node{n}/inputs"])
        yield (
            str(architecture[f"{column}/node{n}/operation"]),
            () if inputs == NOTHING else tuple(map(int, inputs.split())),
        )


def _decode(cell: Any) -> Any:
    """The list in a cell; None for any other cell."""
    if not isinstance(cell, str) or not cell.startswith("["):
        return None
    try:
        return msgspec.json.decode(cell)
    except (msgspec.DecodeError, RecursionError):
        return None


def _is_nested(cell: Any) -> bool:
    """Whether a cell is surely a graph: a flat list of words or numbers may be anything."""
    return isinstance(cell, list) and any(isinstance(each, list) and each for each in cell)


def _read_cell(name: str, column: str, row: int, cell: Any) -> list[Node]:
    try:
        if not isinstance(cell, list) or not cell:
            raise ValueError("it is not a list")
        return [*map(_read_node, cell, range(len(cell)))] if isinstance(cell[0], list) else _flatten(cell)
    except ValueError as error:
        raise DataError(f"{name}: row {row} of {column!r} is not a graph: {error}; {EXPECTED}") from None


def _read_node(node: Any, before: int) -> Node:
    """`before`: the number of nodes before this one."""
    if not isinstance(node, list) or not node or not isinstance(node[0], str):
        raise ValueError(f"the node {node!r} does not begin with the name of its operation")
    for number in node[1:]:
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= before:
            raise ValueError(f"{node[0]} reads {number!r}, and before it are 0 to {before}")
    return node[0], tuple(node[1:])


def _flatten(tree: Any) -> list[Node]:
    """The nodes of a tree, inputs before those that read them. Equal inputs are nodes of their own."""
    nodes: list[Node] = []

    def add(node: Any) -> int:
        operation, *inputs = node if isinstance(node, list) and node else [node]
        if not isinstance(operation, str):
            raise ValueError(f"{operation!r} is not the name of an operation or an input")
        nodes.append((operation, tuple(map(add, inputs))))
        return len(nodes)

    add(tree)
    return nodes


def _list_questions(column: str, rows: Sequence[Sequence[Node]]) -> dict[str, NDArray[Any]]:
    """A column for each question; empty where a row has fewer nodes."""
    parts = {f"{column}/nodes": np.array([float(len(nodes)) for nodes in rows])}
    for n in range(max(map(len, rows))):
        here = [nodes[n] if n < len(nodes) else None for nodes in rows]
        parts[f"{column}/node{n + 1}/operation"] = np.array([node[0] if node else ABSENT for node in here])
        # A node that reads nothing has an answer too: an empty cell would mean that it is not there.
        reads = [" ".join(map(str, node[1])) or NOTHING if node else ABSENT for node in here]
        parts[f"{column}/node{n + 1}/inputs"] = np.array(reads)
    return parts
