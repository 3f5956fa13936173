"""No line of the package runs what a file says: no pickle, no eval, no torch.load."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import cambrian

SOURCE = Path(cambrian.__file__).parent
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml"}
CALLS = {"eval", "exec", "compile", "torch.load", "torch.hub.load", "numpy.load", "np.load"}
LOADS = {"numpy.load", "np.load"}


def find_forbidden(source: str) -> list[str]:
    """Names of forbidden modules that are imported and of forbidden calls. NumPy refuses pickles unless it is
    told otherwise."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.partition(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in MODULES:
            found.append(str(node.module))
        elif isinstance(node, ast.Call) and (name := ast.unparse(node.func)) in CALLS:
            allowed = [k.value for k in node.keywords if k.arg == "allow_pickle"]
            refuses = name in LOADS and all(ast.unparse(value) == "False" for value in allowed)
            found += [] if refuses else [name]
    return found


@pytest.mark.parametrize(
    "line",
    ["import pickle", "from dill import load", "eval(x)", "torch.load(f)", "np.load(f, allow_pickle=True)"],
)
def test_what_is_forbidden_is_found(line: str) -> None:
    """The check would notice each of them."""
    assert find_forbidden(line)


def test_nothing_runs_what_a_file_says() -> None:
    """In all files of the package."""
    found = {
        str(p.relative_to(SOURCE)): f for p in SOURCE.rglob("*.py") if (f := find_forbidden(p.read_text()))
    }
    assert found == {}
