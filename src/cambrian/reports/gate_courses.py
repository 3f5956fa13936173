"""The courses of gates in a run: which supernets have some, and how decided their gates are after each
epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from cambrian.outcome import Done, Trial
from cambrian.pictures.gate_panels import GatePanels
from cambrian.spaces.knowledge import Mixes, know
from cambrian.spaces.space import Space


def list_courses(trials: Sequence[Trial]) -> list[Trial]:
    """The supernets with a finished epoch; of a training in chunks, which tells all of them, the last one."""
    courses = [t for t in trials if t.kind == "supernet" and read_data(t, "course").get("loss")]
    last: dict[tuple[str, int], Trial] = {}
    for trial in sorted(courses, key=lambda t: t.number):
        last[str(sorted(trial.method.items())), trial.replicate] = trial
    return list(last.values())


def read_data(trial: Trial, name: str) -> dict[str, Any]:
    data = trial.outcome.data.get(name) if isinstance(trial.outcome, Done) else None
    return data if isinstance(data, dict) else {}


def make_panels(space: Space, trial: Trial) -> GatePanels:
    """The course of a supernet's gates, with the names that its space gives the options."""
    mixes = know(space, Mixes)
    sites = {} if mixes is None else mixes.list_sites(trial.architecture)
    options = {name: [str(option) for option in site.options] for name, site in sites.items()}
    title = f"gates of supernet {trial.number}, {trial.method.get('name', '')}"
    return GatePanels(title, read_data(trial, "course")["gates"], options)


def find_entropies(gates: Mapping[str, Sequence[Sequence[float]]]) -> list[float]:
    """The mean entropy of the gates after each epoch, as a share of the entropy of equal ones.

    >>> find_entropies({"edge": [[0.5, 0.5], [1.0, 0.0]]})
    [1.0, 0.0]
    """
    tables = [table for table in gates.values() if table and len(table[0]) > 1]
    epochs = range(min((len(table) for table in tables), default=0))
    return [sum(_find_entropy(table[e]) for table in tables) / len(tables) for e in epochs]


def _find_entropy(gate: Sequence[float]) -> float:
    return abs(sum(p * math.log(p) for p in gate if p > 0)) / math.log(len(gate))


def list_derived(space: Space, trial: Trial) -> list[tuple[int, str]]:
    """The epochs, from 1, after which the derived architecture was another one, with its answers."""
    mixes = know(space, Mixes)
    gates = read_data(trial, "course").get("gates", {})
    epochs = min((len(table) for table in gates.values()), default=0)
    derived: list[tuple[int, str]] = []
    for epoch in range(epochs if mixes is not None else 0):
        assert mixes is not None
        now = mixes.derive({site: table[epoch] for site, table in gates.items()}, trial.architecture)
        words = ", ".join(map(str, now.values()))
        if not derived or derived[-1][1] != words:
            derived.append((epoch + 1, words))
    return derived
