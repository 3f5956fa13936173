"""Strategies as they are named on a command line: `evolution`, `evolution(paper)`,
`evolution(population=20, sample=5)`, `my_module:MyStrategy`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cambrian.registry import parts
from cambrian.strategies import STRATEGIES
from cambrian.strategies.strategy import Strategy

BASELINE = "random"
Contenders = dict[str, Strategy]
"""By label; every comparison has random search among them (Li & Talwalkar 2019)."""


def contenders(given: str | Iterable[str] | Mapping[str, Any]) -> Contenders:
    """Strategies by label, of text, of several texts, or of objects, names and specs by labels of one's
    own. Raises UnknownName with the nearest name, UsageError for a setting nobody has."""
    if isinstance(given, Mapping):
        found = {str(label): _make(what) for label, what in given.items()}
    else:
        texts = parts(given) if isinstance(given, str) else [str(text).strip() for text in given]
        found = {text: STRATEGIES.parse(text) for text in texts}
    spec = {"name": BASELINE, "arguments": {}}
    if not any(STRATEGIES.spec(strategy) == spec for strategy in found.values()):
        found[BASELINE if BASELINE not in found else "random search"] = STRATEGIES.make(BASELINE)
    return found


def _make(given: Any) -> Strategy:
    if isinstance(given, str):
        given = STRATEGIES.parse(given)
    made: Strategy = STRATEGIES.make(given) if isinstance(given, Mapping) else given
    return made
