"""Strategies by their names on a command line: `evolution`, `evolution(paper)`,
`evolution(population=20, sample=5)`, `my_module:MyStrategy`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cambrian.spec_text import parts
from cambrian.strategies import STRATEGIES
from cambrian.strategies.strategy import Strategy

BASELINE = "random"
Contenders = dict[str, Strategy]
"""By label; every comparison has random search among them (Li & Talwalkar 2019)."""


def contenders(given: str | Iterable[str] | Mapping[str, Any]) -> Contenders:
    """Strategies by label: from a text, from several texts, or from objects, names and specs by labels of
    one's own. Raises UnknownName with the nearest name, UsageError for a setting that no strategy has."""
    if isinstance(given, Mapping):
        rivals = {str(label): _make(item) for label, item in given.items()}
    else:
        texts = parts(given) if isinstance(given, str) else [str(text).strip() for text in given]
        rivals = {text: STRATEGIES.parse(text) for text in texts}
    # Random search is added unless it is there under some label, with its defaults.
    if find_baseline(rivals) is None:
        rivals[BASELINE if BASELINE not in rivals else "random search"] = STRATEGIES.make(BASELINE)
    return rivals


def find_baseline(rivals: Contenders) -> str | None:
    """The label of random search."""
    spec = {"name": BASELINE, "arguments": {}}
    return next((label for label, rival in rivals.items() if STRATEGIES.spec(rival) == spec), None)


def _make(given: Any) -> Strategy:
    if isinstance(given, str):
        given = STRATEGIES.parse(given)
    strategy: Strategy = STRATEGIES.make(given) if isinstance(given, Mapping) else given
    return strategy
