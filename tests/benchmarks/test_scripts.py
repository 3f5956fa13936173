"""The scripts of `benchmarks/`, most of which take too long for a test."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[2] / "benchmarks").rglob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_what_a_script_imports_is_there(script):
    """Every name that it takes from the library, wherever in the script."""
    for statement in ast.walk(ast.parse(script.read_text())):
        if isinstance(statement, ast.ImportFrom) and (statement.module or "").split(".")[0] == "cambrian":
            module = importlib.import_module(statement.module)
            for each in statement.names:
                submodule = f"{statement.module}.{each.name}"
                assert hasattr(module, each.name) or importlib.util.find_spec(submodule), submodule
