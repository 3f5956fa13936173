"""Searches that train, where those of `mock_search` do not, in processes of their own that can be killed."""

from __future__ import annotations

from typing import Any

import living
import mock_search
from cambrian.estimators.one_shot import OneShot
from cambrian.estimators.train import Train
from cambrian.outcome import Fidelity
from cambrian.search.search import Search
from cambrian.spaces.branches.fabric.space import Fabric
from cambrian.spaces.branches.memory_banks.space import MemoryBanks
from cambrian.spaces.chains.ofa.space import OFA
from cambrian.strategies import STRATEGIES
from cambrian.testing import toy_task

SPACES: dict[str, tuple[Any, dict[str, Any]]] = {
    "smash": (MemoryBanks(layers=2, banks=2), {"filters": 4}),
    "fabrics": (Fabric(layers=2, scales=2), {"filters": 4}),
    "once-for-all": (
        OFA(widths=(8,), depths=(1, 2), kernels=(3, 5)),
        {"stem": 8, "features": 8, "width": 1.0},
    ),
}
"""The spaces of those families that are not searched on forks of modules, with small skeletons."""
FAMILIES = ("random-shared", "spos", "fairnas", "one-shot", "enas", "sandwich", *SPACES)
GRADIENT = ("darts", "gdas", "maskconnect", "proxylessnas")
OFTEN = 0.001
"""Seconds between checkpoints: after each step."""


def search(strategy: str) -> Search:
    """A supernet with gates; three trainings, the best of which goes on twice; or, by its name, a strategy
    that trains a supernet in two parts and scores three children, or derives an architecture."""
    if strategy in GRADIENT:
        return gradient_search(strategy)
    if strategy == "supernet":
        one_shot = OneShot(batch_size=16, paths=2, statistics_batches=2, checkpoint_seconds=OFTEN)
        return build(living.Sharing("darts"), one_shot, budget=1, fidelity=Fidelity(3))
    if strategy in FAMILIES:
        one_shot = OneShot(
            batch_size=16, paths=1, statistics_batches=1, checkpoint_seconds=OFTEN, decay_epochs=2.0
        )
        family = STRATEGIES.make({"name": strategy, "arguments": {"chunks": 2, "children": 3}})
        space, skeleton = SPACES.get(strategy, (living.forked, {}))
        return build(family, one_shot, space, fidelity=Fidelity(2, skeleton=skeleton))
    prefix = Train(batch_size=16, schedule="cosine", decay_epochs=9.0, checkpoint_seconds=OFTEN)
    return build(living.Halving(width=3), prefix, budget=5)


def gradient_search(method: str) -> Search:
    """Four epochs in two chunks, the derived architecture with shared weights, and alone."""
    settings = {"epochs": 4, "chunks": 2, "gate_rate": 0.1}
    one_shot = OneShot(batch_size=16, paths=1, statistics_batches=1, checkpoint_seconds=OFTEN)
    return build(
        {"name": method, "arguments": settings},
        one_shot,
        budget=10,
        estimators={"final": Train(batch_size=16)},
    )


def build(strategy: Any, estimator: Any, space: Any = living.forked, **settings: Any) -> Search:
    return Search(space, strategy, estimator, toy_task(), seed=3, attempts=1000, final=None, **settings)


def tend() -> None:
    for strategy in ("supernet", "halving"):
        search(strategy).run()  # imports what a training imports
    mock_search.serve(search)
