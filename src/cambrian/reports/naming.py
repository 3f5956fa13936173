"""Names for people beside the hashes of architectures."""

from __future__ import annotations

from collections import Counter
from functools import cache

from cambrian.architecture import Architecture
from cambrian.outcome import Trial
from cambrian.reports.contents import Story
from cambrian.reports.evidence import search_trials
from cambrian.spaces.knowledge import Graphs, know
from cambrian.spaces.published import find_published, names
from cambrian.spaces.space import Space

_SHOWN = 3
_GLUE = ("add", "concat", "input", "output", "in", "out", "sum", "mean")
"""Nodes that every architecture has."""


def architecture_text(story: Story, architecture: Architecture, trial: bool = False) -> str:
    """`pnasnet-5 (81cd53cf)`, or the commonest operations before the hash; with `trial` also the number
    of the search's trial that measured it first."""
    name = published_name(story.space, architecture) or describe_operations(story.space, architecture)
    first = next((t.number for t in search_trials(story.trials) if t.architecture == architecture), None)
    parts = [f"trial {first}"] if trial and first is not None else []
    text = ": ".join([*parts, name] if name else parts)
    return f"{text} ({architecture.key})" if text else architecture.key


def published_name(space: Space, architecture: Architecture) -> str:
    """The name of the literature's architecture that this is; "" where it is none."""
    return next((n for n, kind, known in _published() if kind is type(space) and known == architecture), "")


@cache
def _published() -> list[tuple[str, type[Space], Architecture]]:
    entries = [(name, find_published(name)) for name in names()]
    return [(name, type(entry.space), entry.architecture) for name, entry in entries]


def describe_operations(space: Space, architecture: Architecture) -> str:
    """The operations that occur most often, such as `sep5x5 x 4, max3x3`; else the first texts among the
    answers."""
    counts = Counter(_operations(space, architecture))
    shown = [f"{name} x {n}" if n > 1 else name for name, n in counts.most_common(_SHOWN)]
    return ", ".join(shown) + (", …" if len(counts) > _SHOWN else "")


def _operations(space: Space, architecture: Architecture) -> list[str]:
    graphs = know(space, Graphs)
    if graphs is None:
        return [answer for answer in architecture.values() if isinstance(answer, str)]
    graph = graphs.graph(architecture)
    entered = {v for _, v in graph.edges}
    return [name for v, name in enumerate(graph.labels) if v in entered and name.lower() not in _GLUE]


def name_role(trial: Trial, winner: Trial | None) -> str:
    """The role as of now: a continued run may have another winner, one that was a baseline before."""
    if trial == winner:
        return "winner"
    return "an earlier winner" if trial.role == "winner" and winner is not None else trial.role
