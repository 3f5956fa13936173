"""Searches that train, where those of `mock_search` do not, in processes of their own that can be killed."""

from __future__ import annotations

from typing import Any

import living
import mock_search
from cambrian.estimators.one_shot import OneShot
from cambrian.estimators.train import Train
from cambrian.outcome import Fidelity
from cambrian.search.search import Search
from cambrian.strategies import STRATEGIES
from cambrian.testing import toy_task

FAMILIES = ("random-shared", "spos", "fairnas", "one-shot", "enas")
OFTEN = 0.001
"""Seconds between checkpoints: after each step."""


def search(strategy: str) -> Search:
    """A supernet with gates; three trainings, the best of which goes on twice; or, by its name, a strategy
    that trains a supernet in two parts and scores three children, or derives an architecture."""
    if strategy in ("darts", "gdas"):
        return gradient_search(strategy)
    if strategy == "supernet":
        one_shot = OneShot(batch_size=16, paths=2, statistics_batches=2, checkpoint_seconds=OFTEN)
        return build(living.Sharing("darts"), one_shot, budget=1, fidelity=Fidelity(3))
    if strategy in FAMILIES:
        one_shot = OneShot(
            batch_size=16, paths=1, statistics_batches=1, checkpoint_seconds=OFTEN, decay_epochs=2.0
        )
        family = STRATEGIES.make({"name": strategy, "arguments": {"chunks": 2, "children": 3}})
        return build(family, one_shot, fidelity=Fidelity(2))
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


def build(strategy: Any, estimator: Any, **settings: Any) -> Search:
    return Search(
        living.forked, strategy, estimator, toy_task(), seed=3, attempts=1000, final=None, **settings
    )


def tend() -> None:
    for strategy in ("supernet", "halving"):
        search(strategy).run()  # imports what a training imports
    mock_search.serve(search)
