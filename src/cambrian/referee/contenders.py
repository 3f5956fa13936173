"""Strategies as they are named on a command line: `evolution`, `evolution(paper)`,
`evolution(population=20, sample=5)`, `my_module:MyStrategy`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from cambrian.errors import UsageError
from cambrian.strategies import STRATEGIES
from cambrian.strategies.strategy import Strategy

BASELINE = "random"
Contenders = dict[str, Strategy]
"""By label; every comparison has random search among them (Li & Talwalkar 2019)."""


def contenders(given: str | Iterable[str] | Mapping[str, Any]) -> Contenders:
    """Strategies by label, of text, of several texts, or of objects, names and specs by labels of one's
    own. Raises UnknownName with the nearest name, UsageError for a setting nobody has."""
    if isinstance(given, Mapping):
        found = {str(label): _made(what) for label, what in given.items()}
    else:
        texts = _split(given) if isinstance(given, str) else [str(text).strip() for text in given]
        found = {text: named(text) for text in texts}
    spec = {"name": BASELINE, "arguments": {}}
    if not any(STRATEGIES.spec(strategy) == spec for strategy in found.values()):
        found[BASELINE if BASELINE not in found else "random search"] = STRATEGIES.make(BASELINE)
    return found


def named(text: str) -> Strategy:
    """The strategy that `NAME`, `NAME(paper)` or `NAME(setting=value, ...)` describes; values are JSON,
    or words."""
    match = re.fullmatch(r"\s*([\w.:-]+)\s*(?:\((.*)\))?\s*", text, re.DOTALL)
    if match is None:
        raise UsageError(
            f"cannot read the strategy {text!r}: write a name such as evolution, evolution(paper) or "
            "evolution(population=20, sample=5)"
        )
    name, inside = match[1], (match[2] or "").strip()
    if inside == "paper":
        return _paper(name)
    arguments = dict(_setting(part, text) for part in _split(inside))
    made: Strategy = STRATEGIES.make({"name": name, "arguments": arguments})
    return made


def _made(given: Any) -> Strategy:
    if isinstance(given, str):
        return named(given)
    made: Strategy = STRATEGIES.make(given) if isinstance(given, Mapping) else given
    return made


def _paper(name: str) -> Strategy:
    found = STRATEGIES.get(name)
    if not hasattr(found, "paper"):
        raise UsageError(f"strategy {name!r} has no settings of a paper's own: leave out '(paper)'")
    made: Strategy = found.paper()
    return made


def _setting(part: str, text: str) -> tuple[str, Any]:
    name, equals, value = part.partition("=")
    if not equals:
        raise UsageError(
            f"cannot read {part!r} in the strategy {text!r}: write setting=value, or paper alone"
        )
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value.strip()


def _split(text: str) -> list[str]:
    """Parts between the commas that are outside brackets and quotes.

    >>> _split('random, evolution(population=20, sample=5)')
    ['random', 'evolution(population=20, sample=5)']
    """
    parts, depth, quoted = [""], 0, False
    for letter in text:
        quoted ^= letter == '"'
        depth += 0 if quoted else (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]
