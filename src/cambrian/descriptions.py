"""The first sentence of a component's docstring, read from its file: importing it may take a second."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from cambrian.registry import Registry

STOP = re.compile(r"(?<!\bal)(?<!\bSec)(?<!\bApp)(?<!\bTrans)\.(?=\s|$)")
"""The end of a sentence, which those of "et al." and "Sec. 4" are not."""

_ROOT = Path(__file__).parent


def describe(registry: Registry, name: str) -> str:
    """The sentence of a component: that of its file, and of its function, or its class where the file holds
    several."""
    module, _, attribute = registry.target(name).partition(":")
    documents = _read_documents(module)
    own, whole = first_sentence(documents.get(attribute)), first_sentence(documents.get(""))
    alone = sum(registry.target(other).partition(":")[0] == module for other in registry.names()) == 1
    # The class of a file with one component describes its settings, which the file's sentence does not.
    if not own or (alone and not attribute.islower()):
        return whole
    return f"{whole.partition(': ')[0]}: {own[0].lower()}{own[1:]}"


def first_sentence(text: str | None) -> str:
    """On one line, without its full stop.

    >>> first_sentence("Random search (Li et al. 2019, Sec. 4). It draws\\n  independently.")
    'Random search (Li et al. 2019, Sec. 4)'
    """
    return STOP.split(" ".join((text or "").split()), maxsplit=1)[0]


@cache
def _read_documents(module: str) -> dict[str, str]:
    """The docstrings of a module of ours and of its functions and classes, by name; "" is the module's."""
    place = _ROOT.joinpath(*module.split(".")[1:])
    file = place.with_suffix(".py") if place.with_suffix(".py").exists() else place / "__init__.py"
    tree = ast.parse(file.read_text(encoding="utf-8"))
    nodes = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    return {name: ast.get_docstring(node) or "" for name, node in {"": tree, **nodes}.items()}
