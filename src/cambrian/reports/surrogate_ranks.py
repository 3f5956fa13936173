"""Table 1 of PNAS (Liu et al. 2018) on a run's own trials, for its report. Fitting the four surrogates takes
minutes, so that the rows are kept in the run directory."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture
from cambrian.files import write_file
from cambrian.outcome import Trial
from cambrian.reports.evidence import search_trials
from cambrian.spaces.knowledge import Encodes, Grows, know

if TYPE_CHECKING:
    from cambrian.search.result import Result

KEPT = "table1.json"
FEWEST = 10
"""Architectures a level must have for its rank correlation to be worth a row."""

_COLUMNS = {
    "surrogate": "surrogate",
    "level": "fitted to level",
    "fitted": "on",
    "spearman": "rho there",
    "kendall": "tau there",
    "unseen": "one level more",
    "spearman_next": "rho there, unseen",
    "kendall_next": "tau there, unseen",
}


def rank_surrogates(result: Result, fit: bool = True) -> list[dict[str, Any]]:
    """Rows for `Story.table1`: none while the search still goes on, nor where fewer than two levels have
    ten measured architectures, nor for a space that has no levels or no tokens. Without `fit` only rows
    that were kept."""
    encodes = know(result.space, Encodes)
    if encodes is None or not can_rank(result):
        return []
    by_level = trials_by_level(result)
    # A continued run has more trials, and rows fitted to fewer are not its own.
    identity = _digest(result.trials)
    place = result.directory / KEPT if result.directory is not None else None
    kept = _read(place, identity)
    if kept is not None or not fit:
        return kept or []
    from cambrian.predictors.pnas_table1 import table1  # imports torch, which most reports do without

    rows = [
        {title: getattr(row, name) for name, title in _COLUMNS.items()} for row in table1(encodes, by_level)
    ]
    if place is not None:
        # A directory that cannot be written to costs another fit the next time, not the report.
        with suppress(OSError):
            write_file(place, json.dumps({"of": identity, "rows": rows}, indent=1).encode())
    return rows


def can_rank(result: Result) -> bool:
    """Whether the run has what the surrogates are fitted to (see `rank_surrogates`)."""
    ended = any(name == "stop" for _, name, _ in result.events)
    return ended and know(result.space, Encodes) is not None and len(trials_by_level(result)) > 1


def trials_by_level(result: Result) -> dict[int, tuple[list[Architecture], list[float]]]:
    """The different architectures with a value, by level; small levels are left out."""
    grows = know(result.space, Grows)
    if grows is None:
        return {}
    # The first measurement of each: a repeat or a replicate would weigh an architecture twice.
    first: dict[Architecture, float] = {}
    for trial in search_trials(result.trials):
        if trial.score is not None:
            first.setdefault(trial.architecture, trial.score)
    by_level: dict[int, tuple[list[Architecture], list[float]]] = defaultdict(lambda: ([], []))
    for architecture, value in first.items():
        architectures, values = by_level[grows.level(architecture)]
        architectures.append(architecture)
        values.append(value)
    return {level: by_level[level] for level in sorted(by_level) if len(by_level[level][0]) >= FEWEST}


def _digest(trials: Sequence[Trial]) -> str:
    """A hash of the trials that the rows come from: numbers, architectures and values."""
    measured = [(t.number, t.architecture.key, t.value) for t in search_trials(trials) if t.value is not None]
    return hashlib.sha256(json.dumps(measured).encode()).hexdigest()


def _read(place: Path | None, identity: str) -> list[dict[str, Any]] | None:
    """Rows that were kept for the same trials; None where they cannot be read or are of others."""
    try:
        kept = json.loads(place.read_text()) if place is not None else {}
        rows: list[dict[str, Any]] | None = kept["rows"] if kept.get("of") == identity else None
        return rows
    except (OSError, ValueError, KeyError, AttributeError):
        return None
