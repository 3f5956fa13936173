"""Arrows point down: no module of the package leads back to itself by what it imports.

Counted are imports at the top of a file and inside functions, and the texts that registries load modules by
("cambrian.spaces.cells.pnas:PNAS"), where they name a module of ours. Left out are imports for the type
checker alone: what is imported for an annotation is never called. An import of `a.b` is an arrow to `a.b`,
not to the package `a`, whose registry may name `a.b` in turn.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import cambrian

ROOT = Path(cambrian.__file__).parent
TARGET = re.compile(r"cambrian(\.\w+)+(:[\w.]+)?")


def read_modules(root: Path) -> dict[str, str]:
    """The source of each module below the package at `root`, by the module's dotted name."""
    modules = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text()
    return modules


def list_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a module but those that only a type checker reads."""
    yield node
    for child in ast.iter_child_nodes(node):
        checked = isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING")
        for each in child.orelse if checked and isinstance(child, ast.If) else [child]:
            yield from list_nodes(each)


def list_targets(node: ast.AST) -> Iterator[str]:
    """Dotted names of what a node may load; `from a import b` is `a.b`, a module or something in one."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module is not None:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and TARGET.fullmatch(node.value):
        yield node.value.partition(":")[0]


def build_graph(modules: Mapping[str, str]) -> dict[str, set[str]]:
    """The modules that each module loads."""
    graph: dict[str, set[str]] = {}
    for name, source in modules.items():
        targets = [t for node in list_nodes(ast.parse(source)) for t in list_targets(node)]
        homes = {t if t in modules else t.rpartition(".")[0] for t in targets}
        graph[name] = (homes & modules.keys()) - {name}
    return graph


def find_circle(graph: Mapping[str, set[str]]) -> list[str]:
    """One circle of modules, its first named again at its end; empty where there is none."""
    finished: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in finished:
            return []
        for target in sorted(graph[name]):
            if circle := walk(target, [*path, name]):
                return circle
        finished.add(name)
        return []

    return next((circle for name in sorted(graph) if (circle := walk(name, []))), [])


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    return build_graph(read_modules(ROOT))


def test_no_module_leads_back_to_itself(graph: dict[str, set[str]]) -> None:
    """Neither by imports within functions nor by the names in registries."""
    assert " -> ".join(find_circle(graph)) == ""


def test_the_graph_is_that_of_the_package(graph: dict[str, set[str]]) -> None:
    """Three arrows that are known to be there: at the top, within a function, and by name."""
    assert "cambrian.search.loop.coordinator" in graph["cambrian.search.assembly"]
    assert "cambrian.search.result" in graph["cambrian.search.search"]
    assert "cambrian.spaces.cells.pnas" in graph["cambrian.spaces"]


@pytest.mark.parametrize(
    "upwards",
    [
        "from cambrian.top import name\n",
        "import cambrian.top\n",
        "def late():\n    from cambrian import top\n    return top\n",
        'NAMES = {"top": "cambrian.top:name"}\n',
        "if TYPE_CHECKING:\n    pass\nelse:\n    import cambrian.top\n",
    ],
)
def test_an_invented_circle_is_found(upwards: str) -> None:
    """Of three modules, whichever way the lowest calls up."""
    modules = {
        "cambrian.top": "from cambrian.middle import name\n",
        "cambrian.middle": "def late():\n    import cambrian.bottom\n",
        "cambrian.bottom": upwards,
    }
    assert find_circle(build_graph(modules)) == [
        "cambrian.bottom",
        "cambrian.top",
        "cambrian.middle",
        "cambrian.bottom",
    ]


@pytest.mark.parametrize(
    "harmless",
    [
        "if TYPE_CHECKING:\n    from cambrian.top import name\n",
        "if typing.TYPE_CHECKING:\n    import cambrian.top\n",
        'TEXT = "see cambrian.top for more"\n',
        "import numpy\n",
    ],
)
def test_what_never_runs_is_no_circle(harmless: str) -> None:
    """Annotations, sentences, and other people's modules."""
    modules = {"cambrian.top": "import cambrian.bottom\n", "cambrian.bottom": harmless}
    assert find_circle(build_graph(modules)) == []
