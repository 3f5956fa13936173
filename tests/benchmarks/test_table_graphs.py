"""Columns of graphs and trees in a user's table: questions, the graph that comes back, refusals."""

from __future__ import annotations

import csv
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.architecture import completions
from cambrian.benchmarks import play, table
from cambrian.cli.benchmark_search import _describe_search
from cambrian.errors import DataError
from cambrian.predictors.path_kernel import PathKernel
from cambrian.spaces.knowledge import Graph, Graphs, GraphsAlone, Grows
from commands import run_command

CHAIN = [["conv", 0], ["pool", 1]]
FORK = [["conv", 0], ["pool", 0, 1], ["add", 1, 2]]
BRANCH = ["add", ["conv", "x"], ["pool", "x"]]


def write_table(path, cells, header="cell"):
    with path.open("w", newline="") as file:
        rows = [(text if isinstance(text, str) else json.dumps(text), n / 10) for n, text in enumerate(cells)]
        csv.writer(file).writerows([(header, "valid_acc"), *rows])
    return path


def write_lines(path, lines):
    path.write_text("\n".join(lines))
    return table(path).space


def list_graphs(found):
    graphs = found.space.know(Graphs)
    return [graphs.graph(architecture) for architecture in completions(found.space, {})]


def test_a_graph_comes_back_from_the_answers(tmp_path):
    """Nodes are numbered from 1, 0 is the input; a graph with fewer nodes is asked fewer questions."""
    found = table(write_table(tmp_path / "mine.csv", [CHAIN, FORK]))
    assert found.space.questions[:3] == ("cell/nodes", "cell/node1/operation", "cell/node1/inputs")
    assert list_graphs(found) == [
        Graph(("input", "conv", "pool"), ((0, 1), (1, 2)), ("cell",) * 3),
        Graph(("input", "conv", "pool", "add"), ((0, 1), (0, 2), (1, 2), (1, 3), (2, 3)), ("cell",) * 4),
    ]


def test_a_tree_has_its_inputs_before_its_nodes(tmp_path):
    """Each word is a node of its own, and no input is added."""
    found = table(write_table(tmp_path / "mine.csv", [BRANCH, ["conv", "x"]]))
    small, large = list_graphs(found)
    assert small == Graph(("x", "conv"), ((0, 1),), ("cell",) * 2)
    assert large == Graph(("x", "conv", "x", "pool", "add"), ((0, 1), (2, 3), (1, 4), (3, 4)), ("cell",) * 5)


def test_two_columns_stand_side_by_side(tmp_path):
    """As a normal and a reduction cell do; the groups tell them apart."""
    path = tmp_path / "mine.csv"
    with path.open("w", newline="") as file:
        cells = [
            (json.dumps(a), json.dumps(b), n) for n, (a, b) in enumerate([(CHAIN, BRANCH), (FORK, BRANCH)])
        ]
        csv.writer(file).writerows([("normal", "reduction", "valid_acc"), *cells])
    first, _ = list_graphs(table(path))
    assert first.labels == ("input", "conv", "pool", "x", "conv", "x", "pool", "add")
    assert first.edges[-2:] == ((4, 7), (6, 7))
    assert first.groups == ("normal",) * 3 + ("reduction",) * 5


def test_its_name_stands_for_its_questions(tmp_path):
    """In --questions; with a part of them alone there is no graph."""
    path = write_table(tmp_path / "mine.csv", [CHAIN, FORK])
    assert table(path, questions=("cell",)).space == table(path).space
    assert table(path, questions=("cell/nodes",)).space.know(Graphs) is None
    assert "questions: cell (graphs of up to 3 nodes);" in _describe_search(table(path), "accuracy", None)


def test_only_a_table_of_graphs_alone_is_compared_without_answers(tmp_path):
    """Isomorphic graphs whose nodes have other numbers are the same to the Gaussian process; with a further
    question they are not."""
    cells = [[["conv", 0], ["pool", 0], ["add", 1, 2]], [["pool", 0], ["conv", 0], ["add", 1, 2]], FORK]
    alone = table(write_table(tmp_path / "mine.csv", cells)).space
    assert alone.know(GraphsAlone) is not None
    lines = (tmp_path / "mine.csv").read_text().splitlines()
    widths = [lines[0] + ",width", *(f"{line},w{n}" for n, line in enumerate(lines[1:]))]
    wide = write_lines(tmp_path / "wide.csv", widths)
    assert wide.know(Graphs) is not None
    assert wide.know(GraphsAlone) is None
    one, other, same = completions(alone, {})
    rows = PathKernel().describe(alone, [one, same, other])
    kernel, correlation, _ = next(PathKernel().kernels(rows))
    assert correlation[0, 1] == pytest.approx(1)
    assert correlation[0, 2] < 0.999
    assert PathKernel().correlation(kernel, rows, rows) == pytest.approx(correlation)
    first, second, _ = completions(wide, {})
    rows = PathKernel().describe(wide, [first, second])
    assert next(PathKernel().kernels(rows))[1][0, 1] < 0.999


def test_it_grows_by_its_nodes(tmp_path):
    """Where the depth is said to be their number."""
    chains = [[["conv", 0]], [["conv", 0], ["conv", 1]], [["conv", 0], ["pool", 1]]]
    grows = table(write_table(tmp_path / "mine.csv", chains), depth="cell/nodes").space.know(Grows)
    assert grows.levels == (1, 2)


def test_flat_lists_stay_words(tmp_path):
    """A list of widths or of operations may be anything."""
    found = table(write_table(tmp_path / "mine.csv", [[16, 32], ["conv", "pool"]]))
    assert found.space.questions == ("cell",)
    assert found.space.know(Graphs) is None


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ([["conv", 1]], "conv reads 1, and before it are 0 to 0"),
        ([["conv", 0], ["pool", -1]], "pool reads -1"),
        ([["conv", True]], "conv reads True"),
        ([["conv", 0], "pool"], "the node 'pool' does not begin"),
        ([["conv", 0], [3, 1]], "does not begin with the name of its operation"),
        (["add", ["conv", 3]], "3 is not the name of an operation or an input"),
        ("conv", "it is not a list"),
        ("[[", "it is not a list"),
    ],
)
def test_a_cell_that_is_no_graph_is_refused_with_its_row(tmp_path, cell, reason):
    """In a column that has one: with the reason and an example of each form."""
    with pytest.raises(DataError, match=r"row 2 of 'cell' is not a graph") as error:
        table(write_table(tmp_path / "mine.csv", [CHAIN, cell]))
    assert reason in str(error.value)
    assert '[["conv", 0], ["add", 0, 1]]' in str(error.value)


def test_a_name_that_is_taken_is_refused(tmp_path):
    path = tmp_path / "mine.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("cell", "cell/nodes", "valid_acc"), (json.dumps(CHAIN), 2, 0.5)])
    with pytest.raises(DataError, match="two columns would be called 'cell/nodes': rename"):
        table(path)


@st.composite
def draw_graphs(draw):
    nodes = []
    for n in range(draw(st.integers(1, 5))):
        inputs = draw(st.lists(st.integers(0, n), max_size=3))
        nodes.append([draw(st.sampled_from(("conv", "pool", "add"))), *inputs])
    return nodes


@settings(max_examples=40, deadline=None)
@given(st.lists(draw_graphs(), min_size=2, max_size=6, unique_by=json.dumps))
def test_any_graphs_come_back(tmp_path_factory, cells):
    """Labels and edges of each row, in any order of the rows."""
    found = table(write_table(tmp_path_factory.mktemp("any") / "mine.csv", cells))
    expected = set()
    for nodes in cells:
        read = any(0 in node[1:] for node in nodes)
        labels = ("input",) * read + tuple(node[0] for node in nodes)
        # Where the input is not read, node 1 is the first of the graph.
        shift = 0 if read else 1
        edges = tuple((a - shift, b - shift) for b, node in enumerate(nodes, 1) for a in node[1:])
        expected.add((labels, edges))
    assert {(graph.labels, graph.edges) for graph in list_graphs(found)} == expected


def test_strategies_search_it(tmp_path):
    """By the command line and by two surrogates that read graphs; all rows are found in as many trials."""
    cells = [CHAIN, FORK, BRANCH, ["conv", "x"], [["conv", 0]], [["pool", 0]], [["pool", 0], ["conv", 1]]]
    path = write_table(tmp_path / "mine.csv", cells)
    for strategy in ("bayes", "nas-bowl"):
        assert play(table(path), strategy, budget=len(cells), seed=0).value[-1] == pytest.approx(0.6)
    command = (
        "search",
        "--benchmark",
        path,
        "--budget",
        4,
        "--strategy",
        "evolution",
        "--run",
        tmp_path / "run",
    )
    assert "cell (graphs of up to 5 nodes)" in run_command(*command).stdout
